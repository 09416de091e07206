import { beforeEach, describe, expect, it } from "vitest";

import type { Note } from "../../src/protocol";
import { Transport } from "../../src/sound/transport";
import { Notebook, QUARTER, idea, song, tempo } from "./fakes";

const NONE: ReadonlySet<string> = new Set();
/** Four quarters, half a second each. */
const SCALE: Note[] = [60, 62, 64, 65].map((pitch, n) => [n * QUARTER, QUARTER, pitch, 80]);

let stage: Notebook;
let transport: Transport;

beforeEach(() => {
  stage = new Notebook();
  transport = new Transport(stage);
});

/** Let the audio clock run, with a look at the music every 25 ms, 100 ms ahead. */
function run(from: number, to: number): void {
  for (let now = from; now < to; now += 0.025) transport.pump(now, now + 0.1);
}

describe("playing", () => {
  it("strikes and lets go every note once, at its time", () => {
    transport.setSong(song({ tracks: { a: { notes: SCALE } } }), 0);
    transport.start(0, 10);
    run(10, 12);
    expect(stage.take()).toEqual([
      "10000 a 60 on 80", "10500 a 60 off", "10500 a 62 on 80", "11000 a 62 off", "11000 a 64 on 80",
      "11500 a 64 off", "11500 a 65 on 80", "12000 a 65 off",
    ]);
  });

  it("hands nothing out earlier than the look-ahead", () => {
    transport.setSong(song({ tracks: { a: { notes: SCALE } } }), 0);
    transport.start(0, 0);
    transport.pump(0, 0.1);
    transport.pump(0.09, 0.4);
    expect(stage.take()).toEqual(["0 a 60 on 80"]);
    transport.pump(0.41, 0.51);
    expect(stage.take()).toEqual(["500 a 60 off", "500 a 62 on 80"]);
  });

  it("does not strike notes that began before the place it starts from", () => {
    transport.setSong(song({ tracks: { a: { notes: [[0, 4 * QUARTER, 48, 80], ...SCALE] } } }), 0);
    transport.start(2 * QUARTER, 0);
    run(0, 0.3);
    expect(stage.take()).toEqual(["0 a 64 on 80"]);
  });

  it("strikes every note once, however the times fall", () => {
    const notes: Note[] = Array.from({ length: 500 }, (_, n) => [n * 13, 5, n % 100, 70]);
    transport.setSong(song({ bars: 8, quartersPerMinute: 97, tracks: { a: { notes } } }), 0);
    transport.start(0, 0.0123);
    for (let now = 0; now < 20; now += 0.0137) transport.pump(now, now + 0.0711);
    expect(stage.lines.filter((line) => line.includes("on"))).toHaveLength(500);
    expect(stage.lines.filter((line) => line.includes("off"))).toHaveLength(500);
  });

  it("ends at the end of the last bar and lets go what still sounds", () => {
    transport.setSong(song({ bars: 1, tracks: { a: { notes: [[0, 9 * QUARTER, 60, 80]] } } }), 0);
    transport.start(0, 0);
    run(0, 2.2);
    expect(stage.take()).toEqual(["0 a 60 on 80", "2000 a 60 off"]);
    expect(transport.playing).toBe(false);
    expect(transport.tickAt(5)).toBe(4 * QUARTER);
  });

  it("waits after a pause of the page, instead of hurrying after it", () => {
    transport.setSong(song({ tracks: { a: { notes: SCALE } } }), 0);
    transport.start(0, 0);
    transport.pump(0, 0.1);
    transport.pump(3, 3.1); // three seconds of nothing
    run(3.1, 3.6);
    expect(stage.take().at(1)).toBe("3410 a 60 off");
  });
});

describe("the place it is at", () => {
  it("is what the clock says, not what is handed out", () => {
    transport.setSong(song({ tracks: { a: { notes: SCALE } } }), 0);
    transport.start(QUARTER, 1);
    transport.pump(1, 1.1);
    expect(transport.tickAt(0.9)).toBe(QUARTER);
    expect(transport.tickAt(1.25)).toBeCloseTo(1.5 * QUARTER);
    expect(transport.tickAt(0.75, true)).toBeCloseTo(0.5 * QUARTER);
    expect(transport.tickAt(0, true)).toBeCloseTo(-QUARTER);
  });

  it("stays where it was stopped", () => {
    transport.setSong(song({ tracks: { a: { notes: SCALE } } }), 0);
    transport.start(0, 0);
    run(0, 0.25);
    expect(transport.stop(0.25)).toBeCloseTo(QUARTER / 2);
    expect(transport.tickAt(99)).toBeCloseTo(QUARTER / 2);
  });

  it("keeps its tick when the tempo changes while it plays", () => {
    const slow = song({ quartersPerMinute: 60, tracks: { a: { notes: SCALE } } });
    transport.setSong(song({ tracks: { a: { notes: SCALE } } }), 0);
    transport.start(0, 0);
    transport.pump(0, 0.25);
    transport.setSong({ ...slow, clock: tempo(60) }, 0.2);
    transport.pump(0.2, 1);
    // A quarter of a second was handed out at 120, the rest of the beat goes at 60.
    expect(stage.take()).toEqual(["0 a 60 on 80", "750 a 60 off", "750 a 62 on 80"]);
    expect(transport.tickAt(0.75)).toBeCloseTo(QUARTER);
  });
});

describe("a loop", () => {
  it("begins again on time, and lets go at its end what still sounds", () => {
    transport.setSong(song({ tracks: { a: { notes: [[0, QUARTER, 60, 80], [QUARTER, 3 * QUARTER, 62, 80]] } } }), 0);
    transport.setLoop([0, 2 * QUARTER]);
    transport.start(0, 0);
    run(0, 1.6);
    expect(stage.take()).toEqual([
      "0 a 60 on 80", "500 a 60 off", "500 a 62 on 80", "1000 a 62 off", "1000 a 60 on 80", "1500 a 60 off",
      "1500 a 62 on 80",
    ]);
    expect(transport.tickAt(1.25)).toBeCloseTo(QUARTER / 2);
    expect(transport.tickAt(0.75)).toBeCloseTo(1.5 * QUARTER);
  });

  it("is left alone by a place after it, and ignored when it is empty", () => {
    transport.setSong(song({ bars: 1, tracks: { a: { notes: SCALE } } }), 0);
    transport.setLoop([0, QUARTER]);
    transport.start(2 * QUARTER, 0);
    run(0, 2);
    expect(transport.playing).toBe(false);
    transport.setLoop([QUARTER, QUARTER]);
    transport.start(0, 3);
    run(3, 6);
    expect(transport.playing).toBe(false);
  });

  it("many times within one long look-ahead", () => {
    transport.setSong(song({ tracks: { a: { notes: [[0, 60, 60, 80]] } } }), 0);
    transport.setLoop([0, 120]);
    transport.start(0, 0);
    transport.pump(0, 2.5);
    expect(stage.take().filter((line) => line.includes("on"))).toHaveLength(20);
  });
});

describe("a recording", () => {
  it("goes on past the end of the loop and of the music, with the metronome", () => {
    transport.setSong(song({ bars: 1, tracks: { a: { notes: SCALE } } }), 0);
    transport.setLoop([0, QUARTER]);
    transport.metronome = true;
    transport.endless = true;
    transport.start(3 * QUARTER, 0);
    run(0, 4);
    expect(transport.playing).toBe(true);
    expect(stage.take().filter((line) => line.includes("CLICK"))).toEqual(["500 CLICK", "2500 CLICK"]);
    transport.endless = false;
    run(4, 4.2);
    expect(transport.playing).toBe(false);
  });
});

describe("muting", () => {
  it("lets go at once what sounds, and strikes no more", () => {
    transport.setSong(song({ tracks: { a: { notes: SCALE }, b: { notes: SCALE } } }), 0);
    transport.start(0, 0);
    run(0, 0.2);
    stage.take();
    transport.setMuted(new Set(["a"]), NONE, 0.2);
    expect(stage.take()).toEqual(["200 a 60 off"]);
    run(0.2, 1);
    expect(stage.take().every((line) => line.includes(" b "))).toBe(true);
  });

  it("by solo leaves the soloed tracks, and what only the idea has", () => {
    const ref = { track: "new:32", program: 32, drum: false, name: "Bass" };
    transport.setSong(song({ tracks: { a: { notes: SCALE }, b: { notes: SCALE } } }), 0);
    transport.setIdea(idea("1", { added: new Map([["new:32", { ref, notes: [[0, 100, 36, 90] as Note] }]]) }), 0);
    transport.setMuted(NONE, new Set(["b"]), 0);
    transport.start(0, 0);
    run(0, 0.1);
    expect(stage.take()).toEqual(["0 b 60 on 80", "0 new:32 36 on 90", "104 new:32 36 off"]);
  });
});

describe("an edit while it plays", () => {
  it("is heard at once: a deleted note is let go, a shortened one ends earlier, a new one is struck", () => {
    transport.setSong(song({ tracks: { a: { notes: [[0, 8 * QUARTER, 60, 80], [0, 8 * QUARTER, 64, 80]] } } }), 0);
    transport.start(0, 0);
    run(0, 0.2);
    stage.take();
    transport.setSong(song({ tracks: { a: { notes: [[0, 2 * QUARTER, 64, 80], [QUARTER, 240, 67, 80]] } } }), 0.2);
    run(0.2, 1.2);
    expect(stage.take()).toEqual(["200 a 60 off", "500 a 67 on 80", "750 a 67 off", "1000 a 64 off"]);
  });
});

describe("the metronome", () => {
  it("clicks on every beat, and louder where a bar begins", () => {
    transport.setSong(song({ meter: [3, 8], tracks: {} }), 0);
    transport.metronome = true;
    transport.start(0, 0);
    run(0, 1.1);
    expect(stage.take()).toEqual(["0 CLICK", "250 click", "500 click", "750 CLICK", "1000 click", "1250 click"].slice(0, 5));
  });
});

describe("an idea", () => {
  const added = new Map([["a", {
    ref: { track: "a", program: 0, drum: false, name: "a" },
    notes: [[0, QUARTER, 72, 90], [2 * QUARTER, QUARTER, 74, 90], [4 * QUARTER, QUARTER, 76, 90]] as Note[],
  }]]);
  const removed = new Map([["a", SCALE.slice(0, 3)]]);

  it("is heard in place of the notes it removes", () => {
    transport.setSong(song({ tracks: { a: { notes: SCALE } } }), 0);
    transport.setIdea(idea("1", { added, removed }), 0);
    transport.start(0, 0);
    run(0, 2);
    expect(stage.take().filter((line) => line.includes("on"))).toEqual([
      "0 a 72 on 90", "1000 a 74 on 90", "1500 a 65 on 80", "2000 a 76 on 90",
    ]);
  });

  it("is switched at the next beat, and what both have goes on", () => {
    const long: Note[] = [[0, 8 * QUARTER, 48, 80], ...SCALE];
    transport.setSong(song({ tracks: { a: { notes: long } } }), 0);
    transport.start(0, 0);
    run(0, 0.2);
    transport.setIdea(idea("1", { added, removed }), 0.2);
    run(0.2, 1.2);
    expect(stage.take()).toEqual([
      "0 a 48 on 80", "0 a 60 on 80", "500 a 60 off", "1000 a 74 on 90",
    ]);
  });

  it("that grows is played up to its frontier, waits there, and goes on when it has grown a beat", () => {
    const growing = idea("1", { added, removed, frontier: QUARTER, bars: [1, 1] });
    transport.setSong(song({ tracks: { a: { notes: SCALE } } }), 0);
    transport.setIdea(growing, 0);
    transport.start(0, 0);
    run(0, 3);
    expect(stage.take()).toEqual(["0 a 72 on 90", "500 a 72 off"]);
    expect(transport.waiting).toBe(true);
    expect(transport.tickAt(2)).toBe(QUARTER);
    growing.frontier = 1.5 * QUARTER;
    run(3, 3.1);
    expect(transport.waiting).toBe(true);
    growing.frontier = Infinity;
    run(3.1, 4);
    expect(transport.waiting).toBe(false);
    expect(stage.take()[0]).toBe("3620 a 74 on 90");
  });

  it("that grows stops nobody who plays after its bars", () => {
    transport.setSong(song({ tracks: { a: { notes: SCALE } } }), 0);
    transport.setIdea(idea("1", { frontier: 100, bars: [1, 1] }), 0);
    transport.start(4 * QUARTER, 0);
    run(0, 1);
    expect(transport.waiting).toBe(false);
  });

  it("that grows within a loop is heard again from the loop's beginning", () => {
    const growing = idea("1", { added, removed, frontier: 2 * QUARTER, bars: [1, 1] });
    transport.setSong(song({ tracks: { a: { notes: SCALE } } }), 0);
    transport.setIdea(growing, 0);
    transport.setLoop([0, 4 * QUARTER]);
    transport.start(0, 0);
    run(0, 2);
    expect(stage.take().filter((line) => line.includes("on"))).toEqual(["0 a 72 on 90", "1000 a 72 on 90", "2000 a 72 on 90"]);
  });

  it("that goes on after the song is played to the end of its last bar", () => {
    transport.setSong(song({ bars: 1, tracks: { a: { notes: SCALE } } }), 0);
    transport.setIdea(idea("1", { added }), 0);
    expect(transport.end).toBe(8 * QUARTER);
  });

  it("is gone at once where nothing plays", () => {
    transport.setSong(song({ tracks: { a: { notes: SCALE } } }), 0);
    transport.setIdea(idea("1", { added, removed }), 0);
    transport.setIdea(null, 0);
    expect(transport.idea).toBeNull();
    transport.start(0, 0);
    run(0, 0.1);
    expect(stage.take()[0]).toBe("0 a 60 on 80");
  });
});
