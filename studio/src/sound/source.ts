/** What is to be heard: the song, an idea in place of the notes it removes, without the muted tracks. No sound API. */

import type { Note } from "../protocol";
import type { IdeaLayer, SongState } from "../music/music";
import type { Instrument } from "./player";

/** Who plays a note. */
export interface Part extends Instrument {
  id: string;
}

function instrumentOf({ program, drum, volume, pan }: Instrument): Instrument {
  return { program, drum, ...(volume === undefined ? {} : { volume }), ...(pan === undefined ? {} : { pan }) };
}

export interface Onset {
  part: Part;
  tick: number;
  length: number;
  pitch: number;
  velocity: number;
}

export class Source {
  private removed = new Map<string, Set<number>>();
  private removedCount = -1;

  constructor(
    readonly song: SongState,
    readonly idea: IdeaLayer | null,
    private readonly muted: ReadonlySet<string>,
    private readonly soloed: ReadonlySet<string>,
  ) {}

  /** Where the music ends, in ticks: the song's end, or the bar in which an idea's last note ends. */
  get end(): number {
    let last = 0;
    for (const { notes } of this.idea?.added.values() ?? []) {
      for (const [tick, length] of notes) last = Math.max(last, tick + length);
    }
    if (last <= this.song.end) return this.song.end;
    const { bars } = this.song;
    return bars.start(bars.at(last - 1) + 1);
  }

  /** Whether a track is heard. A track that only the idea has is heard beside soloed ones. */
  audible(track: string): boolean {
    if (this.muted.has(track)) return false;
    return this.soloed.size === 0 || this.soloed.has(track) || this.song.track(track) === undefined;
  }

  /** The notes that begin in [from, to), in no order. */
  onsets(from: number, to: number): Onset[] {
    this.look();
    const found: Onset[] = [];
    for (const track of this.song.tracks) {
      if (!this.audible(track.track)) continue;
      const part = { ...instrumentOf(track), id: track.track };
      const removed = this.removed.get(track.track);
      const { tick, length, pitch, velocity } = track.notes;
      for (const n of track.notes.within(from, to)) {
        const at = tick[n] ?? 0;
        const key = pitch[n] ?? 0;
        if (at < from || at >= to || removed?.has(at * 128 + key)) continue;
        found.push({ part, tick: at, length: length[n] ?? 1, pitch: key, velocity: velocity[n] ?? 64 });
      }
    }
    for (const [id, { ref, notes }] of this.idea?.added ?? []) {
      if (!this.audible(id)) continue;
      // The song's track, as loud as it is there; but two takes may call different instruments by the same id.
      const known = this.song.track(id);
      const same = known?.program === ref.program && known.drum === ref.drum;
      const part = { ...instrumentOf(same ? known : ref), id };
      for (const [at, length, pitch, velocity] of notes) {
        if (at >= from && at < to) found.push({ part, tick: at, length, pitch, velocity });
      }
    }
    return found;
  }

  /** The tick where a note ends that begins at `tick`; null where there is no such note to be heard. */
  endOf(track: string, tick: number, pitch: number): number | null {
    if (!this.audible(track)) return null;
    this.look();
    const added = this.idea?.added.get(track)?.notes.find((note) => note[0] === tick && note[2] === pitch);
    if (added !== undefined) return added[0] + added[1];
    if (this.removed.get(track)?.has(tick * 128 + pitch)) return null;
    const table = this.song.track(track)?.notes;
    const index = table?.find(tick, pitch) ?? -1;
    return table === undefined || index < 0 ? null : tick + (table.length[index] ?? 1);
  }

  /** How far it can be played from `tick` on: a growing idea ends at its frontier, and the rest of its bars with it. */
  limit(tick: number): number {
    const { idea } = this;
    if (idea === null || !Number.isFinite(idea.frontier)) return Infinity;
    const { bars } = this.song;
    const from = idea.bars === null ? 0 : bars.start(idea.bars[0]);
    const to = idea.bars === null ? Infinity : bars.start(idea.bars[1] + 1);
    return tick >= to || idea.frontier >= to ? Infinity : Math.max(from, idea.frontier);
  }

  /** The removed notes as sets; again, where the idea has grown. */
  private look(): void {
    let count = 0;
    for (const notes of this.idea?.removed.values() ?? []) count += notes.length;
    if (count === this.removedCount) return;
    this.removedCount = count;
    this.removed = new Map();
    for (const [track, notes] of this.idea?.removed ?? []) {
      this.removed.set(track, new Set(notes.map(([tick, , pitch]: Note) => tick * 128 + pitch)));
    }
  }
}
