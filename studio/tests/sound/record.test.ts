import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";

import { parseMidi } from "../../src/sound/midi-in";
import { Performance, Recorder, type Conductor } from "../../src/sound/record";

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

/** A browser's MIDI keyboards, as far as the recorder looks at them. */
class Keyboards {
  readonly inputs = new Map<string, Keyboard>();
  onstatechange: (() => void) | null = null;

  plug(id: string, name: string): Keyboard {
    const keyboard: Keyboard = { id, name, manufacturer: "", state: "connected", onmidimessage: null };
    this.inputs.set(id, keyboard);
    this.onstatechange?.();
    return keyboard;
  }

  unplug(id: string): void {
    const keyboard = this.inputs.get(id);
    if (keyboard !== undefined) keyboard.state = "disconnected";
    this.onstatechange?.();
  }
}

interface Keyboard {
  id: string;
  name: string;
  manufacturer: string;
  state: string;
  onmidimessage: ((event: { data: Uint8Array; timeStamp: number }) => void) | null;
}

/** A player whose clock is the time of the message: a tick a millisecond. */
class Clock implements Conductor {
  readonly heard: string[] = [];

  tickAt(milliseconds: number): number {
    return milliseconds;
  }
  playAfter(bars: number, from: number): void {
    this.heard.push(`play after ${bars} bars from ${from}`);
  }
  press(program: number, drum: boolean, pitch: number, velocity: number): void {
    this.heard.push(`${program} ${drum} ${pitch} ${velocity}`);
  }
  release(pitch: number): void {
    this.heard.push(`off ${pitch}`);
  }
  setRecording(on: boolean): void {
    this.heard.push(on ? "record" : "end");
  }
  stop(): void {
    this.heard.push("stop");
  }
}

describe("a recorder", () => {
  const track = { track: "t1", program: 33, drum: false, name: "Bass" };
  let keyboards: Keyboards;
  let clock: Clock;
  let recorder: Recorder;

  beforeEach(async () => {
    keyboards = new Keyboards();
    clock = new Clock();
    vi.stubGlobal("navigator", { requestMIDIAccess: () => Promise.resolve(keyboards) });
    recorder = await Recorder.open(clock);
  });
  afterEach(() => vi.unstubAllGlobals());

  it("turns what is played into an operation on its track, and lets it be heard", () => {
    const keyboard = keyboards.plug("k", "Keys");
    recorder.keyLatency = 5;
    recorder.start(track, 1000, 1, 480);
    keyboard.onmidimessage?.({ data: Uint8Array.of(0x90, 40, 99), timeStamp: 1105 });
    keyboard.onmidimessage?.({ data: Uint8Array.of(0xfe), timeStamp: 1200 });
    keyboard.onmidimessage?.({ data: Uint8Array.of(0x80, 40, 0), timeStamp: 1305 });
    expect(recorder.stop()).toEqual({ type: "notes", ...track, remove: [], add: [[1100, 200, 40, 99]] });
    expect(clock.heard).toEqual(["record", "play after 1 bars from 1000", "33 false 40 99", "off 40", "end", "stop"]);
    expect(recorder.stop()).toBeNull();
  });

  it("lets keys sound on while the pedal is down", () => {
    const keyboard = keyboards.plug("k", "Keys");
    recorder.setTrack(track);
    const send = (...data: number[]): void => keyboard.onmidimessage?.({ data: Uint8Array.from(data), timeStamp: 0 });
    send(0xb0, 64, 127);
    for (const pitch of [40, 41]) {
      send(0x90, pitch, 99);
      send(0x80, pitch, 0);
    }
    send(0x90, 41, 98);
    expect(clock.heard).toEqual(["33 false 40 99", "33 false 41 99", "33 false 41 98"]);
    send(0xb0, 64, 0);
    expect(clock.heard.slice(3)).toEqual(["off 40"]);
    send(0x80, 41, 0);
    expect(clock.heard.slice(4)).toEqual(["off 41"]);
  });

  it("records into its own track, whichever is played on meanwhile", () => {
    const keyboard = keyboards.plug("k", "Keys");
    recorder.start(track, 0, 0, 480);
    recorder.setTrack({ track: "t2", program: 0, drum: false, name: "Piano" });
    keyboard.onmidimessage?.({ data: Uint8Array.of(0x90, 40, 99), timeStamp: 100 });
    keyboard.onmidimessage?.({ data: Uint8Array.of(0x80, 40, 0), timeStamp: 300 });
    expect(recorder.stop()).toMatchObject({ track: "t1", program: 33 });
  });

  it("has nothing to say where nothing was played", () => {
    recorder.start(track, 0, 0, 480);
    expect(recorder.stop()).toBeNull();
  });

  it("knows keyboards that come and go, and listens to the one that is chosen", () => {
    let changes = 0;
    recorder.onchange = () => (changes += 1);
    const first = keyboards.plug("1", "One");
    const second = keyboards.plug("2", "Two");
    expect(recorder.inputs()).toEqual([{ id: "1", name: "One" }, { id: "2", name: "Two" }]);
    recorder.choose("2");
    expect(first.onmidimessage).toBeNull();
    expect(second.onmidimessage).not.toBeNull();
    keyboards.unplug("1");
    expect(recorder.inputs()).toEqual([{ id: "2", name: "Two" }]);
    expect(changes).toBe(3);
  });

  it("says in one line where it cannot be", async () => {
    vi.stubGlobal("navigator", { requestMIDIAccess: () => Promise.reject(new Error("denied")) });
    await expect(Recorder.open(clock)).rejects.toThrow("does not let this page use MIDI keyboards");
    vi.stubGlobal("navigator", {});
    await expect(Recorder.open(clock)).rejects.toThrow("No WebMIDI here");
  });
});
