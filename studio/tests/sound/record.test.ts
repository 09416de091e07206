import { describe, expect, it } from "vitest";

import { parseMidi } from "../../src/sound/midi-in";
import { Performance } from "../../src/sound/record";

describe("a MIDI message", () => {
  it("is a note struck or let go, or the pedal", () => {
    expect(parseMidi([0x93, 60, 100])).toEqual({ type: "on", channel: 3, pitch: 60, velocity: 100 });
    expect(parseMidi([0x93, 60, 0])).toEqual({ type: "off", channel: 3, pitch: 60 });
    expect(parseMidi([0x80, 60, 64])).toEqual({ type: "off", channel: 0, pitch: 60 });
    expect(parseMidi([0xb0, 64, 127])).toEqual({ type: "pedal", channel: 0, down: true });
    expect(parseMidi(Uint8Array.of(0xb0, 64, 0))).toEqual({ type: "pedal", channel: 0, down: false });
  });

  it.each([[[]], [[0xf8]], [[0xfe]], [[0x90]], [[0x90, 60]], [[0x90, 200, 3]], [[0xc0, 5]], [[0xb0, 1, 9]], [[60, 60, 60]]])(
    "%j is none of these", (bytes) => {
      expect(parseMidi(bytes)).toBeNull();
    },
  );
});

const on = (pitch: number, velocity = 80): { type: "on"; channel: number; pitch: number; velocity: number } =>
  ({ type: "on", channel: 0, pitch, velocity });
const off = (pitch: number): { type: "off"; channel: number; pitch: number } => ({ type: "off", channel: 0, pitch });
const pedal = (down: boolean): { type: "pedal"; channel: number; down: boolean } => ({ type: "pedal", channel: 0, down });

describe("what is played", () => {
  it("becomes notes by onset", () => {
    const played = new Performance(0, 240);
    played.play(on(64), 10.4);
    played.play(on(60, 100), 100);
    played.play(off(60), 200.6);
    played.play(off(64), 300);
    expect(played.finish(900)).toEqual([[10, 290, 64, 80], [100, 101, 60, 100]]);
  });

  it("a little before the beginning counts as on it; long before, it is not recorded", () => {
    const played = new Performance(1920, 240);
    played.play(on(50), 1600);
    played.play(off(50), 1650);
    played.play(on(52), 1800);
    played.play(off(52), 2000);
    expect(played.finish(4000)).toEqual([[1920, 80, 52, 80]]);
  });

  it("is held by the pedal, until it goes up or the key is struck again", () => {
    const played = new Performance(0, 0);
    played.play(pedal(true), 0);
    played.play(on(60), 10);
    played.play(off(60), 20);
    played.play(on(62), 30);
    played.play(off(62), 40);
    played.play(on(60), 100);
    played.play(off(60), 110);
    played.play(pedal(false), 200);
    expect(played.finish(900)).toEqual([[10, 90, 60, 80], [30, 170, 62, 80], [100, 100, 60, 80]]);
  });

  it("ends with the recording where a key is still down, and has no note twice", () => {
    const played = new Performance(480, 240);
    played.play(on(60), 400);
    played.play(off(60), 420);
    played.play(on(60, 90), 450);
    expect(played.finish(700)).toEqual([[480, 220, 60, 90]]);
  });
});
