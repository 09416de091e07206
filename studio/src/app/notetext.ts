/** Notes as text: what the table of notes writes, and reads again. */

import { type Edit, operationsOf } from "../music/edits";
import type { BarLines, Locks, SongState, TrackState } from "../music/music";
import type { Note, Operation } from "../protocol";
import { readPitch } from "./instruments";

export type Field = "place" | "length" | "pitch" | "velocity";

/** Bar, beat and the rest as a decimal: "3.2", "3.2.5" in the middle of the beat. */
export function placeText(bars: BarLines, tick: number): string {
  const { bar, beat, rest } = bars.place(tick);
  const part = Math.round(rest * 1000) / 1000;
  return `${bar}.${beat}${part > 0 ? String(part).slice(1) : ""}`;
}

/** A note with one field as the user wrote it; null if that is no value for it. */
export function changedNote(note: Note, field: Field, text: string, bars: BarLines, quarter: number): Note | null {
  const [tick, length, pitch, velocity] = note;
  if (field === "pitch") {
    const read = readPitch(text);
    return read === null ? null : [tick, length, read, velocity];
  }
  if (field === "place") {
    const found = /^\s*(\d{1,6})\.(\d{1,2})(?:\.(\d{1,6}))?\s*$/.exec(text);
    if (!found) return null;
    const bar = Number(found[1]);
    const [numerator, denominator] = bars.meter(Math.max(1, bar));
    const beat = Number(found[2]);
    if (bar < 1 || beat < 1 || beat > numerator) return null;
    const place = bars.start(bar) + ((beat - 1 + Number(`0.${found[3] ?? "0"}`)) * quarter * 4) / denominator;
    return [Math.round(place), length, pitch, velocity];
  }
  const value = Number(text.trim().replace(",", ".") || NaN);
  if (field === "length")
    return value > 0 && value <= 1000 ? [tick, Math.max(1, Math.round(value * quarter)), pitch, velocity] : null;
  return Number.isInteger(value) && value >= 1 && value <= 127 ? [tick, length, pitch, value] : null;
}

/** What puts a note in place of another, or deletes it; null where a locked note does not let it be there. */
export function replaced(
  song: SongState,
  locks: Locks,
  { track }: TrackState,
  old: Note,
  next: Note | null,
): Operation[] | null {
  const edit: Edit = new Map([[track, { remove: [old], add: next ? [next] : [] }]]);
  const { operations, placed } = operationsOf(song, edit, locks);
  return next && placed.length === 0 ? null : operations;
}
