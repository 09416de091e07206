/**
 * The built-in voices: oscillators and noise of our own. They need no file, no worklet and no secure context, and all
 * that is scheduled can be recalled.
 */

import { HATS, drumLoudness, drumPan, drumWave } from "./drums";
import type { Instrument, Voices } from "./player";
import { brightness, decayOf, heldSpectrum, loudness, spectra, timbreOf, type Spectrum, type Timbre } from "./timbres";

const POLYPHONY = 72;
const SILENT = 7; // decay times after which a tone is inaudible
const CUT = 0.003; // seconds: how fast a voice goes whose place is needed
const VIBRATO = 5.4; // Hz
const USUAL = 100; // a channel's volume where none is set
/** Where the parts sit from left to right, the first in the middle. */
const SEATS = [0, -0.22, 0.22, -0.4, 0.4, -0.12, 0.12, -0.32, 0.32];

interface Sounding {
  channel: number;
  pitch: number;
  drum: boolean;
  start: number;
  /** When it falls silent by itself. */
  end: number;
  attacked: number;
  released: boolean;
  release: number;
  envelope: GainNode;
  letGo: GainNode;
  sources: AudioScheduledSourceNode[];
  nodes: AudioNode[];
}

interface Waves {
  dark: PeriodicWave;
  bright: PeriodicWave;
}

/** What is made once for a timbre and a number. */
type Table<T> = Map<Timbre, Map<number, T>>;

function known<T>(table: Table<T>, timbre: Timbre, number: number, make: () => T): T {
  let row = table.get(timbre);
  if (row === undefined) table.set(timbre, (row = new Map<number, T>()));
  let value = row.get(number);
  if (value === undefined) row.set(number, (value = make()));
  return value;
}

/** What the notes of a channel go through; a new one is made whenever everything is silenced. */
interface Bus {
  gain: GainNode;
  seats: Map<number, AudioNode>;
}

export class BuiltInVoices implements Voices {
  readonly label = "built-in sound";
  private bus: Bus;
  private sounding: Sounding[] = [];
  private readonly waves: Table<Waves> = new Map();
  private readonly held: Table<PeriodicWave> = new Map();
  private readonly strokes = new Map<number, AudioBuffer>();
  private readonly vibrato: OscillatorNode;

  /**
   * @param polyphony Notes at a time; the oldest are cut off for new ones.
   */
  constructor(
    private readonly context: BaseAudioContext,
    private readonly destination: AudioNode,
    private readonly polyphony = POLYPHONY,
  ) {
    this.bus = this.newBus();
    this.vibrato = context.createOscillator();
    this.vibrato.frequency.value = VIBRATO;
    this.vibrato.start();
  }

  on(channel: number, instrument: Instrument, pitch: number, velocity: number, at: number): void {
    const time = Math.max(at, this.context.currentTime);
    this.makeRoom(time);
    const begin = instrument.drum ? this.stroke : this.tone;
    this.sounding.push(begin.call(this, channel, instrument, pitch, velocity, time));
  }

  off(channel: number, pitch: number, at: number): void {
    const time = Math.max(at, this.context.currentTime);
    for (const voice of this.sounding) {
      if (voice.channel !== channel || voice.pitch !== pitch || voice.released) continue;
      if (time <= voice.start) this.recall(voice);
      else if (!voice.drum) this.letGo(voice, time);
    }
  }

  silence(): number {
    const now = this.context.currentTime;
    const { gain } = this.bus;
    gain.gain.setValueAtTime(1, now);
    gain.gain.linearRampToValueAtTime(0, now + 0.005);
    for (const voice of this.sounding) this.end(voice, now + 0.02);
    this.sounding = [];
    this.bus = this.newBus();
    return now;
  }

  /** Make what these keys and programs need ahead of time, so that the first notes are not late. */
  warm(programs: Iterable<number>, drums: Iterable<number>): void {
    for (const timbre of [...programs].map(timbreOf)) {
      if (timbre.decay === null) this.heldWave(timbre, 60, 80);
      else this.wavesOf(timbre, 60);
    }
    for (const key of drums) this.strokeOf(key);
  }

  private newBus(): Bus {
    const gain = this.context.createGain();
    gain.connect(this.destination);
    return { gain, seats: new Map() };
  }

  private tone(channel: number, by: Instrument, pitch: number, velocity: number, start: number): Sounding {
    const { context } = this;
    const timbre = timbreOf(by.program);
    const { release } = timbre;
    const decay = decayOf(timbre, pitch);
    const envelope = context.createGain();
    const letGo = context.createGain();
    const detunes = timbre.chorus ? [timbre.chorus / 2, -timbre.chorus / 2] : [0];
    const nodes: AudioNode[] = [envelope, letGo];
    const attacked = start + timbre.attack;
    const peak = (loudness(velocity) * timbre.gain * gainOf(by.volume)) / detunes.length;
    envelope.gain.value = 0;
    envelope.gain.setValueAtTime(0, start);
    envelope.gain.linearRampToValueAtTime(peak, attacked);
    if (decay !== null) envelope.gain.setTargetAtTime(0, attacked, decay);
    envelope.connect(letGo).connect(this.place(by.pan === undefined ? seatOf(channel) : panOf(by.pan)));
    const depth = timbre.vibrato ? this.depth(timbre.vibrato, start) : null;
    if (depth !== null) nodes.push(depth);
    const waves: [PeriodicWave, AudioNode][] = [];
    if (decay === null) {
      waves.push([this.heldWave(timbre, pitch, velocity), envelope]);
    } else {
      const { dark, bright } = this.wavesOf(timbre, pitch);
      const shine = context.createGain();
      shine.gain.setValueAtTime(brightness(velocity), start);
      shine.gain.setTargetAtTime(0, start, timbre.fade);
      shine.connect(envelope);
      nodes.push(shine);
      waves.push([dark, envelope], [bright, shine]);
    }
    const sources = detunes.flatMap((cents) =>
      waves.map(([wave, into]) => this.oscillator(wave, pitch, cents, depth, start, into)));
    const end = decay === null ? Infinity : start + SILENT * decay;
    const voice = {
      channel, pitch, drum: false, start, end, attacked, released: false, release,
      envelope, letGo, sources, nodes,
    };
    this.endsBy(voice);
    return voice;
  }

  private oscillator(
    wave: PeriodicWave, pitch: number, cents: number, vibrato: AudioNode | null, start: number, into: AudioNode,
  ): OscillatorNode {
    const source = this.context.createOscillator();
    source.setPeriodicWave(wave);
    source.frequency.value = 440 * 2 ** ((pitch - 69) / 12);
    source.detune.value = cents;
    // A vibrato needs no new frequency at every sample, and costs much less without one.
    source.detune.automationRate = "k-rate";
    vibrato?.connect(source.detune);
    source.connect(into);
    source.start(start);
    return source;
  }

  /** How much of the common vibrato a tone gets: none at first. */
  private depth(cents: number, start: number): GainNode {
    const depth = this.context.createGain();
    depth.gain.value = 0;
    depth.gain.setValueAtTime(0, start + 0.15);
    depth.gain.linearRampToValueAtTime(cents, start + 0.48);
    this.vibrato.connect(depth);
    return depth;
  }

  private stroke(channel: number, by: Instrument, key: number, velocity: number, start: number): Sounding {
    const { context } = this;
    if (HATS.has(key)) this.closeHats(channel, start);
    const buffer = this.strokeOf(key);
    const source = context.createBufferSource();
    source.buffer = buffer;
    const envelope = context.createGain();
    envelope.gain.value = drumLoudness(velocity) * gainOf(by.volume);
    source.connect(envelope).connect(this.place(drumPan(key)));
    source.start(start);
    const end = start + buffer.duration;
    const voice = {
      channel, pitch: key, drum: true, start, end, attacked: start, released: false, release: 0,
      envelope, letGo: envelope, sources: [source], nodes: [envelope],
    };
    this.endsBy(voice);
    return voice;
  }

  private closeHats(channel: number, at: number): void {
    for (const voice of this.sounding) {
      if (voice.drum && voice.channel === channel && voice.pitch === 46 && voice.start < at && voice.end > at) {
        voice.envelope.gain.setTargetAtTime(0, at, 0.01);
        this.end(voice, at + 0.1);
      }
    }
  }

  private letGo(voice: Sounding, at: number): void {
    voice.released = true;
    const lasts = 2.5 * voice.release;
    if (at >= voice.end) return;
    voice.letGo.gain.setValueCurveAtTime(RELEASE, at, lasts);
    this.end(voice, Math.min(voice.end, at + lasts));
  }

  /** A note that has not begun never sounds. */
  private recall(voice: Sounding): void {
    voice.released = true;
    voice.letGo.disconnect();
    this.end(voice, voice.start);
  }

  private end(voice: Sounding, at: number): void {
    if (at >= voice.end) return;
    voice.end = at;
    for (const source of voice.sources) source.stop(at);
  }

  /** Stop at `end`, and take the nodes apart when that was. */
  private endsBy(voice: Sounding): void {
    const [first] = voice.sources;
    if (Number.isFinite(voice.end)) for (const source of voice.sources) source.stop(voice.end);
    if (first === undefined) return;
    first.onended = () => {
      for (const node of [...voice.sources, ...voice.nodes]) node.disconnect();
    };
  }

  /** Forget what has ended; cut off the oldest where there are too many. */
  private makeRoom(at: number): void {
    if (this.sounding.length < Math.min(this.polyphony, 128)) return;
    const now = this.context.currentTime;
    this.sounding = this.sounding.filter((voice) => voice.end > now);
    const there = this.sounding.filter((voice) => voice.end > at);
    for (const voice of there.slice(0, Math.max(0, there.length - this.polyphony + 1))) {
      const cut = Math.max(at, voice.attacked);
      voice.released = true;
      voice.envelope.gain.setTargetAtTime(0, cut, CUT);
      this.end(voice, cut + 7 * CUT);
    }
  }

  private wavesOf(timbre: Timbre, pitch: number): Waves {
    const audible = this.audible(timbre, pitch);
    return known(this.waves, timbre, audible, () => {
      const { dark, bright } = spectra(timbre, audible);
      return { dark: this.wave(dark), bright: this.wave(bright) };
    });
  }

  /** What is blown or bowed keeps three quarters of its brilliance, taken over its whole length. */
  private heldWave(timbre: Timbre, pitch: number, velocity: number): PeriodicWave {
    const audible = this.audible(timbre, pitch);
    const share = 0.75 * brightness(velocity);
    return known(this.held, timbre, audible + share, () => this.wave(heldSpectrum(timbre, audible, share)));
  }

  private wave({ real, imag }: Spectrum): PeriodicWave {
    return this.context.createPeriodicWave(real, imag, { disableNormalization: true });
  }

  /** How many partials of a tone there is room for below half the sampling rate. */
  private audible(timbre: Timbre, pitch: number): number {
    const frequency = 440 * 2 ** ((pitch - 69) / 12);
    const most = Math.max(timbre.bright.length, timbre.dark.length);
    return Math.max(1, Math.min(most, Math.floor((0.45 * this.context.sampleRate) / frequency)));
  }

  private strokeOf(key: number): AudioBuffer {
    let buffer = this.strokes.get(key);
    if (buffer === undefined) {
      const rate = this.context.sampleRate;
      const wave = drumWave(key, rate);
      buffer = this.context.createBuffer(1, wave.length, rate);
      buffer.copyToChannel(wave, 0);
      this.strokes.set(key, buffer);
    }
    return buffer;
  }

  private place(pan: number): AudioNode {
    let place = this.bus.seats.get(pan);
    if (place === undefined) {
      const panner = this.context.createStereoPanner();
      panner.pan.value = pan;
      panner.connect(this.bus.gain);
      this.bus.seats.set(pan, (place = panner));
    }
    return place;
  }
}

function seatOf(channel: number): number {
  return SEATS[channel % SEATS.length] ?? 0;
}

/** From left, -1, to right, 1; in steps, as each has a node of its own. */
function panOf(pan: number): number {
  return Math.max(-1, Math.min(1, Math.round((pan - 64) / 8) / 8));
}

/** Loudness goes with the square of the volume (General MIDI); 1 for what a channel has that is given none. */
function gainOf(volume: number | undefined): number {
  return volume === undefined ? 1 : (volume / USUAL) ** 2;
}

/** What becomes of a note when it is let go: from 1 to 0 over two and a half times its release. */
const RELEASE = Float32Array.from({ length: 64 }, (_, n) => Math.exp(-5 * (n / 63)) * (1 - n / 63));
