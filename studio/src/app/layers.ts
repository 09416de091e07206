/** Ideas and other takes as layers above a song: what the roll draws and the player plays. */

import type { IdeaLayer, Locks, SongState, TrackState } from "../music/music";
import { GrowingIdea, newTrackId } from "../music/idea";
import { Notes, noteAt, notesOnlyIn } from "../music/notes";
import type { Diff, Note, Take, TrackRef } from "../protocol";

/** The layer of a take whose difference from its parent is known. */
export function diffLayer(id: string, diff: Diff, song: SongState, bars: [number, number] | null): GrowingIdea {
  const layer = new GrowingIdea(id, bars, song);
  for (const part of diff.removed) layer.removed.set(part.track, quads(part.notes));
  for (const part of diff.added) {
    const ref: TrackRef = { track: part.track, program: part.program, drum: part.drum, name: part.name };
    ref.track ||= newTrackId(part.program, part.drum);
    layer.added.set(ref.track, { ref, notes: quads(part.notes) });
  }
  layer.finish();
  return layer;
}

/**
 * The layer that turns `song` into `other`, to compare any two takes by ear.
 *
 * New tracks of two takes can have the same id: with another instrument it is another track, under an id of its own.
 */
export function layerBetween(id: string, song: SongState, other: SongState): GrowingIdea {
  const layer = new GrowingIdea(id, null, song);
  for (const track of song.tracks) {
    const twin = twinOf(track, other);
    const gone = twin ? notesOnlyIn(track.notes, twin.notes) : all(track);
    if (gone.length > 0) layer.removed.set(track.track, gone);
  }
  for (const track of other.tracks) {
    const twin = twinOf(track, song);
    const notes = twin ? notesOnlyIn(track.notes, twin.notes) : all(track);
    if (notes.length === 0) continue;
    const ref = { ...referenceTo(track), ...mixOf(track) };
    if (!twin && song.track(track.track)) ref.track = `other:${track.track}`;
    layer.added.set(ref.track, { ref, notes });
  }
  layer.finish();
  return layer;
}

function twinOf(track: TrackState, song: SongState): TrackState | undefined {
  const found = song.track(track.track);
  return found && found.program === track.program && found.drum === track.drum ? found : undefined;
}

function mixOf({ volume, pan }: TrackState): Pick<TrackState, "volume" | "pan"> {
  return { ...(volume === undefined ? {} : { volume }), ...(pan === undefined ? {} : { pan }) };
}

/** The notes of a song that a growing idea replaces so far: those that are free, up to its last note. */
export function displaced(take: Take, layer: IdeaLayer, song: SongState, locks: Locks): Map<string, Note[]> {
  const found = new Map<string, Note[]>();
  if (take.verb !== "infill" && take.verb !== "vary") return found;
  const from = take.bars ? song.bars.start(take.bars[0]) : 0;
  const until = take.bars ? song.bars.start(take.bars[1] + 1) : song.end;
  let frontier = Math.min(layer.frontier, until);
  for (const { notes } of layer.added.values()) for (const [tick] of notes) frontier = Math.max(frontier, tick + 1);
  for (const { track, notes } of song.tracks) {
    if (take.tracks.length > 0 && !take.tracks.includes(track)) continue;
    // A variation replaces notes one by one: what begins and ends as an old note does is that note with another pitch.
    const own = new Set(layer.added.get(track)?.notes.map(([tick, length]) => `${tick} ${length}`));
    const gone: Note[] = [];
    for (const index of notes.within(from, frontier)) {
      const note = noteAt(notes, index);
      const free = note[0] >= from && note[0] < frontier && !locks.has(track, note[0], note[2]);
      if (free && (take.verb === "infill" || own.has(`${note[0]} ${note[1]}`))) gone.push(note);
    }
    if (gone.length > 0) found.set(track, gone);
  }
  return found;
}

export function referenceTo(track: TrackState): TrackRef {
  return { track: track.track, program: track.program, drum: track.drum, name: track.name };
}

function all(track: TrackState): Note[] {
  return notesOnlyIn(track.notes, Notes.none);
}

function quads(flat: readonly number[]): Note[] {
  const notes: Note[] = [];
  for (let at = 0; at + 3 < flat.length; at += 4)
    notes.push([flat[at] ?? 0, flat[at + 1] ?? 0, flat[at + 2] ?? 0, flat[at + 3] ?? 0]);
  return notes;
}
