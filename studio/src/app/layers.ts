/** Ideas and other takes as layers above a song: what the roll draws and the player plays. */

import type { SongState, TrackState } from "../music/music";
import { GrowingIdea, newTrackId } from "../music/idea";
import { Notes, notesOnlyIn } from "../music/notes";
import type { Diff, Note, TrackRef } from "../protocol";

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

/** The layer that turns `song` into `other`, to compare any two takes by ear. */
export function layerBetween(id: string, song: SongState, other: SongState): GrowingIdea {
  const layer = new GrowingIdea(id, null, song);
  for (const track of song.tracks) {
    const twin = other.track(track.track);
    const gone = twin ? notesOnlyIn(track.notes, twin.notes) : all(track);
    if (gone.length > 0) layer.removed.set(track.track, gone);
  }
  for (const track of other.tracks) {
    const twin = song.track(track.track);
    const notes = twin ? notesOnlyIn(track.notes, twin.notes) : all(track);
    if (notes.length > 0) layer.added.set(track.track, { ref: referenceTo(track), notes });
  }
  layer.finish();
  return layer;
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
