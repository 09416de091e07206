import { describe, expect, it } from "vitest";

import { NoteSet } from "../../src/music/sets";
import { SongData } from "../../src/music/song";
import { hitNote } from "../../src/roll/hit";
import type { RollState } from "../../src/roll/state";
import { emptyState } from "../../src/roll/state";
import { FIRST_VIEW, noteBox, viewWith } from "../../src/roll/view";
import type { Note, Song } from "../../src/protocol";
import { generator, someSong } from "../music/random";

const view = viewWith(FIRST_VIEW, { width: 1200, height: 600, end: 480 * 400, top: 700 });

function stateOf(song: Song): RollState {
  return { ...emptyState(), song: SongData.from(song) };
}

function songOf(...tracks: Note[][]): Song {
  const rows = tracks.map((notes, n) => ({ id: `t${n}`, name: "", program: 0, drum: false, channel: n, notes: notes.flat() }));
  return { ticksPerQuarter: 480, end: 7680, tempos: [], meters: [], keys: [], bars: [0, 1920, 3840, 5760, 7680], tracks: rows };
}

function middle(note: Note): [number, number] {
  const [x, y, width, height] = noteBox(view, note[0], note[1], note[2]);
  return [x + width / 2, y + height / 2];
}

describe("the hit test", () => {
  it("finds a note wherever a look at every note finds one, and nothing elsewhere", () => {
    const source = someSong(3, 600);
    const state = stateOf(source);
    const notes = source.tracks.flatMap((track) => Array.from({ length: track.notes.length / 4 }, (_, n) => track.notes.slice(4 * n, 4 * n + 4) as Note));
    const random = generator(9);
    const wrong: unknown[] = [];
    for (let trial = 0; trial < 1000; trial++) {
      const [x, y] = [Math.floor(random() * 1200), Math.floor(random() * 600)];
      const brute = notes.some((note) => {
        const [left, top, width] = noteBox(view, note[0], note[1], note[2]);
        return x >= left && x <= left + width && y >= top && y <= top + view.keyHeight;
      });
      if (brute !== (hitNote(state, view, x, y, false) !== null)) wrong.push([x, y, brute]);
    }
    // A point on the line between two rows belongs to the lower one.
    expect(wrong.filter((row) => (((row as number[])[1] as number) + view.top) % view.keyHeight !== 0)).toEqual([]);
  });

  it("knows the right edge, no more than a third of the note", () => {
    const state = stateOf(songOf([[0, 960, 60, 80], [1920, 120, 60, 80]]));
    const [x, y, width] = noteBox(view, 0, 960, 60);
    expect(hitNote(state, view, x + width - 3, y + 5, false)?.edge).toBe(true);
    expect(hitNote(state, view, x + width - 12, y + 5, false)?.edge).toBe(false);
    const short = noteBox(view, 1920, 120, 60);
    expect(hitNote(state, view, short[0] + short[2] / 2, y + 5, false)?.edge).toBe(false);
  });

  it("takes a selected note first, then the active track's, then the shortest", () => {
    const state = stateOf(songOf([[0, 960, 60, 80]], [[0, 480, 60, 80]], [[0, 1200, 60, 80]]));
    const at = middle([0, 480, 60, 80]);
    expect(hitNote(state, view, ...at, false)?.track).toBe("t1");
    state.activeTrack = "t0";
    expect(hitNote(state, view, ...at, false)?.track).toBe("t0");
    state.selection = new NoteSet([{ track: "t2", tick: 0, pitch: 60 }]);
    expect(hitNote(state, view, ...at, false)?.track).toBe("t2");
  });

  it("passes over ghosts and hidden tracks", () => {
    const state = stateOf(songOf([[0, 960, 60, 80]], [[0, 480, 60, 80]]));
    state.ghosts = new Set(["t0"]);
    state.hidden = new Set(["t1"]);
    expect(hitNote(state, view, ...middle([0, 480, 60, 80]), false)).toBeNull();
  });

  it("gives a finger 24 pixels", () => {
    const state = stateOf(songOf([[960, 60, 60, 80]]));
    const [x, y] = middle([960, 60, 60, 80]);
    expect(hitNote(state, view, x + 11, y, true)?.note[0]).toBe(960);
    expect(hitNote(state, view, x + 11, y, false)).toBeNull();
    expect(hitNote(state, view, x + 14, y, true)).toBeNull();
    expect(hitNote(state, view, x, y - 11, true)?.note[0]).toBe(960);
  });
});
