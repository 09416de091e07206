import { describe, expect, it } from "vitest";

import { SongData } from "../../src/music/song";
import { across, inWords, neighbour } from "../../src/roll/describe";
import type { RollState } from "../../src/roll/state";
import { emptyState } from "../../src/roll/state";
import type { NoteRef } from "../../src/music/music";
import { someSong } from "../music/random";

function stateOf(seed: number, count: number): RollState {
  return { ...emptyState(), song: SongData.from(someSong(seed, count)) };
}

/** All notes in the order of walking, by a sort. */
function ordered(state: RollState): NoteRef[] {
  const rows = (state.song?.tracks ?? []).flatMap(({ track, notes }, order) =>
    Array.from({ length: notes.count }, (_, n) => ({
      ref: { track, tick: notes.tick[n] as number, pitch: notes.pitch[n] as number },
      order,
    })),
  );
  rows.sort((a, b) => a.ref.tick - b.ref.tick || a.ref.pitch - b.ref.pitch || a.order - b.order);
  return rows.map((row) => row.ref);
}

describe("walking through the notes", () => {
  it("meets each note once in either direction, as a sorted list has them", () => {
    const state = stateOf(4, 120);
    const all = ordered(state);
    const forward: NoteRef[] = [];
    for (let at = neighbour(state, null, 0, true); at; at = neighbour(state, at, 0, true)) forward.push(at);
    expect(forward).toEqual(all);
    const back: NoteRef[] = [];
    for (let at = neighbour(state, null, Infinity, false); at; at = neighbour(state, at, 0, false)) back.push(at);
    expect(back.reverse()).toEqual(all);
  });

  it("numbers them so", () => {
    const state = stateOf(5, 60);
    const all = ordered(state);
    expect(all.map((ref) => /, (\d+) of (\d+),/.exec(inWords(state, ref))?.slice(1).map(Number))).toEqual(
      all.map((_, n) => [n + 1, all.length]),
    );
  });

  it("begins at the play cursor", () => {
    const state = stateOf(6, 60);
    const first = neighbour(state, null, 9600, true);
    expect(first).toEqual(ordered(state).find((ref) => ref.tick >= 9600));
  });

  it("climbs to the nearest note above, and says nothing where there is none", () => {
    const state = stateOf(7, 120);
    const all = ordered(state);
    const top = all.reduce((best, ref) => (ref.pitch > best.pitch ? ref : best));
    expect(across(state, top, true)).toBeNull();
    const up = across(state, all[10] as NoteRef, true);
    expect(up === null || up.pitch > (all[10] as NoteRef).pitch).toBe(true);
  });
});

describe("a note in words", () => {
  it("says pitch, place, length, number, and what is particular to it", () => {
    const state = stateOf(1, 0);
    const song = state.song as SongData;
    state.song = song.apply([
      { type: "notes", track: "t0", program: 0, drum: false, name: "", remove: [], add: [[1920 * 2 + 480, 240, 61, 80]] },
      { type: "notes", track: "t2", program: 0, drum: true, name: "", remove: [], add: [[0, 160, 38, 80]] },
    ]);
    expect(inWords(state, { track: "t0", tick: 4320, pitch: 61 })).toBe("D♭4, bar 3 beat 2, half a beat, 2 of 2, Track 0");
    expect(inWords(state, { track: "t2", tick: 0, pitch: 38 })).toBe("Snare, bar 1 beat 1, a third of a beat, 1 of 2, Track 2");
    expect(inWords(state, { track: "t0", tick: 1, pitch: 61 })).toBe("");
  });
});
