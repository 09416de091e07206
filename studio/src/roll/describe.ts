/** The notes in an order for walking, and a note in words for a screen reader. */

import { lowerBound, noteAt } from "../music/notes";
import type { NoteRef, TrackState } from "../music/music";
import { drumName, keyAt, pitchName } from "../music/pitch";
import { NOTE } from "../strings";
import type { RollState } from "./state";
import { touchable } from "./state";

interface Placed {
  track: TrackState;
  order: number;
  index: number;
}

/** Tracks in the song's order: what walking goes through. */
function walked(state: RollState): TrackState[] {
  const shown = new Set(touchable(state).map((layer) => layer.track.track));
  return (state.song?.tracks ?? []).filter((track) => shown.has(track.track));
}

/** How many notes of a table come before a tick and pitch. */
function before(track: TrackState, tick: number, pitch: number): number {
  const { notes } = track;
  let index = lowerBound(notes.tick, tick);
  while (index < notes.count && notes.tick[index] === tick && (notes.pitch[index] as number) < pitch) index++;
  return index;
}

function refOf({ track, index }: Placed): NoteRef {
  return { track: track.track, tick: track.notes.tick[index] as number, pitch: track.notes.pitch[index] as number };
}

function compare(a: Placed, b: Placed): number {
  const tick = (place: Placed): number => place.track.notes.tick[place.index] as number;
  const pitch = (place: Placed): number => place.track.notes.pitch[place.index] as number;
  return tick(a) - tick(b) || pitch(a) - pitch(b) || a.order - b.order;
}

/** The next note in time (then pitch, then track), or the one before; from a note, or without one from a tick. */
export function neighbour(state: RollState, from: NoteRef | null, tick: number, forward: boolean): NoteRef | null {
  const tracks = walked(state);
  const home = from ? tracks.findIndex((track) => track.track === from.track) : -1;
  let best: Placed | null = null;
  tracks.forEach((track, order) => {
    let index = from ? before(track, from.tick, from.pitch) : lowerBound(track.notes.tick, tick);
    if (from) {
      const same = track.notes.tick[index] === from.tick && track.notes.pitch[index] === from.pitch;
      if (forward && same && order <= home) index++;
      if (!forward && !(same && order < home)) index--;
    } else if (!forward) index--;
    if (index < 0 || index >= track.notes.count) return;
    const place = { track, order, index };
    if (!best || (compare(place, best) < 0) === forward) best = place;
  });
  return best ? refOf(best) : null;
}

/** The nearest note above or below: one that sounds with it first, then the one nearest in time within a bar. */
export function across(state: RollState, from: NoteRef, up: boolean): NoteRef | null {
  const bars = state.song?.bars;
  if (!bars) return null;
  const bar = bars.at(from.tick);
  let best: NoteRef | null = null;
  let least = Infinity;
  for (const track of walked(state)) {
    for (const index of track.notes.within(bars.start(Math.max(1, bar - 1)), bars.start(bar + 2))) {
      const [tick, length, pitch] = noteAt(track.notes, index);
      const step = up ? pitch - from.pitch : from.pitch - pitch;
      if (step <= 0) continue;
      const away = tick <= from.tick && tick + length > from.tick ? 0 : Math.abs(tick - from.tick);
      const rank = away * 128 + step;
      if (rank >= least) continue;
      least = rank;
      best = { track: track.track, tick, pitch };
    }
  }
  return best;
}

/** A note in words: "C4, bar 3 beat 2, half a beat, 2 of 40". */
export function inWords(state: RollState, ref: NoteRef): string {
  const { song } = state;
  const track = song?.track(ref.track);
  const index = track?.notes.find(ref.tick, ref.pitch) ?? -1;
  if (!song || !track || index < 0) return "";
  const [tick, length, pitch] = noteAt(track.notes, index);
  const place = song.bars.place(tick);
  const beat = (song.ticksPerQuarter * 4) / (song.bars.meter(place.bar)[1] || 4);
  const rest = place.rest > 0.005 ? fraction(place.rest) : "";
  const tracks = walked(state);
  const total = tracks.reduce((sum, other) => sum + other.notes.count, 0);
  let number = 1;
  tracks.forEach((other, order) => {
    const at = before(other, tick, pitch);
    const same = other.notes.tick[at] === tick && other.notes.pitch[at] === pitch;
    number += at + (same && order < tracks.indexOf(track) ? 1 : 0);
  });
  const words = [
    track.drum ? drumName(pitch) || NOTE.drum(pitch) : pitchName(pitch, keyAt(song.keys, tick)?.fifths ?? 0),
    NOTE.place(place.bar, place.beat, rest),
    beatsInWords(length / beat),
    NOTE.number(number, total),
  ];
  if (tracks.length > 1) words.push(track.name || NOTE.track(song.tracks.indexOf(track) + 1));
  if (state.selection.has(ref.track, ref.tick, ref.pitch)) words.push(NOTE.selected);
  if (state.locks.has(ref.track, ref.tick, ref.pitch)) words.push(NOTE.locked);
  return words.join(", ");
}

function fraction(part: number): string {
  return NOTE.partsOfBeat.find(([value]) => Math.abs(value - part) < 0.005)?.[1] ?? part.toFixed(2);
}

function beatsInWords(beats: number): string {
  const match = NOTE.lengths.find(([value]) => Math.abs(value - beats) < 0.02 * value);
  return match ? match[1] : NOTE.beats(Number(beats.toFixed(2)));
}
