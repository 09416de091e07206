import { describe, expect, it } from "vitest";
import { isIn } from "../src/app/piece";
import { displaced, diffLayer, layerBetween } from "../src/app/layers";
import { Announcer } from "../src/app/notices";
import { DEFAULTS, type Situation, forAnotherPiece, requestFor, whyNot } from "../src/app/requests";
import { changedNote, placeText, replaced } from "../src/app/notetext";
import { treeRows } from "../src/app/tree";
import { readPitch, quickInstruments } from "../src/app/instruments";
import { GrowingIdea, withIdea } from "../src/music/idea";
import { NoteSet } from "../src/music/sets";
import { SongData, notesOf } from "../src/music/song";
import { Source } from "../src/sound/source";
import type { ModelRow, Note, Operation, Song, Take } from "../src/protocol";

const QUARTER = 480;
const BAR = 4 * QUARTER;

function song(
  tracks: Record<string, Note[]> = {
    a: [
      [0, 480, 60, 80],
      [BAR, 480, 62, 80],
      [2 * BAR, 480, 64, 80],
    ],
  },
  bars = 4,
): SongData {
  const raw: Song = {
    ticksPerQuarter: QUARTER,
    end: bars * BAR,
    tempos: [[0, 120]],
    meters: [[0, 4, 4]],
    keys: [],
    bars: Array.from({ length: bars + 1 }, (_, bar) => bar * BAR),
    tracks: Object.entries(tracks).map(([id, notes], channel) => ({
      id,
      name: id,
      program: 0,
      drum: false,
      channel,
      notes: notes.flat(),
    })),
  };
  return SongData.from(raw);
}

const model: ModelRow = {
  name: "base",
  title: "base",
  bundled: true,
  verbs: ["continue", "generate", "infill", "accompany", "vary", "harmonise"],
  programs: [0, 33, -1],
  styles: ["bach"],
  controls: { density: 8 },
  bytes: 1,
};

const situation = (change: Partial<Situation> = {}): Situation => ({
  song: song(),
  range: [2, 3],
  activeTrack: "a",
  model,
  options: { ...DEFAULTS },
  ...change,
});

function take(id: string, parent: string | null, created: number, change: Partial<Take> = {}): Take {
  return {
    id,
    piece: "p",
    parent,
    kind: "idea",
    state: "finished",
    title: id,
    star: false,
    created,
    verb: "infill",
    bars: [2, 3],
    tracks: [],
    request: null,
    model: "base",
    seed: 1,
    notes: 0,
    outsideChanged: 0,
    error: null,
    deleted: false,
    ...change,
  };
}

describe("why a verb cannot act", () => {
  it("is said for what is missing, and null where it can", () => {
    expect(whyNot("infill", situation())).toBeNull();
    expect(whyNot("infill", situation({ range: null }))).toMatch(/drag in the ruler/);
    expect(whyNot("continue", situation({ range: null }))).toBeNull();
    expect(whyNot("infill", situation({ model: null }))).toMatch(/No model/);
    expect(whyNot("infill", situation({ song: null }))).toMatch(/Open a piece/);
    expect(whyNot("vary", situation({ model: { ...model, verbs: ["continue"] } }))).toMatch(
      /base has not learned to vary/,
    );
    expect(whyNot("vary", situation({ range: [4, 4] }))).toMatch(/no notes in these bars/);
    expect(whyNot("infill", situation({ range: [4, 9] }))).toMatch(/4 bars/);
    expect(whyNot("continue", situation({ song: song({ a: [] }) }))).toBeNull();
    expect(whyNot("accompany", situation({ song: song({ a: [] }) }))).toMatch(/no notes/);
  });
});

describe("a request", () => {
  it("has the verb's own arguments and no others", () => {
    const options = {
      ...DEFAULTS,
      key: "D minor",
      tempo: 90,
      density: 3,
      style: "bach",
      temperature: 0.8,
      chords: " Dm ",
      n: 2,
      seed: 7,
    };
    expect(requestFor("infill", situation({ options }))).toEqual({
      verb: "infill",
      model: "base",
      n: 2,
      seed: 7,
      bars: [2, 3],
      arguments: {
        key: "D minor",
        style: ["bach"],
        chords: "Dm",
        sampling: { temperature: 0.8 },
        controls: { density: 3 },
      },
    });
    expect(requestFor("vary", situation({ options })).arguments).toEqual({
      key: "D minor",
      keep: "rhythm",
      strength: 0.8,
      sampling: { temperature: 0.8 },
    });
  });

  it("writes four variants, and new music into an empty piece", () => {
    expect(requestFor("vary", situation()).n).toBe(4);
    expect(requestFor("continue", situation({ song: song({}), range: null }))).toMatchObject({
      verb: "generate",
      arguments: { bars: 8 },
    });
  });

  it("names the active track if only that is meant, and the instruments that are added", () => {
    expect(requestFor("infill", situation({ options: { ...DEFAULTS, onlyActive: true } })).tracks).toEqual(["a"]);
    expect(requestFor("accompany", situation(), [33]).arguments).toEqual({ programs: [33] });
  });
});

describe("controls for another piece", () => {
  it("are the usual ones where they say what is written, and the same where they say how", () => {
    const options = { ...DEFAULTS, key: "D minor", density: 3, programs: [33], seed: 7, end: true, n: 2, strength: 0.3 };
    expect(forAnotherPiece(options)).toEqual({ ...DEFAULTS, n: 2, strength: 0.3 });
    expect(DEFAULTS.programs).toEqual([]);
  });
});

describe("layers", () => {
  const before = song({
    a: [
      [0, 480, 60, 80],
      [BAR, 480, 62, 80],
    ],
    b: [[0, 240, 40, 70]],
  });
  const after = song({
    a: [
      [0, 480, 60, 80],
      [BAR, 480, 65, 80],
      [BAR + 480, 480, 67, 80],
    ],
    c: [[0, 480, 72, 90]],
  });

  it("between two songs turn one into the other", () => {
    const heard = notesOf(withIdea(before, layerBetween("x", before, after)));
    expect(heard.get("a")).toEqual(notesOf(after).get("a"));
    expect(heard.get("b") ?? []).toEqual([]);
    expect(heard.get("c")).toEqual(notesOf(after).get("c"));
  });

  it("play another instrument of the same id as what it is, and in place of the one on screen", () => {
    const tune: Note[] = [[0, 480, 60, 80]];
    const here = song({ a: tune, new: [[0, 480, 40, 80]] });
    const there = song({ a: tune, new: [[0, 480, 40, 80]] }).apply([{ type: "program", track: "new", program: 42 }]);
    const source = new Source(here, layerBetween("x", here, there), new Set(), new Set());
    expect(source.onsets(0, 480).map(({ part, pitch }) => [part.program, pitch])).toEqual([
      [0, 60],
      [42, 40],
    ]);
    const idea = new GrowingIdea("x", null, here);
    idea.add([["new", 42, false, 0, 480, 50, 80]]);
    const heard = new Source(here, idea, new Set(), new Set()).onsets(0, 480);
    expect(heard.find(({ pitch }) => pitch === 50)?.part.program).toBe(42);
  });

  it("of a diff have its notes", () => {
    const layer = diffLayer(
      "x",
      {
        removed: [{ track: "a", program: 0, drum: false, name: "a", notes: [BAR, 480, 62, 80] }],
        added: [{ track: "a", program: 0, drum: false, name: "a", notes: [BAR, 480, 65, 80, BAR + 480, 480, 67, 80] }],
      },
      before,
      [2, 2],
    );
    expect(notesOf(withIdea(before, layer)).get("a")).toEqual(notesOf(after).get("a"));
    expect(layer.frontier).toBe(Infinity);
  });

  it("of a growing idea replace what is free, as far as it has come", () => {
    const music = song({
      a: [
        [0, 480, 60, 80],
        [BAR, 480, 62, 80],
        [BAR + 960, 480, 63, 80],
        [2 * BAR, 480, 64, 80],
      ],
    });
    const idea = new GrowingIdea("x", [2, 3], music);
    const gone = (): number[] =>
      [...displaced(take("x", null, 0), idea, music, new NoteSet()).values()].flat().map((note) => note[2]);
    expect(gone()).toEqual([]);
    idea.add([["a", 0, false, BAR + 480, 240, 70, 80]]);
    expect(gone()).toEqual([62]);
    idea.reach(2 * BAR);
    expect(gone()).toEqual([62, 63]);
    const locked = NoteSet.ofLocked([["a", BAR, 62]]);
    expect(
      displaced(take("x", null, 0), idea, music, locked)
        .get("a")
        ?.map((note) => note[2]),
    ).toEqual([63]);
    expect(displaced(take("x", null, 0, { verb: "accompany" }), idea, music, locked).size).toBe(0);
  });
});

describe("an edit whose answer got lost", () => {
  const edit: Operation[] = [
    {
      type: "notes",
      track: "a",
      program: 0,
      drum: false,
      name: "a",
      remove: [[0, 480, 60, 80]],
      add: [[0, 480, 61, 80]],
    },
  ];
  it("is known to be in the piece or not", () => {
    expect(isIn(song(), edit)).toBe(false);
    expect(isIn(song().apply(edit), edit)).toBe(true);
    expect(isIn(song(), [{ type: "rename", track: "a", name: "b" }])).toBe(false);
    const mix: Operation[] = [{ type: "mix", track: "a", volume: 90 }];
    expect([isIn(song(), mix), isIn(song().apply(mix), mix)]).toEqual([false, true]);
    expect(isIn(song(), [{ type: "tempo", tick: 0, quartersPerMinute: 120 }])).toBe(true);
  });
});

describe("the tree of takes", () => {
  const rows = (takes: Take[], head: string): string[] =>
    treeRows(takes, head).map((row) => `${"  ".repeat(row.depth)}${row.take.id}`);

  it("keeps the line to what is on screen straight, and indents what branches off", () => {
    const takes = [take("file", null, 0), take("idea1", "file", 1), take("idea2", "file", 2), take("edit", "idea1", 3)];
    expect(rows(takes, "edit")).toEqual(["edit", "idea1", "  idea2", "file"]);
    expect(rows(takes, "file")).toEqual(["  idea2", "  edit", "  idea1", "file"]);
  });

  it("leaves deleted takes out, and not what came of them", () => {
    const takes = [take("file", null, 0), take("gone", "file", 1, { deleted: true }), take("edit", "gone", 2)];
    expect(rows(takes, "edit")).toEqual(["edit", "file"]);
  });

  it("lists a long line of edits, and starred takes alone", () => {
    const takes = Array.from({ length: 20_000 }, (_, n) =>
      take(`t${n}`, n === 0 ? null : `t${n - 1}`, n, { star: n === 5 }),
    );
    expect(treeRows(takes, "t19999")).toHaveLength(20_000);
    expect(treeRows(takes, "t19999", true).map((row) => row.take.id)).toEqual(["t5"]);
  });
});

describe("the table of notes", () => {
  const { bars } = song();
  const note: Note = [BAR + 720, 240, 60, 80];

  it("writes places and reads them again", () => {
    expect(placeText(bars, note[0])).toBe("2.2.5");
    expect(changedNote(note, "place", "2.2.5", bars, QUARTER)).toEqual(note);
    expect(changedNote(note, "place", "3.1", bars, QUARTER)).toEqual([2 * BAR, 240, 60, 80]);
  });

  it("reads pitches, lengths and velocities, and refuses what is none", () => {
    expect(changedNote(note, "pitch", "f#4", bars, QUARTER)?.[2]).toBe(66);
    expect(changedNote(note, "length", "1,5", bars, QUARTER)?.[1]).toBe(720);
    expect(changedNote(note, "velocity", "127", bars, QUARTER)?.[3]).toBe(127);
    for (const [field, text] of [
      ["place", "0.1"],
      ["place", "2.5"],
      ["pitch", "H9"],
      ["length", "0"],
      ["velocity", "128"],
      ["velocity", ""],
    ] as const)
      expect(changedNote(note, field, text, bars, QUARTER), `${field} ${text}`).toBeNull();
  });

  it("puts a note where another is, which ends or goes, and nothing where a locked one is", () => {
    const music = song({
      a: [
        [0, 960, 60, 80],
        [960, 480, 62, 80],
      ],
    });
    const [track] = music.tracks;
    const change = (next: Note | null, locks = new NoteSet()): Note[] | null => {
      const operations = track ? replaced(music, locks, track, [960, 480, 62, 80], next) : null;
      return operations && (notesOf(music.apply(operations)).get("a") ?? []);
    };
    expect(change([480, 480, 60, 90])).toEqual([
      [0, 480, 60, 80],
      [480, 480, 60, 90],
    ]);
    expect(change([0, 480, 60, 90])).toEqual([[0, 480, 60, 90]]);
    expect(change(null)).toEqual([[0, 960, 60, 80]]);
    expect(change([960, 480, 62, 80])).toHaveLength(2);
    expect(change([480, 480, 60, 90], NoteSet.ofLocked([["a", 0, 60]]))).toBeNull();
  });

  it("knows the names of pitches", () => {
    expect(["C4", "Bb2", "c-1", "G9", "60", "B#3"].map(readPitch)).toEqual([60, 46, 0, 127, 60, 60]);
  });
});

describe("instruments to add", () => {
  it("are those that the model has learned", () => {
    expect(quickInstruments([0, 33, -1]).map(({ label, program }) => [label, program])).toEqual([
      ["Bass", 33],
      ["Piano", 0],
      ["Drums", -1],
    ]);
  });
});

describe("the live region", () => {
  it("says at most two things a second, and the newest of them", () => {
    let now = 0;
    const said: [number, string][] = [];
    const waiting: { at: number; run: () => void }[] = [];
    const announcer = new Announcer(
      () => now,
      (run, ms) => waiting.push({ at: now + ms, run }),
    );
    announcer.show = (text) => said.push([now, text]);
    for (let at = 0; at < 2000; at += 100) {
      now = at;
      for (const timer of waiting.filter((timer) => timer.at <= now)) {
        waiting.splice(waiting.indexOf(timer), 1);
        timer.run();
      }
      announcer.say(String(at));
    }
    for (const [index, [at]] of said.entries()) expect(at - (said[index - 1]?.[0] ?? -500)).toBeGreaterThanOrEqual(500);
    expect(said.map(([, text]) => text)).toEqual(["0", "400", "900", "1400"]);
  });
});
