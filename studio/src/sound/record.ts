/** Recording from a MIDI keyboard: what is played becomes one operation on a track. */

import type { Note, Operation, TrackRef } from "../protocol";
import { parseMidi, type Played } from "./midi-in";
import { SOUND } from "../strings";

/** What is played, as notes in ticks; the pedal holds them. */
export class Performance {
  private readonly notes: Note[] = [];
  private readonly down = new Map<number, { tick: number; velocity: number; held: boolean }>();
  private pedal = false;

  /**
   * @param from The tick where the recording begins. A note up to `early` ticks before it counts as on it.
   */
  constructor(
    private readonly from: number,
    private readonly early: number,
  ) {}

  play(played: Played, tick: number): void {
    if (played.type === "pedal") {
      this.pedal = played.down;
      if (!played.down) for (const [pitch, { held }] of [...this.down]) if (held) this.end(pitch, tick);
    } else if (played.type === "off") {
      const note = this.down.get(played.pitch);
      if (note !== undefined && this.pedal) note.held = true;
      else this.end(played.pitch, tick);
    } else {
      this.end(played.pitch, tick);
      if (tick >= this.from - this.early) {
        this.down.set(played.pitch, { tick: Math.max(this.from, tick), velocity: played.velocity, held: false });
      }
    }
  }

  /** All notes by onset; those that are still down end at `tick`. */
  finish(tick: number): Note[] {
    for (const pitch of [...this.down.keys()]) this.end(pitch, tick);
    return this.notes.sort((a, b) => a[0] - b[0] || a[2] - b[2]);
  }

  private end(pitch: number, tick: number): void {
    const note = this.down.get(pitch);
    if (note === undefined) return;
    this.down.delete(pitch);
    const start = Math.round(note.tick);
    const length = Math.max(1, Math.round(tick) - start);
    const before = this.notes.findIndex((other) => other[0] === start && other[2] === pitch);
    // Two strokes before the beginning, both moved onto it: the later one stays.
    if (before >= 0) this.notes.splice(before, 1);
    this.notes.push([start, length, pitch, note.velocity]);
  }
}

/** What the recorder needs of the player. */
export interface Conductor {
  tickAt(milliseconds: number, early?: boolean): number;
  playAfter(bars: number, from: number): void;
  press(program: number, drum: boolean, pitch: number, velocity: number): void;
  release(pitch: number): void;
  setRecording(on: boolean): void;
  stop(): void;
}

export interface MidiInput {
  id: string;
  name: string;
}

export class Recorder {
  /** Called when a keyboard is plugged in or out. */
  onchange: (() => void) | null = null;
  /** Milliseconds from a key to its message. */
  keyLatency = 0;
  private chosen: string | null = null;
  private track: TrackRef = { track: "", program: 0, drum: false, name: "" };
  /** The track that is recorded into. */
  private into = this.track;
  private pedal = false;
  /** Keys that are let go, and sound on as the pedal is down. */
  private readonly held = new Set<number>();
  private performance: Performance | null = null;

  private constructor(
    private readonly access: MIDIAccess,
    private readonly player: Conductor,
  ) {
    access.onstatechange = () => {
      this.listen();
      this.onchange?.();
    };
    this.listen();
  }

  /**
   * Ask the browser for its MIDI keyboards.
   *
   * @throws Error in one line where there is no WebMIDI, or it is not permitted.
   */
  static async open(player: Conductor): Promise<Recorder> {
    if (typeof navigator.requestMIDIAccess !== "function") {
      throw new Error(SOUND.noMidi);
    }
    let access: MIDIAccess;
    try {
      access = await navigator.requestMIDIAccess({ sysex: false });
    } catch {
      throw new Error(SOUND.midiRefused);
    }
    return new Recorder(access, player);
  }

  /** The keyboards that are plugged in. */
  inputs(): MidiInput[] {
    return [...this.access.inputs.values()]
      .filter(({ state }) => state === "connected")
      .map(({ id, name, manufacturer }) => ({ id, name: name ?? manufacturer ?? "MIDI keyboard" }));
  }

  /** Listen to one keyboard; null: to all. */
  choose(id: string | null): void {
    this.chosen = id;
    this.listen();
  }

  /** The track whose instrument the keyboard plays, recording or not. */
  setTrack(track: TrackRef): void {
    this.track = track;
  }

  /**
   * Record into a track.
   *
   * @param from The tick where it begins.
   * @param countIn Bars of clicks before.
   * @param ticksPerQuarter The song's; a note up to half a quarter early counts as on the beginning.
   */
  start(track: TrackRef, from: number, countIn: number, ticksPerQuarter: number): void {
    this.track = track;
    this.into = track;
    this.performance = new Performance(from, ticksPerQuarter / 2);
    this.player.setRecording(true);
    this.player.playAfter(countIn, from);
  }

  /** End; what was played, as an operation, or null where nothing was. */
  stop(): Operation | null {
    const { performance: played, into } = this;
    if (played === null) return null;
    this.performance = null;
    const notes = played.finish(this.player.tickAt(performance.now()));
    this.player.setRecording(false);
    this.player.stop();
    return notes.length ? { type: "notes", ...into, remove: [], add: notes } : null;
  }

  /** Listen to no keyboard any more. */
  close(): void {
    this.access.onstatechange = null;
    for (const input of this.access.inputs.values()) input.onmidimessage = null;
  }

  private listen(): void {
    for (const input of this.access.inputs.values()) {
      const heard = this.chosen === null || this.chosen === input.id;
      input.onmidimessage = heard ? (event) => this.hear(event) : null;
    }
  }

  private hear(event: MIDIMessageEvent): void {
    const played = event.data === null ? null : parseMidi(event.data);
    if (played === null) return;
    this.sound(played);
    this.performance?.play(played, this.player.tickAt(event.timeStamp - this.keyLatency, true));
  }

  private sound(played: Played): void {
    const { program, drum } = this.track;
    if (played.type === "pedal") {
      this.pedal = played.down;
      if (!played.down) for (const pitch of this.held) this.player.release(pitch);
      if (!played.down) this.held.clear();
    } else if (played.type === "on") {
      this.held.delete(played.pitch);
      this.player.press(program, drum, played.pitch, played.velocity);
    } else if (this.pedal) {
      this.held.add(played.pitch);
    } else {
      this.player.release(played.pitch);
    }
  }
}
