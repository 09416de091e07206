import { describe, expect, it } from "vitest";

import { notesOf, SongData } from "../../src/music/song";
import { generator, someOperation, someSong } from "./random";

function seen(song: SongData): unknown {
  const tempos = Array.from({ length: 60 }, (_, n) => song.clock.quartersPerMinute(n * 480));
  const tracks = song.tracks.map(({ track, name, program, drum, channel }) => ({ track, name, program, drum, channel }));
  return { tempos, tracks, notes: notesOf(song), end: song.end, bars: song.bars.count };
}

describe("a song", () => {
  it("is as it was after operations and their inverse", () => {
    for (let seed = 0; seed < 60; seed++) {
      const random = generator(seed);
      const source = someSong(seed, 80);
      const start = SongData.from(source);
      const operations = Array.from({ length: 6 }, () => someOperation(random, source));
      const inverse = start.inverse(operations);
      expect(seen(start.apply(operations).apply(inverse))).toEqual(seen(start));
    }
  });

  it("does again what was undone", () => {
    const random = generator(7);
    const source = someSong(7);
    const start = SongData.from(source);
    const operations = [someOperation(random, source), someOperation(random, source), someOperation(random, source)];
    const changed = start.apply(operations);
    const undo = start.inverse(operations);
    const redo = changed.inverse(undo);
    expect(seen(changed.apply(undo).apply(redo))).toEqual(seen(changed));
  });

  it("shares the tracks that an operation does not touch", () => {
    const song = SongData.from(someSong(3));
    const next = song.apply([{ type: "rename", track: "t1", name: "Bass" }]);
    expect(next.track("t0")).toBe(song.track("t0"));
    expect(next.track("t1")?.name).toBe("Bass");
    expect(song.track("t1")?.name).toBe("Track 1");
  });

  it("makes a track for notes of one that is not there, and has it no more when they go", () => {
    const song = SongData.from(someSong(4));
    const ref = { track: "new", program: 32, drum: false, name: "Bass" };
    const next = song.apply([{ type: "notes", ...ref, remove: [], add: [[0, 480, 40, 90]] }]);
    expect(next.track("new")).toMatchObject({ program: 32, channel: 2 });
    const back = next.apply([{ type: "notes", ...ref, remove: [[0, 480, 40, 90]], add: [] }]);
    expect(back.track("new")).toBeUndefined();
  });

  it("grows by whole bars when notes are put after its end", () => {
    const song = SongData.from(someSong(5));
    const late = song.end + 100;
    const next = song.apply([
      { type: "notes", track: "t0", program: 0, drum: false, name: "", remove: [], add: [[late, 10, 60, 80]] },
    ]);
    expect(next.end).toBe(song.end + 1440);
    expect(next.bars.count).toBe(song.bars.count + 1);
  });

  it("applies an edit to a song of 20,000 notes at once", () => {
    const song = SongData.from(someSong(6, 12_000));
    const edit = { type: "notes", track: "t0", program: 0, drum: false, name: "", remove: [], add: [] } as const;
    const next = song.apply([{ ...edit, remove: [], add: [[100, 1, 20, 80]] }]);
    expect(next.track("t0")?.notes.count).toBe((song.track("t0")?.notes.count ?? 0) + 1);
  });
});
