/** The notes of one track as typed arrays, with an index by blocks so that a range query never scans the piece. */

import type { Note } from "../protocol";
import type { NoteTable } from "./music";

const BLOCK = 256;
const PITCHES = 128;

/** A note's tick and pitch as one number: what identifies it in its track. */
export function noteKey(tick: number, pitch: number): number {
  return tick * PITCHES + pitch;
}

/** The first index of ascending `values` whose value is not below `value`. */
export function lowerBound(values: ArrayLike<number>, value: number, low = 0, high = values.length): number {
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((values[middle] as number) < value) low = middle + 1;
    else high = middle;
  }
  return low;
}

function byPlace(a: Note, b: Note): number {
  return a[0] - b[0] || a[2] - b[2];
}

/** Fit new notes among themselves: one ends where the next of its pitch begins; of two on one tick the last stays. */
function fittedTogether(notes: readonly Note[]): Note[] {
  const fitted: Note[] = [];
  const last = new Map<number, number>(); // pitch -> index in fitted
  for (const note of [...notes].sort(byPlace)) {
    const before = last.get(note[2]);
    const earlier = before === undefined ? undefined : fitted[before];
    if (before !== undefined && earlier) {
      if (earlier[0] === note[0]) {
        fitted[before] = note;
        continue;
      }
      const length = Math.min(earlier[1], note[0] - earlier[0]);
      fitted[before] = [earlier[0], length, earlier[2], earlier[3]];
    }
    last.set(note[2], fitted.length);
    fitted.push(note);
  }
  return fitted;
}

/** An immutable table of notes, sorted by tick then pitch. */
export class Notes implements NoteTable {
  readonly count: number;
  /** The latest end of the notes in each block, and of all up to and including it. */
  private readonly blockEnd: Int32Array;
  private readonly endSoFar: Int32Array;

  private constructor(
    readonly tick: Int32Array,
    readonly length: Int32Array,
    readonly pitch: Uint8Array,
    readonly velocity: Uint8Array,
  ) {
    this.count = tick.length;
    const blocks = Math.ceil(this.count / BLOCK);
    this.blockEnd = new Int32Array(blocks);
    this.endSoFar = new Int32Array(blocks);
    let latest = 0;
    for (let block = 0; block < blocks; block++) {
      let end = 0;
      const until = Math.min(this.count, (block + 1) * BLOCK);
      for (let index = block * BLOCK; index < until; index++) {
        end = Math.max(end, (tick[index] as number) + (length[index] as number));
      }
      latest = Math.max(latest, end);
      this.blockEnd[block] = end;
      this.endSoFar[block] = latest;
    }
  }

  static readonly none = Notes.of([]);

  /** A table of `notes` in any order. */
  static of(notes: readonly Note[]): Notes {
    const sorted = [...notes].sort(byPlace);
    const count = sorted.length;
    const tick = new Int32Array(count);
    const length = new Int32Array(count);
    const pitch = new Uint8Array(count);
    const velocity = new Uint8Array(count);
    sorted.forEach((note, index) => {
      tick[index] = note[0];
      length[index] = note[1];
      pitch[index] = note[2];
      velocity[index] = note[3];
    });
    return new Notes(tick, length, pitch, velocity);
  }

  /** A table of four numbers a note, as the protocol has them. */
  static fromFlat(flat: readonly number[]): Notes {
    const notes: Note[] = [];
    for (let at = 0; at + 3 < flat.length; at += 4) {
      notes.push([flat[at] as number, flat[at + 1] as number, flat[at + 2] as number, flat[at + 3] as number]);
    }
    return Notes.of(notes);
  }

  /** The tick where the last note ends; 0 without notes. */
  get end(): number {
    return this.endSoFar[this.endSoFar.length - 1] ?? 0;
  }

  /** The note at an index of the table. */
  note(index: number): Note {
    return noteAt(this, index);
  }

  *within(from: number, to: number): Iterable<number> {
    const until = lowerBound(this.tick, to);
    for (let block = lowerBound(this.endSoFar, from + 1); block * BLOCK < until; block++) {
      if ((this.blockEnd[block] as number) <= from) continue;
      const last = Math.min(until, (block + 1) * BLOCK);
      for (let index = block * BLOCK; index < last; index++) {
        if ((this.tick[index] as number) + (this.length[index] as number) > from) yield index;
      }
    }
  }

  find(tick: number, pitch: number): number {
    for (let index = lowerBound(this.tick, tick); index < this.count && this.tick[index] === tick; index++) {
      if (this.pitch[index] === pitch) return index;
    }
    return -1;
  }

  /**
   * A table without `remove` and with `add`.
   *
   * A note of `remove` is found by tick and pitch; of several there, the one of the same length and velocity. A note of
   * `add` ends where the next of its pitch begins, and is left out where an old one of its pitch sounds or begins.
   */
  changed(remove: readonly Note[], add: readonly Note[]): Notes {
    const gone = new Set<number>();
    for (const note of remove) {
      const index = this.match(note, gone);
      if (index >= 0) gone.add(index);
    }
    const fresh: Note[] = [];
    for (const note of fittedTogether(add)) {
      const fitted = this.fitted(note, gone);
      if (fitted) fresh.push(fitted);
    }
    return this.merged(gone, fresh);
  }

  private match(note: Note, gone: ReadonlySet<number>): number {
    let found = -1;
    for (let index = lowerBound(this.tick, note[0]); index < this.count && this.tick[index] === note[0]; index++) {
      if (this.pitch[index] !== note[2] || gone.has(index)) continue;
      if (this.length[index] === note[1] && this.velocity[index] === note[3]) return index;
      if (found < 0) found = index;
    }
    return found;
  }

  private fitted(note: Note, gone: ReadonlySet<number>): Note | null {
    const [tick, length, pitch, velocity] = note;
    let end = tick + length;
    for (const index of this.within(tick, end)) {
      if (this.pitch[index] !== pitch || gone.has(index)) continue;
      const start = this.tick[index] as number;
      if (start <= tick) return null;
      end = Math.min(end, start);
    }
    return end > tick ? [tick, end - tick, pitch, velocity] : null;
  }

  private merged(gone: ReadonlySet<number>, fresh: readonly Note[]): Notes {
    const count = this.count - gone.size + fresh.length;
    const tick = new Int32Array(count);
    const length = new Int32Array(count);
    const pitch = new Uint8Array(count);
    const velocity = new Uint8Array(count);
    let old = 0;
    let next = 0;
    for (let at = 0; at < count; at++) {
      while (gone.has(old)) old++;
      const note = fresh[next];
      if (note && (old >= this.count || this.isAfter(old, note))) {
        [tick[at], length[at], pitch[at], velocity[at]] = note;
        next++;
      } else {
        tick[at] = this.tick[old] as number;
        length[at] = this.length[old] as number;
        pitch[at] = this.pitch[old] as number;
        velocity[at] = this.velocity[old] as number;
        old++;
      }
    }
    return new Notes(tick, length, pitch, velocity);
  }

  private isAfter(index: number, note: Note): boolean {
    const tick = this.tick[index] as number;
    return tick > note[0] || (tick === note[0] && (this.pitch[index] as number) > note[2]);
  }
}

/** The note at an index of any table. */
export function noteAt(table: NoteTable, index: number): Note {
  return [
    table.tick[index] as number,
    table.length[index] as number,
    table.pitch[index] as number,
    table.velocity[index] as number,
  ];
}

/** The notes of `a` that are not in `b`, by all four values; both are walked once. */
export function notesOnlyIn(a: NoteTable, b: NoteTable): Note[] {
  const only: Note[] = [];
  let other = 0;
  for (let index = 0; index < a.count; index++) {
    const note = noteAt(a, index);
    while (other < b.count && byPlace(noteAt(b, other), note) < 0) other++;
    let same = false;
    for (let at = other; at < b.count && b.tick[at] === note[0] && b.pitch[at] === note[2]; at++) {
      same ||= b.length[at] === note[1] && b.velocity[at] === note[3];
    }
    if (!same) only.push(note);
  }
  return only;
}
