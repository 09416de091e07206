/** The player: the transport over voices, with the audio context, the timer and the meter around it. */

import type { IdeaLayer, SongState } from "../music/music";
import { beatLength } from "./beats";
import { BuiltInVoices } from "./builtin";
import { Metronome } from "./metronome";
import { Output } from "./output";
import type { Player, PlayerState, Voices } from "./player";
import { ticker, type Ticker } from "./ticker";
import { Transport, type Stage } from "./transport";
import type { Part } from "./source";
import { encodeWav, renderSong } from "./wav";
import { SOUND } from "../strings";

/** Seconds that are scheduled ahead; more while the page is hidden, as its timers may be slow then. */
const AHEAD = 0.1;
const AHEAD_HIDDEN = 2.5;
/** Seconds from a start to its first note. */
const SOON = 0.03;
/** Seconds that a touched key sounds, and that any key sounds at least. */
const TOUCH = 0.35;
const SHORTEST = 0.03;
/** The channel of touched keys; those of tracks come after it. */
const TOUCHED = 0;
/** Milliseconds of silence after which the audio device is let rest. */
const RESTS_AFTER = 60_000;
const HEARD = 1e-4; // root mean square

/** What only the page has, and a notebook has not. */
export interface Surroundings {
  /** Makes the worker whose timer keeps time; without one, the page's timers do. */
  timer?: () => Worker;
  /** Makes voices from a SoundFont's bytes; rejects with one line why not. */
  soundFont?: (context: AudioContext, output: AudioNode, name: string, bytes: ArrayBuffer) => Promise<SoundFontVoices>;
}

/** Voices that are loaded, may be given back, and render songs. */
export interface SoundFontVoices extends Voices {
  /** Decode, in silence, what a song begins with, so that its first notes are not late. */
  warm(song: SongState): Promise<void>;
  render(song: SongState): Promise<AudioBuffer>;
  close(): void;
}

/** What is there once the audio context is. */
interface Desk {
  context: AudioContext;
  output: Output;
  metronome: Metronome;
  builtIn: BuiltInVoices;
  voices: Voices;
  /** Voices that take over at a time of the audio clock. */
  next: { voices: SoundFontVoices; at: number; done: (used: boolean) => void } | null;
}

export class StudioPlayer implements Player {
  readonly state: PlayerState = { playing: false, recording: false, tick: 0, sound: "built-in sound", metronome: false };
  onstate: (() => void) | null = null;
  private readonly transport: Transport;
  private readonly ticker: Ticker;
  private readonly channels = new Map<string, number>();
  /** Which voices a key was struck with. */
  private readonly struck = new Map<string, Voices>();
  private readonly pressed = new Map<number, { voices: Voices; at: number }>();
  private readonly touches = new Map<number, ReturnType<typeof setTimeout>>();
  private desk: Desk | null = null;
  /** Counts the choices of a sound: one that is loaded when another was made since is given back. */
  private choice = 0;
  private loading = 0;
  private resting: ReturnType<typeof setTimeout> | undefined;
  private measured: number | null = null;
  private measuring = false;

  constructor(private readonly around: Surroundings = {}) {
    const stage: Stage = {
      strike: (part, pitch, velocity, at) => this.strike(part, pitch, velocity, at),
      release: (part, pitch, at) => this.letGo(part, pitch, at),
      click: (accent, at) => this.desk?.metronome.click(accent, at),
    };
    this.transport = new Transport(stage);
    this.ticker = ticker(() => this.pump(), around.timer ?? null);
  }

  setSong(song: SongState): void {
    this.transport.setSong(song, this.now());
    if (this.desk !== null) this.warm(this.desk.builtIn, song);
  }

  setIdea(idea: IdeaLayer | null): void {
    this.transport.setIdea(idea, this.now());
  }

  setMuted(tracks: ReadonlySet<string>, soloed: ReadonlySet<string>): void {
    this.transport.setMuted(tracks, soloed, this.now());
  }

  setLoop(loop: [from: number, to: number] | null): void {
    this.transport.setLoop(loop);
  }

  setMetronome(on: boolean): void {
    this.transport.metronome = on;
    this.state.metronome = on;
    this.onstate?.();
  }

  play(from?: number): void {
    this.begin(from ?? this.transport.tickAt(0), 0);
  }

  /** Play after so many bars of clicks. */
  playAfter(bars: number, from: number): void {
    this.begin(from, bars);
  }

  stop(): void {
    if (this.desk === null) return;
    const heard = this.position();
    this.transport.stop(this.now());
    this.ticker.stop();
    this.hush(this.desk);
    this.desk.output.close();
    this.takeOver(Infinity);
    this.transport.place(heard);
    this.state.tick = heard;
    this.state.playing = false;
    this.restLater();
    this.onstate?.();
  }

  seek(tick: number): void {
    if (this.desk !== null && this.state.playing) {
      const at = this.hush(this.desk);
      this.transport.start(tick, Math.max(at, this.now() + SOON));
      this.pump();
    } else {
      this.transport.place(tick);
    }
    this.state.tick = this.position();
  }

  position(): number {
    return this.tickAt(performance.now());
  }

  /**
   * The tick that was heard at a time of `performance.now()`, in milliseconds.
   *
   * @param early Ticks before the start, too, during a count-in.
   */
  tickAt(milliseconds: number, early = false): number {
    const { desk } = this;
    if (desk === null || !this.state.playing) return this.transport.tickAt(0);
    const ago = Math.max(0, performance.now() - milliseconds) / 1000;
    return this.transport.tickAt(desk.context.currentTime - (desk.context.outputLatency || 0) - ago, early);
  }

  touch(program: number, drum: boolean, pitch: number, velocity: number): void {
    this.press(program, drum, pitch, velocity);
    this.touches.set(pitch, setTimeout(() => this.letGoOf(pitch, TOUCH), TOUCH * 1000));
  }

  press(program: number, drum: boolean, pitch: number, velocity: number): void {
    const { output, voices, context } = this.open();
    this.release(pitch);
    if (!this.state.playing) output.open();
    this.measure(output, context);
    voices.on(TOUCHED, { program, drum }, pitch, velocity, 0);
    this.pressed.set(pitch, { voices, at: context.currentTime });
  }

  release(pitch: number): void {
    this.letGoOf(pitch, SHORTEST);
  }

  async useSoundFont(name: string, bytes: ArrayBuffer | Promise<ArrayBuffer>): Promise<boolean> {
    const { soundFont } = this.around;
    if (soundFont === undefined) throw new Error(SOUND.notPlayed);
    const desk = this.open();
    const choice = ++this.choice;
    this.loading += 1;
    try {
      const voices = await soundFont(desk.context, desk.output.direct, name, await bytes);
      if (choice === this.choice && this.transport.song !== null) await voices.warm(this.transport.song);
      if (choice === this.choice) return await this.atNextBar(desk, voices);
      voices.close();
      return false;
    } finally {
      this.loading -= 1;
    }
  }

  /** The built-in voices again. */
  useBuiltIn(): void {
    const { desk } = this;
    this.choice += 1;
    if (desk !== null) this.dropNext(desk);
    if (desk === null || desk.voices === desk.builtIn) return;
    const { voices } = desk;
    desk.voices = desk.builtIn;
    voices.silence();
    if ("close" in voices) (voices as SoundFontVoices).close();
    this.state.sound = desk.builtIn.label;
    this.onstate?.();
  }

  /** Whether what is played is recorded: the music then goes on past its end, and past the loop's. */
  setRecording(on: boolean): void {
    this.transport.endless = on;
    this.state.recording = on;
    this.onstate?.();
  }

  async wav(song: SongState): Promise<Blob> {
    const voices = this.desk?.voices;
    const bank = voices !== undefined && "render" in voices ? (voices as SoundFontVoices) : null;
    return encodeWav(await (bank === null ? renderSong(song) : bank.render(song)));
  }

  latency(): number | null {
    return this.measured;
  }

  /** For tests: root mean square of the last few milliseconds that left. */
  level(): number {
    return this.desk?.output.level() ?? 0;
  }

  close(): void {
    this.stop();
    clearTimeout(this.resting);
    void this.desk?.context.close();
    this.desk = null;
  }

  /** Let go of a touched key that has sounded for some seconds: an audio device that is only just starting is late. */
  private letGoOf(pitch: number, seconds: number): void {
    clearTimeout(this.touches.get(pitch));
    this.touches.delete(pitch);
    const key = this.pressed.get(pitch);
    key?.voices.off(TOUCHED, pitch, Math.max(this.now(), key.at + seconds));
    this.pressed.delete(pitch);
  }

  private begin(from: number, bars: number): void {
    const desk = this.open();
    const { song } = this.transport;
    if (song === null) return;
    const atEnd = from >= this.transport.end && !this.state.recording;
    const tick = atEnd ? 0 : Math.max(0, from);
    let at = Math.max(this.hush(desk), desk.context.currentTime + SOON);
    desk.output.open();
    if (bars > 0) at = this.countIn(desk.metronome, song, tick, bars, at);
    this.transport.start(tick, at);
    this.state.playing = true;
    this.state.tick = tick;
    this.ticker.start();
    this.pump();
    this.onstate?.();
  }

  /** Clicks before the music; answers when that begins. */
  private countIn(metronome: Metronome, song: SongState, tick: number, bars: number, at: number): number {
    const bar = song.bars.at(tick);
    const [beats] = song.bars.meter(bar);
    const seconds = (beatLength(song, bar) / song.ticksPerQuarter) * (60 / song.clock.quartersPerMinute(tick));
    for (let beat = 0; beat < beats * bars; beat++) metronome.click(beat % beats === 0, at + beat * seconds);
    return at + beats * bars * seconds;
  }

  private now(): number {
    return this.desk?.context.currentTime ?? 0;
  }

  private pump(): void {
    const { desk, transport } = this;
    if (desk === null || !this.state.playing) return;
    const now = desk.context.currentTime;
    const hidden = typeof document !== "undefined" && document.visibilityState === "hidden";
    transport.pump(now, now + (hidden ? AHEAD_HIDDEN : AHEAD));
    this.takeOver(now);
    this.state.tick = this.position();
    if (transport.playing || now < transport.turned) return;
    this.state.tick = transport.stop(now);
    this.ticker.stop();
    this.takeOver(Infinity);
    this.state.playing = false;
    this.restLater();
    this.onstate?.();
  }

  private strike(part: Part, pitch: number, velocity: number, at: number): void {
    const { desk } = this;
    if (desk === null) return;
    const voices = desk.next !== null && at >= desk.next.at ? desk.next.voices : desk.voices;
    const channel = this.channelOf(part.id);
    voices.on(channel, part, pitch, velocity, at);
    this.struck.set(`${channel} ${pitch}`, voices);
  }

  private letGo(part: Part, pitch: number, at: number): void {
    const channel = this.channelOf(part.id);
    const key = `${channel} ${pitch}`;
    this.struck.get(key)?.off(channel, pitch, at);
    this.struck.delete(key);
  }

  private channelOf(track: string): number {
    let channel = this.channels.get(track);
    if (channel === undefined) this.channels.set(track, (channel = TOUCHED + 1 + this.channels.size));
    return channel;
  }

  /** Silence all; answers from when on there can be sound again. */
  private hush(desk: Desk): number {
    this.struck.clear();
    this.pressed.clear();
    desk.metronome.silence();
    const all: Voices[] = [desk.builtIn, desk.voices];
    if (desk.next !== null) all.push(desk.next.voices);
    return Math.max(...[...new Set(all)].map((voices) => voices.silence()));
  }

  /** Another sound is chosen: one that waits for its turn is given back. */
  private dropNext(desk: Desk): void {
    const waiting = desk.next;
    desk.next = null;
    waiting?.voices.silence();
    waiting?.voices.close();
    waiting?.done(false);
  }

  /** Loaded voices take over where the next bar begins. */
  private atNextBar(desk: Desk, voices: SoundFontVoices): Promise<boolean> {
    this.dropNext(desk);
    return new Promise((done) => {
      desk.next = { voices, at: this.state.playing ? this.transport.nextBarTime() : 0, done };
      if (!this.state.playing) this.takeOver(Infinity);
    });
  }

  /** Let the next voices take over, if their time has come. */
  private takeOver(now: number): void {
    const { desk } = this;
    if (desk === null || desk.next === null || now < desk.next.at) return;
    const { voices, done } = desk.next;
    const before = desk.voices;
    desk.voices = voices;
    desk.next = null;
    // Notes of the voices before may still ring: they are given back a little later.
    if (before !== desk.builtIn) setTimeout(() => (before as SoundFontVoices).close(), 2000);
    this.state.sound = voices.label;
    done(true);
    this.onstate?.();
  }

  private open(): Desk {
    if (this.desk === null) {
      const context = new AudioContext({ latencyHint: "interactive" });
      const output = new Output(context);
      const builtIn = new BuiltInVoices(context, output.input);
      const metronome = new Metronome(context, output.direct);
      this.desk = { context, output, metronome, builtIn, voices: builtIn, next: null };
      if (this.transport.song !== null) this.warm(builtIn, this.transport.song);
    }
    if (this.desk.context.state !== "running") void this.desk.context.resume();
    this.restLater();
    return this.desk;
  }

  /** An audio device that runs keeps a machine awake, and warm: after some silence it rests until the next sound. */
  private restLater(): void {
    clearTimeout(this.resting);
    this.resting = setTimeout(() => {
      if (this.state.playing || this.pressed.size > 0 || this.loading > 0) this.restLater();
      else void this.desk?.context.suspend();
    }, RESTS_AFTER);
  }

  private warm(builtIn: BuiltInVoices, song: SongState): void {
    const programs = new Set<number>();
    const keys = new Set<number>();
    for (const { drum, program, notes } of song.tracks) {
      if (drum) for (const pitch of notes.pitch.subarray(0, notes.count)) keys.add(pitch);
      else programs.add(program);
    }
    builtIn.warm(programs, keys);
  }

  /** From a touch on, look at what leaves until something is heard. */
  private measure(output: Output, context: AudioContext): void {
    if (this.measuring || this.state.playing || output.level() > HEARD) return;
    this.measuring = true;
    const touched = performance.now();
    const look = (): void => {
      const passed = performance.now() - touched;
      const heard = output.level() > HEARD;
      if (heard) this.measured = passed + 1000 * (context.outputLatency || context.baseLatency || 0);
      this.measuring = !heard && passed < 5000;
      if (this.measuring) setTimeout(look, 1);
    };
    look();
  }
}
