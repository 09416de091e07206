/**
 * Voices of a SoundFont, by spessasynth: in a worker on Chromium, where decoding samples in the audio thread would stall
 * the sound; in an audio worklet elsewhere, where that has the lower latency. Loaded when it is first needed.
 */

import { BasicMIDI } from "spessasynth_core";
import { WorkerSynthesizer, WorkletSynthesizer } from "spessasynth_lib";
import processor from "spessasynth_lib/dist/spessasynth_processor.min.js?url";
import type { SongState } from "../music/music";
import type { SoundFontVoices } from "./engine";
import { Output } from "./output";
import playback from "./playback.worklet.ts?worker&url";
import type { Instrument } from "./player";
import { controllersOf, midiFile } from "./smf";
import { offline } from "./wav";
import { SOUND } from "../strings";

type Synthesizer = WorkerSynthesizer | WorkletSynthesizer;
type Reply = Parameters<WorkerSynthesizer["handleWorkerMessage"]>[0];

const DRUMS = 9;
const FALL = 0.0015; // seconds in which the sound falls by a factor of e when it is silenced
/** Seconds from the last recalled note to the next sound: what is on its way has passed by then. */
const FLUSH = 0.08;

/** Notes of each track that are looked at for keys to decode before the first is heard. */
const WARMED = 64;

interface Engine {
  synthesizer: Synthesizer;
  /** Seconds from the synthesizer's clock to the audio clock. */
  shift(): number;
  close(): void;
  failed: Promise<never>;
}

/**
 * Voices from the bytes of an .sf2 or .sf3 file.
 *
 * @throws Error in one line where there can be none.
 */
export async function soundFontVoices(
  context: AudioContext, output: AudioNode, name: string, bytes: ArrayBuffer,
): Promise<SoundFontVoices> {
  if (!isBank(bytes)) throw new Error(SOUND.noSoundFont(name));
  // A page at an address of the local network, without https, has no worklets.
  if (context.audioWorklet === undefined) {
    throw new Error(SOUND.soundFontsHere);
  }
  // The synthesizer takes the bytes; for a WAV file they are needed again, and a blob may wait on the disk.
  const file = new Blob([bytes]);
  const gain = context.createGain();
  const engine = onChromium() ? await inWorker(context) : await inWorklet(context);
  try {
    const { synthesizer } = engine;
    synthesizer.connect(gain);
    await Promise.race([loaded(synthesizer, bytes), engine.failed]);
    if (synthesizer.presetList.length === 0) throw new Error(SOUND.noInstruments);
  } catch (error) {
    engine.close();
    const reason = (error instanceof Error ? error.message : String(error)).split("\n")[0]?.slice(0, 120);
    throw new Error(SOUND.unusable(name, reason));
  }
  gain.connect(output);
  return new Bank(name, context, engine, gain, file);
}

function isBank(bytes: ArrayBuffer): boolean {
  const text = String.fromCharCode(...new Uint8Array(bytes.slice(0, 12)));
  return text.startsWith("RIFF") && (text.endsWith("sfbk") || text.endsWith("DLS "));
}

function onChromium(): boolean {
  return /Chrom(e|ium)\//.test(navigator.userAgent);
}

async function loaded(synthesizer: Synthesizer, bytes: ArrayBuffer): Promise<void> {
  await synthesizer.isReady;
  const broken = new Promise<never>((_, reject) => {
    synthesizer.eventHandler.addEvent("soundBankError", "bank", (error) => reject(error));
  });
  const listed = new Promise<void>((resolve) => {
    synthesizer.eventHandler.addEvent("presetListChange", "bank", () => resolve());
  });
  await Promise.race([Promise.all([synthesizer.soundBankManager.addSoundBank(bytes, "bank"), listed]), broken]);
}

async function inWorker(context: AudioContext): Promise<Engine> {
  await context.audioWorklet.addModule(playback);
  const worker = new Worker(new URL("./synth.worker.ts", import.meta.url), { type: "module" });
  let began = 0;
  let shift = 0;
  const node = (base: BaseAudioContext, name: string, options?: AudioWorkletNodeOptions): AudioWorkletNode => {
    const made = new AudioWorkletNode(base, name, options);
    made.port.addEventListener("message", ({ data }: MessageEvent<{ type?: string; frames?: number }>) => {
      if (data.type === "shift") shift = (data.frames ?? 0) / context.sampleRate - began;
    });
    return made;
  };
  const post = (message: unknown, transfer: Transferable[] = []): void => {
    if (typeof message === "object" && message !== null && "initialTime" in message) began = Number(message.initialTime);
    worker.postMessage(message, transfer);
  };
  const synthesizer = new WorkerSynthesizer(context, post as Worker["postMessage"], {
    eventsEnabled: true, audioNodeCreators: { worklet: node },
  });
  worker.onmessage = (event: MessageEvent<Reply>) => synthesizer.handleWorkerMessage(event.data);
  const failed = new Promise<never>((_, reject) => {
    worker.onerror = () => reject(new Error("the synthesizer's worker did not start"));
  });
  const close = (): void => {
    synthesizer.disconnect();
    worker.terminate();
  };
  return { synthesizer, shift: () => shift, close, failed };
}

async function inWorklet(context: AudioContext): Promise<Engine> {
  await context.audioWorklet.addModule(processor);
  const synthesizer = new WorkletSynthesizer(context, { eventsEnabled: true });
  return { synthesizer, shift: () => 0, close: () => synthesizer.destroy(), failed: new Promise<never>(() => undefined) };
}

/** The channel of the synthesizer that a channel of the player has. */
interface Channel {
  number: number;
  program: number;
  /** Its controllers, by their numbers. */
  set: Map<number, number>;
}

class Bank implements SoundFontVoices {
  private readonly channels = new Map<string, Channel>();
  private readonly used = new Set<number>();
  private queued: { channel: number; pitch: number; at: number }[] = [];

  constructor(
    readonly label: string,
    private readonly context: AudioContext,
    private readonly engine: Engine,
    private readonly gain: GainNode,
    private readonly file: Blob,
  ) {}

  on(channel: number, instrument: Instrument, pitch: number, velocity: number, at: number): void {
    const { synthesizer } = this.engine;
    const { program, drum } = instrument;
    const into = this.channel(channel, drum);
    const options = { time: this.time(at) };
    if (into.program !== program) synthesizer.programChange(into.number, drum ? 0 : program, options);
    into.program = program;
    for (const [controller, value] of controllersOf(instrument)) {
      if (into.set.get(controller) !== value) synthesizer.controllerChange(into.number, controller, value, options);
      into.set.set(controller, value);
    }
    synthesizer.noteOn(into.number, pitch, velocity, options);
    const now = this.context.currentTime;
    this.queued = this.queued.filter((note) => note.at > now - FLUSH);
    this.queued.push({ channel: into.number, pitch, at: Math.max(at, now) });
  }

  off(channel: number, pitch: number, at: number): void {
    for (const drum of [false, true]) {
      const into = this.channels.get(`${channel} ${drum}`);
      if (into !== undefined) this.engine.synthesizer.noteOff(into.number, pitch, { time: this.time(at) });
    }
  }

  silence(): number {
    const { synthesizer } = this.engine;
    const now = this.context.currentTime;
    const waiting = this.queued.filter((note) => note.at > now - FLUSH);
    this.queued = [];
    const { gain } = this.gain;
    gain.cancelScheduledValues(now);
    gain.setTargetAtTime(0, now, FALL);
    // What is queued cannot be taken back: it is struck in silence, and let go at once.
    for (const { channel, pitch, at } of waiting) synthesizer.noteOff(channel, pitch, { time: this.time(at) });
    synthesizer.stopAll(true);
    const last = Math.max(now, ...waiting.map(({ at }) => at));
    const again = last + FLUSH;
    setTimeout(() => {
      if (this.context.currentTime < again - 0.02) synthesizer.stopAll(true);
    }, (last - now) * 1000 + 10);
    gain.setTargetAtTime(1, again - 0.006, FALL);
    return again;
  }

  async warm(song: SongState): Promise<void> {
    const { synthesizer } = this.engine;
    const { gain } = this.gain;
    gain.setValueAtTime(0, this.context.currentTime);
    for (const [part, track] of song.tracks.entries()) {
      const keys = new Set(track.notes.pitch.subarray(0, Math.min(track.notes.count, WARMED)));
      for (const pitch of keys) this.on(part, track, pitch, 80, 0);
    }
    this.queued = [];
    synthesizer.stopAll(true);
    // What is answered after these messages is answered when they are done.
    await synthesizer.getSnapshot();
    gain.setTargetAtTime(1, this.context.currentTime + FLUSH, FALL);
  }

  async render(song: SongState): Promise<AudioBuffer> {
    const { context } = offline(song);
    await context.audioWorklet.addModule(processor);
    const synthesizer = new WorkletSynthesizer(context, { eventsEnabled: false });
    synthesizer.connect(new Output(context).direct);
    // Nothing may be sent before this: Chromium would not hand it on in an offline context.
    await synthesizer.startOfflineRender({
      midiSequence: BasicMIDI.fromArrayBuffer(midiFile(song)),
      soundBankList: [{ soundBankBuffer: await this.file.arrayBuffer(), bankOffset: 0 }],
      loopCount: 0,
      sequencerOptions: { skipToFirstNoteOn: false },
    });
    await synthesizer.isReady;
    return context.startRendering();
  }

  close(): void {
    this.gain.disconnect();
    this.engine.close();
  }

  private time(at: number): number {
    return at <= 0 ? 0 : at - this.engine.shift();
  }

  private channel(channel: number, drum: boolean): Channel {
    const key = `${channel} ${drum}`;
    let found = this.channels.get(key);
    if (found === undefined) {
      const { synthesizer } = this.engine;
      let number = drum && !this.used.has(DRUMS) ? DRUMS : 0;
      while (this.used.has(number) || (!drum && number % 16 === DRUMS)) number += 1;
      this.used.add(number);
      while (synthesizer.channelCount <= number) synthesizer.addNewChannel();
      if (drum && number % 16 !== DRUMS) synthesizer.midiChannels[number]?.setDrums(true);
      this.channels.set(key, (found = { number, program: -1, set: new Map() }));
    }
    return found;
  }
}
