import { describe, expect, it } from "vitest";

import { BasicMIDI } from "spessasynth_core";
import { midiFile } from "../../src/sound/smf";
import { QUARTER, song } from "./fakes";

describe("a song as a MIDI file", () => {
  it("is read again with its notes, programs and tempo", () => {
    const file = midiFile(song({
      quartersPerMinute: 90,
      tracks: {
        a: { program: 40, notes: [[0, QUARTER, 60, 80], [QUARTER, 200, 60, 1]] },
        d: { drum: true, notes: [[0, 10, 36, 100]] },
      },
    }));
    const read = BasicMIDI.fromArrayBuffer(file);
    expect(read.timeDivision).toBe(QUARTER);
    expect(read.tracks).toHaveLength(3);
    expect(read.duration).toBeCloseTo(((QUARTER + 200) / QUARTER) * (60 / 90), 3); // to the last note's end
    const strikes = read.tracks.flatMap(({ events }) => events)
      .filter(({ statusByte }) => (statusByte & 0xf0) === 0x90)
      .map(({ ticks, statusByte, data }) => [ticks, statusByte & 15, ...data]);
    expect(strikes).toEqual([[0, 0, 60, 80], [QUARTER, 0, 60, 1], [0, 9, 36, 100]]);
  });

  it("says the program of every note where there are more programs than channels", () => {
    const tracks = Object.fromEntries(Array.from({ length: 20 }, (_, n) =>
      [`t${n}`, { program: n, notes: [[n * 10, 5, 60, 80]] as [number, number, number, number][] }]));
    const read = BasicMIDI.fromArrayBuffer(midiFile(song({ tracks })));
    const programs = read.tracks.flatMap(({ events }) => events).filter(({ statusByte }) => (statusByte & 0xf0) === 0xc0);
    expect(programs.map(({ ticks, data }) => [ticks, data[0]])).toEqual(Array.from({ length: 20 }, (_, n) => [n * 10, n]));
  });
});
