import { describe, expect, it } from "vitest";

import { noteAt, Notes } from "../../src/music/notes";
import { generator, someNotes, whole } from "./random";
import type { Note } from "../../src/protocol";

function listed(table: Notes): Note[] {
  return Array.from({ length: table.count }, (_, index) => noteAt(table, index));
}

function overlapping(notes: readonly Note[]): boolean {
  const until = new Map<number, number>();
  return notes.some(([tick, length, pitch]) => {
    const clash = (until.get(pitch) ?? 0) > tick;
    until.set(pitch, tick + length);
    return clash;
  });
}

describe("a table of notes", () => {
  it("finds the same notes in a range as a look at every note does", () => {
    const random = generator(1);
    for (const count of [0, 1, 255, 256, 257, 3000]) {
      const table = Notes.of(someNotes(random, count, 100_000));
      for (let trial = 0; trial < 40; trial++) {
        const from = whole(random, 110_000) - 2000;
        const to = from + whole(random, trial % 2 ? 500 : 50_000);
        const brute = listed(table).flatMap(([tick, length], index) => (tick < to && tick + length > from ? [index] : []));
        expect([...table.within(from, to)]).toEqual(brute);
      }
    }
  });

  it("keeps a long note in sight until its end, however many notes begin in between", () => {
    const short = Array.from({ length: 2000 }, (_, n): Note => [n * 10, 5, 60, 64]);
    const table = Notes.of([[0, 19_000, 40, 90], ...short]);
    expect([...table.within(18_999, 19_000)]).toContain(0);
    expect([...table.within(19_000, 19_001)]).not.toContain(0);
  });

  it("finds a note by its place", () => {
    const notes = someNotes(generator(2), 1000, 20_000);
    const table = Notes.of(notes);
    expect(listed(table).filter(([tick, , pitch], index) => table.find(tick, pitch) !== index)).toEqual([]);
    expect(table.find(-1, 60)).toBe(-1);
    expect(table.find(20_001, 60)).toBe(-1);
  });

  it("never holds two notes of one pitch that overlap, whatever is put into it", () => {
    for (let seed = 0; seed < 30; seed++) {
      const random = generator(seed);
      let table = Notes.of(someNotes(random, 200, 5000));
      for (let step = 0; step < 5; step++) {
        const remove = listed(table).filter(() => random() < 0.1);
        const add = someNotes(random, 60, 5000).concat(someNotes(random, 60, 5000));
        table = table.changed(remove, add);
        expect(overlapping(listed(table))).toBe(false);
        expect(listed(table)).toEqual(listed(Notes.of(listed(table))));
        expect(listed(table).every((note) => note[1] > 0)).toBe(true);
      }
    }
  });

  it("ends a new note where an old one begins, and leaves it out where an old one sounds", () => {
    const table = Notes.of([[480, 480, 60, 64]]);
    expect(listed(table.changed([], [[0, 900, 60, 80]]))).toEqual([[0, 480, 60, 80], [480, 480, 60, 64]]);
    expect(listed(table.changed([], [[600, 10, 60, 80]]))).toEqual([[480, 480, 60, 64]]);
    expect(listed(table.changed([], [[960, 10, 60, 80]])).length).toBe(2);
  });

  it("takes away the note of the same length where two begin together", () => {
    const table = Notes.fromFlat([0, 100, 60, 50, 0, 200, 60, 60]);
    expect(listed(table.changed([[0, 200, 60, 60]], []))).toEqual([[0, 100, 60, 50]]);
  });

  it("is not changed itself", () => {
    const table = Notes.of([[0, 10, 60, 64]]);
    table.changed([[0, 10, 60, 64]], [[5, 5, 61, 64]]);
    expect(listed(table)).toEqual([[0, 10, 60, 64]]);
  });
});
