/** The end of the chain: a room around the players, a compressor, a limiter that nothing comes past, a meter. */

import { normal } from "./drums";

const KNEE = 0.7;
const DRIVE = 8; // the limiter's curve reaches this many times full scale
const THRESHOLD = -12; // dB
const RATIO = 4;
/** How much of the sound comes back from the walls: more would make some keys of a held organ louder than others. */
const ROOM = 0.18;
/** So loud that a single note is heard well; many at once meet the compressor. */
const LOUDNESS = 1.6;

export class Output {
  /** For dry voices: the room is added. */
  readonly input: GainNode;
  /** For voices that have their own room, and for the metronome. */
  readonly direct: GainNode;
  private readonly wet: GainNode;
  private readonly meter: AnalyserNode;
  private readonly samples: Float32Array<ArrayBuffer>;

  constructor(private readonly context: BaseAudioContext) {
    this.input = context.createGain();
    this.input.gain.value = LOUDNESS;
    this.direct = context.createGain();
    this.wet = context.createGain();
    const room = context.createConvolver();
    room.normalize = false;
    room.buffer = impulse(context);
    const compressor = context.createDynamicsCompressor();
    compressor.threshold.value = THRESHOLD;
    compressor.knee.value = 0;
    compressor.ratio.value = RATIO;
    compressor.attack.value = 0.003;
    compressor.release.value = 0.25;
    // The node makes up for what it takes away at full scale, to the power of 0.6; this takes that back again.
    const level = context.createGain();
    level.gain.value = 10 ** ((0.6 * (THRESHOLD - THRESHOLD / RATIO)) / 20) / DRIVE;
    const limiter = context.createWaveShaper();
    limiter.curve = limit();
    this.meter = context.createAnalyser();
    this.meter.fftSize = 256;
    this.samples = new Float32Array(this.meter.fftSize);
    this.input.connect(this.direct);
    this.input.connect(room).connect(this.wet).connect(this.direct);
    this.direct.connect(compressor).connect(level).connect(limiter).connect(context.destination);
    limiter.connect(this.meter);
  }

  /** Root mean square of the last few milliseconds that left. */
  level(): number {
    this.meter.getFloatTimeDomainData(this.samples);
    let sum = 0;
    for (const value of this.samples) sum += value * value;
    return Math.sqrt(sum / this.samples.length);
  }

  /** Let the room fall silent too, until `open`. */
  close(): void {
    this.wet.gain.setTargetAtTime(0, this.context.currentTime, 0.02);
  }

  open(): void {
    this.wet.gain.setTargetAtTime(1, this.context.currentTime, 0.02);
  }
}

/** A short reverberation; walls soften sound and send back little of what is very high. */
function impulse(context: BaseAudioContext): AudioBuffer {
  const rate = context.sampleRate;
  const length = Math.floor(0.65 * rate);
  const buffer = context.createBuffer(2, length, rate);
  for (const channel of [0, 1]) {
    const random = normal(1000 + channel);
    const wave = buffer.getChannelData(channel);
    let before = random();
    let earlier = before;
    let energy = 0;
    for (let n = 0; n < length; n++) {
      const noise = random();
      const value = (noise + before + earlier) * Math.exp(-n / (0.28 * rate)) * Math.min(1, n / (0.012 * rate));
      earlier = before;
      before = noise;
      wave[n] = value;
      energy += value * value;
    }
    const scale = ROOM / Math.sqrt(energy);
    for (let n = 0; n < length; n++) wave[n] = (wave[n] ?? 0) * scale;
  }
  return buffer;
}

/** A curve that is straight up to the knee, and comes ever closer to 1 after it. */
function limit(): Float32Array<ArrayBuffer> {
  const curve = new Float32Array(16385);
  const middle = (curve.length - 1) / 2;
  for (let n = 0; n < curve.length; n++) {
    const value = ((n - middle) / middle) * DRIVE;
    const size = Math.abs(value);
    const over = KNEE + (1 - KNEE) * Math.tanh((size - KNEE) / (1 - KNEE));
    curve[n] = size <= KNEE ? value : Math.sign(value) * Math.min(over, 0.999);
  }
  return curve;
}
