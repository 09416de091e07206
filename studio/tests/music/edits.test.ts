import { describe, expect, it } from "vitest";

import {
  changeOf, clampedMove, movedNote, operationsOf, quantisedNote, refsOf, resolved, snap, snapDown, snapUp, unlocked,
} from "../../src/music/edits";
import { GrowingIdea, withIdea } from "../../src/music/idea";
import { keyAt, pitchName, scaleOf } from "../../src/music/pitch";
import { NO_LOCKS, NoteSet } from "../../src/music/sets";
import { notesOf, SongData } from "../../src/music/song";
import { Bars } from "../../src/music/time";
import { generator, someSong, whole } from "./random";
import type { Note, Song } from "../../src/protocol";

const bars = new Bars([0, 1920, 3360, 5280], [[0, 4, 4], [1920, 3, 4], [3360, 4, 4]], 480);

function songOf(...notes: Note[]): SongData {
  const track = { id: "t", name: "Piano", program: 0, drum: false, channel: 0, notes: notes.flat() };
  const song: Song = {
    ticksPerQuarter: 480, end: 5280, tempos: [], meters: [], keys: [], bars: [0, 1920, 3840, 5760], tracks: [track],
  };
  return SongData.from(song);
}

function after(song: SongData, remove: Note[], add: Note[], locks = NO_LOCKS): Note[] {
  const { operations } = operationsOf(song, new Map([["t", { remove, add }]]), locks);
  return notesOf(song.apply(operations)).get("t") ?? [];
}

describe("snap", () => {
  it("begins anew with each bar, and knows the next bar line", () => {
    expect(snap(250, 240, bars)).toBe(240);
    expect(snap(1920 + 500, 960, bars)).toBe(1920 + 960);
    expect(snap(1920 + 1300, 960, bars)).toBe(3360);
    expect(snapDown(1920 + 1300, 960, bars)).toBe(1920 + 960);
    expect(snapUp(1920 + 1300, 960, bars)).toBe(3360);
    expect(snap(-30, 240, bars)).toBe(0);
  });

  it("rounds only to whole ticks without a grid", () => {
    expect(snap(250.4, 0, bars)).toBe(250);
  });
});

describe("a move", () => {
  it("is clamped for the whole selection: chords are never crushed", () => {
    const chord: Note[] = [[100, 10, 120, 64], [100, 10, 124, 64], [200, 10, 127, 64]];
    expect(clampedMove(chord, -480, 5)).toEqual([-100, 0]);
    const random = generator(3);
    for (let trial = 0; trial < 100; trial++) {
      const notes = Array.from({ length: 5 }, (): Note => [whole(random, 900), 5, whole(random, 128), 64]);
      const [ticks, pitches] = clampedMove(notes, whole(random, 3000) - 1500, whole(random, 300) - 150);
      const moved = notes.map((note) => movedNote(note, ticks, pitches));
      expect(moved.every((note) => note[0] >= 0 && note[2] >= 0 && note[2] <= 127)).toBe(true);
      const steps = (chord: Note[]): number[] => chord.map((note) => note[2] - (chord[0]?.[2] ?? 0));
      expect(steps(moved)).toEqual(steps(notes));
    }
  });
});

describe("operations of an edit", () => {
  it("shorten the old note that sounds where a new one begins", () => {
    expect(after(songOf([0, 960, 60, 64]), [], [[480, 480, 60, 90]])).toEqual([[0, 480, 60, 64], [480, 480, 60, 90]]);
  });

  it("replace the old note that begins with the new one", () => {
    expect(after(songOf([0, 960, 60, 64]), [], [[0, 240, 60, 90]])).toEqual([[0, 240, 60, 90]]);
  });

  it("shorten the new note where an old one begins later", () => {
    expect(after(songOf([480, 480, 60, 64]), [], [[0, 960, 60, 90]])).toEqual([[0, 480, 60, 90], [480, 480, 60, 64]]);
  });

  it("leave a locked note as it is", () => {
    const locks = NoteSet.ofLocked([["t", 0, 60]]);
    expect(after(songOf([0, 960, 60, 64]), [], [[480, 480, 60, 90]], locks)).toEqual([[0, 960, 60, 64]]);
  });

  it("are none where nothing changes", () => {
    const song = songOf([0, 960, 60, 64]);
    expect(operationsOf(song, new Map([["t", { remove: [[0, 960, 60, 64]], add: [[0, 960, 60, 64]] }]]), NO_LOCKS).operations).toEqual([]);
  });

  it("say exactly what happens: applying them changes nothing beyond them", () => {
    for (let seed = 0; seed < 30; seed++) {
      const random = generator(seed);
      const song = SongData.from(someSong(seed, 150));
      const all = notesOf(song);
      const refs = [...all].flatMap(([track, notes]) => notes.filter(() => random() < 0.2).map((n) => ({ track, tick: n[0], pitch: n[2] })));
      const chosen = resolved(song, refs);
      const locks = new NoteSet(refsOf(all).filter(() => random() < 0.1));
      const free = unlocked(chosen, locks);
      const [ticks, pitches] = clampedMove([...free.values()].flat(), whole(random, 900) - 450, whole(random, 12) - 6);
      const edit = changeOf(free, (note) => movedNote(note, ticks, pitches));
      const { operations, placed } = operationsOf(song, edit, locks);
      const next = song.apply(operations);
      for (const operation of operations) {
        if (operation.type !== "notes") continue;
        for (const [tick, length, pitch, velocity] of operation.add) {
          const table = next.track(operation.track)?.notes;
          const index = table?.find(tick, pitch) ?? -1;
          expect([table?.length[index], table?.velocity[index]]).toEqual([length, velocity]);
        }
      }
      for (const { track, tick, pitch } of placed) expect(next.track(track)?.notes.find(tick, pitch)).toBeGreaterThanOrEqual(0);
      for (const [track, tick, pitch] of locks.list()) {
        const before = song.track(track)?.notes;
        const now = next.track(track)?.notes;
        expect(now?.length[now.find(tick, pitch)]).toBe(before?.length[before.find(tick, pitch)]);
      }
    }
  });

  it("quantise the begin of a note alone", () => {
    expect(quantisedNote([250, 333, 60, 64], 240, bars)).toEqual([240, 333, 60, 64]);
  });
});

describe("an idea", () => {
  it("stands above the song until it is taken", () => {
    const song = songOf([0, 480, 60, 64], [480, 480, 62, 64]);
    const idea = new GrowingIdea("i", [1, 1], song);
    idea.remove([["t", 0, false, 480, 480, 62, 64]]);
    idea.add([["t", 0, false, 480, 240, 64, 90], [null, 33, false, 0, 480, 36, 80]]);
    const heard = notesOf(withIdea(song, idea));
    expect(heard.get("t")).toEqual([[0, 480, 60, 64], [480, 240, 64, 90]]);
    expect(heard.get("new:33")).toEqual([[0, 480, 36, 80]]);
    expect(song.tracks.length).toBe(1);
  });
});

describe("pitches", () => {
  it("have the names of their key", () => {
    expect(pitchName(60)).toBe("C4");
    expect(pitchName(61)).toBe("C♯4");
    expect(pitchName(61, -3)).toBe("D♭4");
  });

  it("are in the scale of the key, or not", () => {
    const inG = scaleOf({ fifths: 1, minor: false });
    expect([inG[6], inG[5]]).toEqual([true, false]);
    const inA = scaleOf({ fifths: 0, minor: true });
    expect(inA.map(Number).join("")).toBe("101011010101");
    expect(keyAt([[0, 1, 0], [960, -1, 1]], 1000)).toEqual({ fifths: -1, minor: true });
    expect(keyAt([], 0)).toBeNull();
  });
});
