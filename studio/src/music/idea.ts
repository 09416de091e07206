/** An idea while it grows and when it is finished: above the song, outside the song's data. */

import type { IdeaNote, Note, Operation } from "../protocol";
import type { IdeaLayer, LayerTrack, SongState } from "./music";

/** An idea that notes are added to as the server sends them. */
export class GrowingIdea implements IdeaLayer {
  readonly removed = new Map<string, Note[]>();
  readonly added = new Map<string, { ref: LayerTrack; notes: Note[] }>();
  frontier = 0;

  constructor(
    readonly id: string,
    readonly bars: [number, number] | null,
    private readonly song: SongState | null = null,
  ) {}

  /** Add notes of an `idea.notes` event. */
  add(notes: readonly IdeaNote[]): void {
    for (const [track, program, drum, ...note] of notes) {
      const id = track ?? newTrackId(program, drum);
      let part = this.added.get(id);
      if (!part) {
        const known = this.song?.track(id);
        const ref = { track: id, program, drum, name: known?.name ?? "" };
        this.added.set(id, (part = { ref, notes: [] }));
      }
      part.notes.push(note);
    }
  }

  /** Add notes of an `idea.removed` event. */
  remove(notes: readonly IdeaNote[]): void {
    for (const [track, program, drum, ...note] of notes) {
      const id = track ?? newTrackId(program, drum);
      const list = this.removed.get(id);
      if (list) list.push(note);
      else this.removed.set(id, [note]);
    }
  }

  /** It can be played up to `tick`. */
  reach(tick: number): void {
    this.frontier = Math.max(this.frontier, tick);
  }

  finish(): void {
    this.frontier = Infinity;
  }

  /** Begin again, without notes. */
  restart(): void {
    this.added.clear();
    this.removed.clear();
    this.frontier = 0;
  }
}

/** The id of an idea's own track, until the server names it. */
export function newTrackId(program: number, drum: boolean): string {
  return drum ? "new:drums" : `new:${program}`;
}

/** What the idea does to the song, as operations. */
export function ideaOperations(idea: IdeaLayer, song: SongState): Operation[] {
  const operations: Operation[] = [];
  for (const id of new Set([...idea.removed.keys(), ...idea.added.keys()])) {
    const part = idea.added.get(id);
    const ref = song.track(id) ?? part?.ref;
    if (!ref) continue;
    const { track, program, drum, name } = ref;
    const remove = [...(idea.removed.get(id) ?? [])];
    operations.push({ type: "notes", track, program, drum, name, remove, add: [...(part?.notes ?? [])] });
  }
  return operations;
}

/** The song as it is heard with the idea in it. */
export function withIdea(song: SongState, idea: IdeaLayer): SongState {
  return song.apply(ideaOperations(idea, song));
}

/** How many notes the idea has so far. */
export function ideaCount(idea: IdeaLayer): number {
  let count = 0;
  for (const part of idea.added.values()) count += part.notes.length;
  return count;
}
