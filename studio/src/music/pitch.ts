/** Names of pitches and members of scales. */

import { DRUM_NAMES } from "../strings";

const SHARP = ["C", "C♯", "D", "D♯", "E", "F", "F♯", "G", "G♯", "A", "A♯", "B"] as const;
const FLAT = ["C", "D♭", "D", "E♭", "E", "F", "G♭", "G", "A♭", "A", "B♭", "B"] as const;
const MAJOR = [0, 2, 4, 5, 7, 9, 11];
const MINOR = [0, 2, 3, 5, 7, 8, 10];

/** The name of a pitch, middle C (60) being C4; flats where the key has flats. */
export function pitchName(pitch: number, fifths = 0): string {
  const names = fifths < 0 ? FLAT : SHARP;
  return `${names[pitch % 12]}${Math.floor(pitch / 12) - 1}`;
}

export function isBlackKey(pitch: number): boolean {
  return [1, 3, 6, 8, 10].includes(pitch % 12);
}

export interface Key {
  /** Sharps above 0, flats below. */
  fifths: number;
  minor: boolean;
}

/** The key at a tick; before the first that is named, that one; null where none is. */
export function keyAt(keys: readonly [number, number, number][], tick: number): Key | null {
  let found: Key | null = null;
  for (const [at, fifths, minor] of keys) {
    if (at > tick && found) break;
    if (at <= tick || !found) found = { fifths, minor: minor > 0 };
  }
  return found;
}

/** The pitch class of a key's tonic. */
export function tonic(key: Key): number {
  return (((key.fifths * 7 + (key.minor ? 9 : 0)) % 12) + 12) % 12;
}

/** Which of the twelve pitch classes are in the key's scale. */
export function scaleOf(key: Key): boolean[] {
  const root = tonic(key);
  const members = new Set((key.minor ? MINOR : MAJOR).map((step) => (root + step) % 12));
  return Array.from({ length: 12 }, (_, pitchClass) => members.has(pitchClass));
}

/** The short name of a General MIDI drum; empty where there is none. */
export function drumName(pitch: number): string {
  return DRUM_NAMES[pitch] ?? "";
}
