/** What an edit does to notes: snap, quantise, move, and the operations that come of it. */

import type { Note, Operation, TrackRef } from "../protocol";
import type { BarLines, Locks, NoteRef, NoteTable, SongState } from "./music";
import { noteAt, noteKey, Notes } from "./notes";

const HIGHEST = 127;

/** The notes of one track that an edit takes away and those that it puts there. */
export interface TrackEdit {
  remove: Note[];
  add: Note[];
  /** What track it is, where it may not be in the song yet. */
  into?: TrackRef;
}

export type Edit = Map<string, TrackEdit>;

/** The nearest place of the grid, which begins anew with each bar; `grid` in ticks, 0 is no snap. */
export function snap(tick: number, grid: number, bars: BarLines): number {
  if (grid <= 0) return Math.max(0, Math.round(tick));
  const bar = bars.at(Math.max(0, tick));
  const start = bars.start(bar);
  const next = bars.start(bar + 1);
  const place = Math.round(start + Math.round((tick - start) / grid) * grid);
  return Math.max(0, next - tick < Math.abs(place - tick) ? next : Math.min(place, next));
}

/** The last place of the grid that is not after `tick`. */
export function snapDown(tick: number, grid: number, bars: BarLines): number {
  if (grid <= 0) return Math.max(0, Math.round(tick));
  const start = bars.start(bars.at(Math.max(0, tick)));
  return Math.max(0, Math.round(start + Math.floor((tick - start) / grid) * grid));
}

/** The first place of the grid after `tick`. */
export function snapUp(tick: number, grid: number, bars: BarLines): number {
  const step = Math.max(1, grid);
  const next = bars.start(bars.at(Math.max(0, tick)) + 1);
  return Math.min(next, Math.round(snapDown(tick, grid, bars) + step));
}

/** How far all of `notes` can go by `ticks` and `pitches` together: the whole selection is clamped, not each note. */
export function clampedMove(notes: Iterable<Note>, ticks: number, pitches: number): [ticks: number, pitches: number] {
  let first = Infinity;
  let low = HIGHEST;
  let high = 0;
  for (const [tick, , pitch] of notes) {
    first = Math.min(first, tick);
    low = Math.min(low, pitch);
    high = Math.max(high, pitch);
  }
  if (first === Infinity) return [0, 0];
  return [Math.max(ticks, -first), Math.min(Math.max(pitches, -low), HIGHEST - high)];
}

export function movedNote(note: Note, ticks: number, pitches: number): Note {
  return [note[0] + ticks, note[1], note[2] + pitches, note[3]];
}

/** A note whose begin is on the grid; its length stays. */
export function quantisedNote(note: Note, grid: number, bars: BarLines): Note {
  return [snap(note[0], grid, bars), note[1], note[2], note[3]];
}

/** A note with another velocity, 1 to 127. */
export function withVelocity(note: Note, velocity: number): Note {
  return [note[0], note[1], note[2], Math.min(HIGHEST, Math.max(1, Math.round(velocity)))];
}

/** The notes that `refs` name, by track; those that are not in the song are left out. */
export function resolved(song: SongState, refs: Iterable<NoteRef>): Map<string, Note[]> {
  const found = new Map<string, Note[]>();
  for (const { track, tick, pitch } of refs) {
    const notes = song.track(track)?.notes;
    const index = notes?.find(tick, pitch) ?? -1;
    if (!notes || index < 0) continue;
    const list = found.get(track);
    if (list) list.push(noteAt(notes, index));
    else found.set(track, [noteAt(notes, index)]);
  }
  return found;
}

/** The same without locked notes. */
export function unlocked(notes: ReadonlyMap<string, readonly Note[]>, locks: Locks): Map<string, Note[]> {
  const free = new Map<string, Note[]>();
  for (const [track, list] of notes) {
    const kept = list.filter(([tick, , pitch]) => !locks.has(track, tick, pitch));
    if (kept.length) free.set(track, kept);
  }
  return free;
}

export function refsOf(notes: ReadonlyMap<string, readonly Note[]>): NoteRef[] {
  const refs: NoteRef[] = [];
  for (const [track, list] of notes) for (const [tick, , pitch] of list) refs.push({ track, tick, pitch });
  return refs;
}

/** An edit that changes each note of `notes`; null deletes it. */
export function changeOf(
  notes: ReadonlyMap<string, readonly Note[]>,
  change: (note: Note, track: string) => Note | null,
  keep = false,
): Edit {
  const edit: Edit = new Map();
  for (const [track, list] of notes) {
    const add = list.map((note) => change(note, track)).filter((note): note is Note => note !== null);
    edit.set(track, { remove: keep ? [] : [...list], add });
  }
  return edit;
}

/**
 * The operations of an edit, one for each track that it changes, and the notes that they put there.
 *
 * What the user puts somewhere is there afterwards: an old note of the same pitch that sounds there is shortened or, if
 * it begins there, replaced. A locked note stays as it is, and the new one gives way. No note is lost otherwise: one
 * that reaches into a later one is shortened.
 */
export function operationsOf(
  song: SongState,
  edit: Edit,
  locks: Locks,
): { operations: Operation[]; placed: NoteRef[] } {
  const operations: Operation[] = [];
  const placed: NoteRef[] = [];
  for (const [id, { remove, add, into }] of edit) {
    const track = song.track(id);
    const ref = track ?? into;
    if (!ref) continue;
    const settled = settledIn(track?.notes ?? Notes.none, remove, add, (tick, pitch) => locks.has(id, tick, pitch));
    for (const [tick, , pitch] of settled.placed) placed.push({ track: id, tick, pitch });
    const lean = withoutCommon(settled.remove, settled.add);
    if (lean.remove.length + lean.add.length === 0) continue;
    const { program, drum, name } = ref;
    operations.push({ type: "notes", track: id, program, drum, name, ...lean });
  }
  return { operations, placed };
}

function settledIn(
  table: NoteTable,
  remove: readonly Note[],
  add: readonly Note[],
  locked: (tick: number, pitch: number) => boolean,
): TrackEdit & { placed: Note[] } {
  const gone = new Map(remove.map((note) => [noteKey(note[0], note[2]), note]));
  const shortened = new Map<number, Note>(); // by the key of an old note, what is left of it
  const placed = new Map<number, Note>();
  for (const note of [...add].sort((a, b) => a[0] - b[0])) {
    let [tick, length] = note;
    const pitch = note[2];
    let fits = true;
    for (const index of table.within(tick, tick + length)) {
      const old = noteAt(table, index);
      const key = noteKey(old[0], old[2]);
      if (old[2] !== pitch || gone.has(key)) continue;
      if (old[0] > tick) length = Math.min(length, old[0] - tick);
      else if (locked(old[0], pitch)) fits = false;
      else shortened.set(key, old);
    }
    if (fits) placed.set(noteKey(tick, pitch), [tick, length, pitch, note[3]]);
  }
  const fresh = [...placed.values()];
  const left: Note[] = [];
  for (const old of shortened.values()) {
    const cut = fresh.reduce((end, [tick, , pitch]) => {
      return pitch === old[2] && tick >= old[0] && tick < end ? tick : end;
    }, old[0] + old[1]);
    if (cut > old[0]) left.push([old[0], cut - old[0], old[2], old[3]]);
  }
  return { remove: [...remove, ...shortened.values()], add: trimmed([...left, ...fresh]), placed: fresh };
}

/** Notes of one pitch that reach into the next one end where it begins. */
function trimmed(notes: Note[]): Note[] {
  const next = new Map<number, number>();
  const sorted = [...notes].sort((a, b) => b[0] - a[0]);
  return sorted
    .map((note): Note => {
      const [tick, length, pitch, velocity] = note;
      const end = Math.min(tick + length, next.get(pitch) ?? Infinity);
      next.set(pitch, tick);
      return [tick, end - tick, pitch, velocity];
    })
    .reverse();
}

function withoutCommon(remove: readonly Note[], add: readonly Note[]): TrackEdit {
  const text = (note: Note): string => note.join();
  const without = (notes: readonly Note[], others: readonly Note[]): Note[] => {
    const known = new Set(others.map(text));
    return notes.filter((note) => !known.has(text(note)));
  };
  return { remove: without(remove, add), add: without(add, remove) };
}
