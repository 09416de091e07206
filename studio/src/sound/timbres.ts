/**
 * The instruments of the built-in sound: what partials they have, and how they come and go. They are those of the
 * Python package's `render/timbres.py`, so that a piece sounds alike in the page and in a rendered file; only their gains
 * differ, as nothing evens out a piece's loudness while it is played.
 */

export interface Timbre {
  /** Strengths of the partials at the onset of a loud note. */
  bright: readonly number[];
  /** Strengths of the partials that stay. */
  dark: readonly number[];
  /** Seconds until a note is at its loudest. */
  attack: number;
  /** Seconds in which a struck or plucked middle C falls by a factor of e; null for what is blown or bowed. */
  decay: number | null;
  /** Seconds in which the bright partials leave. */
  fade: number;
  /** Seconds a note rings on when let go. */
  release: number;
  /** Depth of the vibrato in cents; it sets in after a third of a second. */
  vibrato: number;
  /** Two players this many cents apart. */
  chorus: number;
  /** Loudness beside the others. */
  gain: number;
}

const PARTIALS = 24;

/** Partials that fall off with a power of their number; `even` scales every second one. */
function falling(power: number, count = PARTIALS, even = 1): number[] {
  return Array.from({ length: count }, (_, index) => ((index + 1) % 2 ? 1 : even) / (index + 1) ** power);
}

function timbre(bright: readonly number[], dark: readonly number[], rest: Partial<Timbre>): Timbre {
  const plain = { attack: 0.008, decay: null, fade: 0.3, release: 0.12, vibrato: 0, chorus: 0, gain: 1 };
  return { ...plain, bright, dark, ...rest };
}

const PIANO = timbre(falling(1.15), falling(2.1, 8), { attack: 0.003, decay: 1.5, fade: 0.35, release: 0.14, gain: 1.1 });
const ELECTRIC = timbre([1, 0.15, 0.5, 0.05, 0.2, 0.02, 0.12], [1, 0.12, 0.08], {
  attack: 0.004, decay: 1.6, fade: 0.25, release: 0.15,
});
const HARPSICHORD = timbre(falling(0.7), falling(1.1, 16), {
  attack: 0.002, decay: 0.8, fade: 0.2, release: 0.06, gain: 0.75,
});
const BELL = timbre([1, 0, 0.3, 0.55, 0, 0, 0.2, 0, 0.1, 0, 0.25], [1, 0, 0, 0.2], {
  attack: 0.002, decay: 0.9, fade: 0.12, release: 0.5,
});
const WOOD = timbre([1, 0, 0.1, 0.6, 0, 0, 0, 0, 0, 0.2], [1, 0, 0, 0.1], {
  attack: 0.002, decay: 0.22, fade: 0.05, release: 0.15, gain: 1.7,
});
const PIPES = [1, 0.8, 0.5, 0.6, 0.1, 0.3, 0, 0.25];
const ORGAN = timbre(PIPES, PIPES, { attack: 0.015, release: 0.07, gain: 0.45 });
const ACCORDION = timbre(falling(0.9, 18), falling(1, 18), { attack: 0.03, release: 0.08, chorus: 7, gain: 0.65 });
const GUITAR = timbre(falling(1, 18), falling(1.9, 8), { attack: 0.003, decay: 0.9, fade: 0.2, release: 0.1 });
const LEAD_GUITAR = timbre(falling(0.75), falling(0.9), {
  attack: 0.004, decay: 5, fade: 1, release: 0.1, vibrato: 6, gain: 0.45,
});
const MUTED = timbre(falling(1.2, 12), falling(2.2, 6), {
  attack: 0.002, decay: 0.14, fade: 0.06, release: 0.05, gain: 1.6,
});
const BASS = timbre(falling(1.2, 12), falling(1.8, 5), {
  attack: 0.005, decay: 1.3, fade: 0.2, release: 0.08, gain: 1.3,
});
const STRINGS = timbre(falling(1.05), falling(1.2, 18), {
  attack: 0.07, release: 0.16, vibrato: 9, fade: 0.4, gain: 0.62,
});
const SECTION = timbre(falling(1.1, 20), falling(1.3, 16), {
  attack: 0.11, release: 0.28, vibrato: 5, chorus: 9, gain: 0.85,
});
const VOICES = timbre([1, 0.75, 0.45, 0.2, 0.1, 0.12, 0.09, 0.04], [1, 0.7, 0.4, 0.15, 0.07, 0.1, 0.06], {
  attack: 0.08, release: 0.2, vibrato: 10, chorus: 7, gain: 0.75,
});
const HARP = timbre(falling(1.3, 14), falling(2.2, 6), {
  attack: 0.003, decay: 1.1, fade: 0.2, release: 0.5, gain: 1.1,
});
const TIMPANI = timbre([1, 0.6, 0.4, 0.3, 0.2], [1, 0.3, 0.1], {
  attack: 0.003, decay: 0.45, fade: 0.1, release: 0.4, gain: 1.6,
});
const BRASS = timbre(falling(0.85, 20), falling(1.05, 16), {
  attack: 0.035, release: 0.1, fade: 0.25, vibrato: 4, gain: 0.5,
});
const SOFT_BRASS = timbre(falling(1.3, 14), falling(1.6, 10), { attack: 0.05, release: 0.12, gain: 0.75 });
const REED = timbre(falling(0.9, 18), falling(1, 16), { attack: 0.03, release: 0.08, vibrato: 6, gain: 0.5 });
const CLARINET = timbre(falling(1, 15, 0.08), falling(1.15, 13, 0.08), { attack: 0.035, release: 0.08, gain: 0.7 });
const FLUTE = timbre([1, 0.45, 0.2, 0.06, 0.03], [1, 0.3, 0.1, 0.03], {
  attack: 0.045, release: 0.1, vibrato: 9, gain: 0.85,
});
const SQUARE = timbre(falling(1, 23, 0), falling(1, 23, 0), { release: 0.06, gain: 0.55 });
const SAW = timbre(falling(1), falling(1.1), { release: 0.06, chorus: 5, gain: 0.7 });
const PAD = timbre(falling(1.3, 16), falling(1.7, 12), { attack: 0.3, release: 0.6, chorus: 11, gain: 1 });

const FAMILIES: readonly Timbre[] = [
  PIANO, BELL, ORGAN, GUITAR, BASS, STRINGS, SECTION, BRASS,
  REED, FLUTE, SAW, PAD, PAD, GUITAR, WOOD, PAD,
];
const EXCEPTIONS: ReadonlyMap<number, Timbre> = new Map([
  [4, ELECTRIC], [5, ELECTRIC], [6, HARPSICHORD], [7, HARPSICHORD], [12, WOOD], [13, WOOD], [15, HARP],
  [20, ACCORDION], [21, ACCORDION], [22, ACCORDION], [23, ACCORDION], [28, MUTED], [29, LEAD_GUITAR],
  [30, LEAD_GUITAR], [44, SECTION], [45, MUTED], [46, HARP], [47, TIMPANI], [52, VOICES], [53, VOICES],
  [54, VOICES], [55, BRASS], [58, SOFT_BRASS], [60, SOFT_BRASS], [71, CLARINET], [80, SQUARE], [82, FLUTE],
  [83, FLUTE], [85, VOICES], [87, BASS], [91, VOICES], [98, BELL], [109, REED], [110, STRINGS], [111, REED],
  [116, TIMPANI], [117, TIMPANI],
]);

/** The timbre that stands for a General MIDI program. */
export function timbreOf(program: number): Timbre {
  return EXCEPTIONS.get(program) ?? FAMILIES[Math.floor(program / 8) % 16] ?? PIANO;
}

/** Coefficients of one period, for `createPeriodicWave` without normalisation. */
export interface Spectrum {
  real: Float32Array<ArrayBuffer>;
  imag: Float32Array<ArrayBuffer>;
}

/**
 * What stays of a tone, and what its bright onset adds to it; with the partials below half the sampling rate, and as
 * loud as each other whatever partials there are.
 */
export function spectra(timbre: Timbre, audible: number): { dark: Spectrum; bright: Spectrum } {
  const { dark, added } = strengths(timbre, audible);
  return { dark: spectrum(dark), bright: spectrum(added) };
}

/** The tone of what is blown or bowed, with a share of its brilliance that stays. */
export function heldSpectrum(timbre: Timbre, audible: number, share: number): Spectrum {
  const { dark, added } = strengths(timbre, audible);
  return spectrum(added.map((strength, n) => (dark[n] ?? 0) + share * strength));
}

function strengths(timbre: Timbre, audible: number): { dark: number[]; added: number[] } {
  const dark = evened(timbre.dark, audible);
  const bright = evened(timbre.bright, audible);
  const added = Array.from(
    { length: Math.max(dark.length, bright.length) },
    (_, n) => 0.8 * ((bright[n] ?? 0) - 0.75 * (dark[n] ?? 0)),
  );
  return { dark: dark.map((strength) => 0.75 * strength), added };
}

/** Strengths scaled so that the wave's root mean square is 1. */
function evened(strengths: readonly number[], audible: number): number[] {
  const heard = strengths.slice(0, Math.max(1, audible));
  const size = Math.sqrt(heard.reduce((sum, strength) => sum + strength * strength, 0) / 2);
  return heard.map((strength) => strength / size);
}

function spectrum(strengths: readonly number[]): Spectrum {
  const real = new Float32Array(Math.max(2, strengths.length + 1));
  const imag = new Float32Array(real.length);
  strengths.forEach((strength, n) => {
    // Phases spread as the squares of the numbers keep the peaks of the sum low.
    const phase = (Math.PI * n * n) / 16;
    real[n + 1] = strength * Math.cos(phase);
    imag[n + 1] = -strength * Math.sin(phase);
  });
  return { real, imag };
}

/** Louder is brighter: the share of bright partials in four steps of velocity. */
export function brightness(velocity: number): number {
  return [0.35, 0.6, 0.85, 1][Math.min(3, Math.floor(velocity / 32))] ?? 1;
}

/** The loudness of a note by its velocity. */
export function loudness(velocity: number): number {
  return 0.2 * (velocity / 127) ** 1.7;
}

/** Seconds in which a tone of a pitch dies away by a factor of e: high strings die away sooner. */
export function decayOf(timbre: Timbre, pitch: number): number | null {
  return timbre.decay === null ? null : timbre.decay * 2 ** ((60 - pitch) / 20);
}
