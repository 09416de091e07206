/** Instruments by their names, and the few one adds most often. */

import { INSTRUMENT } from "../strings";

export const INSTRUMENTS: readonly string[] = INSTRUMENT.names.split("|");

export const DRUMS = -1;

/** The name of a program, -1 the drums. */
export function instrument(program: number, drum = program === DRUMS): string {
  return drum ? INSTRUMENT.drums : (INSTRUMENTS[program] ?? INSTRUMENT.program(program));
}

/** A name for the track list: the track's own, or its instrument's. */
export function trackName(track: { name: string; program: number; drum: boolean }): string {
  return track.name.trim() || instrument(track.program, track.drum);
}

/** Instruments offered first when one is to be added: label, and programs in the order of preference. */
const QUICK: readonly (readonly [string, readonly number[]])[] = [
  [INSTRUMENT.bass, [33, 32, 34, 35, 43]],
  [INSTRUMENT.piano, [0, 1, 4]],
  [INSTRUMENT.drums, [DRUMS]],
  [INSTRUMENT.strings, [48, 49, 40]],
  [INSTRUMENT.guitar, [24, 25, 26, 27]],
  [INSTRUMENT.cello, [42]],
  [INSTRUMENT.flute, [73, 74]],
  [INSTRUMENT.choir, [52, 53]],
];

/** Those of the quick instruments that a model can write; all of them if it does not say. */
export function quickInstruments(known: readonly number[]): { label: string; program: number }[] {
  const found: { label: string; program: number }[] = [];
  for (const [label, programs] of QUICK) {
    const program = known.length === 0 ? programs[0] : programs.find((one) => known.includes(one));
    if (program !== undefined) found.push({ label, program });
  }
  return found;
}

/** A pitch from "C4", "F#3", "Bb2" or a number; null if it is none. */
export function readPitch(text: string): number | null {
  const found = /^\s*([A-Ga-g])([#♯b♭]?)(-?\d)\s*$/.exec(text);
  const letter = found?.[1]?.toUpperCase();
  const pitch =
    found && letter
      ? (Number(found[3]) + 1) * 12 +
        "C D EF G A B".indexOf(letter) +
        ({ "#": 1, "♯": 1, b: -1, "♭": -1 }[found[2] ?? ""] ?? 0)
      : Number(text.trim() || NaN);
  return Number.isInteger(pitch) && pitch >= 0 && pitch <= 127 ? pitch : null;
}

/** How a track is marked wherever it is named; the roll uses the same eight. */
export const TRACK_COLOURS = 8;
