/** The drum kit of the built-in sound: skins are sines that sink, metal is high noise. No sound API, only numbers. */

// By key: what it is made of. A skin: start and end in Hz, seconds of decay, share of noise. Metal: seconds of decay, how
// often the noise is differentiated (the higher, the thinner), partials in Hz. A block: Hz, seconds of decay.
const SKINS: Readonly<Record<number, readonly [number, number, number, number]>> = {
  35: [120, 45, 0.22, 0.05], 36: [150, 50, 0.2, 0.06], 38: [230, 180, 0.13, 0.75], 40: [260, 200, 0.11, 0.8],
  41: [110, 75, 0.3, 0.08], 43: [130, 90, 0.28, 0.08], 45: [155, 110, 0.26, 0.08], 47: [185, 130, 0.24, 0.08],
  48: [215, 155, 0.22, 0.08], 50: [250, 185, 0.2, 0.08], 60: [420, 390, 0.09, 0.1], 61: [310, 280, 0.11, 0.1],
  62: [350, 330, 0.05, 0.2], 63: [320, 290, 0.16, 0.1], 64: [230, 205, 0.18, 0.1], 65: [360, 330, 0.14, 0.25],
  66: [270, 245, 0.16, 0.25], 78: [500, 560, 0.1, 0.1], 79: [420, 330, 0.18, 0.1],
};
const METAL: Readonly<Record<number, readonly [number, number, readonly number[]]>> = {
  42: [0.035, 2, []], 44: [0.05, 2, []], 46: [0.25, 2, []], 49: [0.75, 1, []], 57: [0.85, 1, []], 52: [0.6, 1, []],
  55: [0.35, 1, []], 51: [0.4, 2, [3420, 5130]], 59: [0.45, 2, [3180, 4870]], 53: [0.5, 2, [2380, 3970]],
  54: [0.12, 2, [6100]], 69: [0.05, 2, []], 70: [0.04, 2, []], 39: [0.09, 0, []], 58: [0.4, 1, []],
  73: [0.08, 1, []], 74: [0.2, 1, []],
};
const BLOCKS: Readonly<Record<number, readonly [number, number]>> = {
  37: [1700, 0.03], 56: [620, 0.1], 67: [1350, 0.14], 68: [920, 0.16], 75: [2500, 0.035], 76: [1150, 0.05],
  77: [820, 0.06], 80: [4900, 0.08], 81: [4900, 0.6], 71: [2300, 0.12], 72: [2300, 0.3],
};
const PANS: Readonly<Record<number, number>> = {
  42: 0.25, 44: 0.25, 46: 0.25, 49: -0.4, 57: 0.45, 51: 0.4, 59: 0.4, 53: 0.4, 41: 0.4, 43: 0.3, 45: 0.1, 47: -0.1,
  48: -0.25, 50: -0.35, 54: -0.3, 56: 0.3, 70: -0.35, 69: 0.35,
};
/** Keys of the hi-hat: the next stroke on it ends an open one. */
export const HATS: ReadonlySet<number> = new Set([42, 44, 46]);

/** Where a drum stands, from -1 (left) to 1 (right), seen by the listener. */
export function drumPan(key: number): number {
  return PANS[key] ?? 0;
}

/** The loudness of a stroke by its velocity. */
export function drumLoudness(velocity: number): number {
  return 0.7 * (velocity / 127) ** 1.5;
}

/** A stroke on the drum of a General MIDI key, until it has died away; the same samples every time. */
export function drumWave(key: number, rate: number): Float32Array<ArrayBuffer> {
  const random = normal(key + 1);
  const metal = METAL[key];
  if (metal !== undefined) return metalWave(metal, random, rate);
  const block = BLOCKS[key];
  if (block !== undefined) return blockWave(block, rate);
  return skinWave(SKINS[key] ?? [Math.max(60, 300 - key), Math.max(40, 200 - key), 0.15, 0.3], random, rate);
}

function metalWave(
  [decay, thin, partials]: readonly [number, number, readonly number[]], random: () => number, rate: number,
): Float32Array<ArrayBuffer> {
  const wave = new Float32Array(Math.floor(7 * decay * rate));
  let first = random();
  let second = (random() - first) / 1.5;
  for (let n = 0; n < wave.length; n++) {
    const noise = random();
    const once = (noise - first) / 1.5;
    const twice = (once - second) / 1.5;
    first = noise;
    second = once;
    let value = thin === 0 ? noise : thin === 1 ? once : twice;
    for (const partial of partials) value += 0.7 * Math.sin((2 * Math.PI * partial * n) / rate);
    wave[n] = value * Math.exp(-n / (decay * rate));
  }
  return finished(wave, thin ? 0.45 : 0.55, rate);
}

function blockWave([frequency, decay]: readonly [number, number], rate: number): Float32Array<ArrayBuffer> {
  const wave = new Float32Array(Math.floor(7 * decay * rate));
  const second = Math.min(1.47 * frequency, 0.45 * rate);
  for (let n = 0; n < wave.length; n++) {
    const time = n / rate;
    const value = Math.sin(2 * Math.PI * frequency * time) + 0.5 * Math.sin(2 * Math.PI * second * time);
    wave[n] = value * Math.exp(-time / decay);
  }
  return finished(wave, 0.45, rate);
}

function skinWave(
  [start, end, decay, share]: readonly [number, number, number, number], random: () => number, rate: number,
): Float32Array<ArrayBuffer> {
  const wave = new Float32Array(Math.floor(7 * decay * rate));
  const glide = 0.03;
  const rattling = share > 0.5 ? 0.8 * decay : 0.02;
  for (let n = 0; n < wave.length; n++) {
    const time = n / rate;
    // The pitch sinks quickly; its integral is the phase.
    const phase = end * time + (start - end) * glide * (1 - Math.exp(-time / glide));
    const skin = Math.sin(2 * Math.PI * phase) * Math.exp(-time / decay);
    const rattle = random() * Math.exp(-time / rattling);
    wave[n] = (1 - 0.6 * share) * skin + 0.5 * share * rattle;
  }
  return finished(wave, 0.9, rate);
}

/** The wave with soft edges, its highest peak at `peak`. */
function finished(wave: Float32Array<ArrayBuffer>, peak: number, rate: number): Float32Array<ArrayBuffer> {
  const edge = Math.max(1, Math.floor(rate / 1000));
  for (let n = 0; n < edge && n < wave.length; n++) {
    const share = n / edge;
    wave[n] = (wave[n] ?? 0) * share;
    const last = wave.length - 1 - n;
    wave[last] = (wave[last] ?? 0) * share;
  }
  let largest = 1e-9;
  for (const value of wave) largest = Math.max(largest, Math.abs(value));
  return wave.map((value) => (value * peak) / largest);
}

/** Normally distributed numbers; the same ones for a seed (mulberry32, and Box and Muller's transformation). */
export function normal(seed: number): () => number {
  let state = Math.imul(seed, 0x9e3779b1) >>> 0;
  const uniform = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
  let spare: number | null = null;
  return () => {
    if (spare !== null) {
      const value = spare;
      spare = null;
      return value;
    }
    const size = Math.sqrt(-2 * Math.log(1 - uniform()));
    const angle = 2 * Math.PI * uniform();
    spare = size * Math.sin(angle);
    return size * Math.cos(angle);
  };
}
