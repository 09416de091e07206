/** What a MIDI keyboard sends, as far as notes and the pedal go. */

export type Played =
  | { type: "on"; channel: number; pitch: number; velocity: number }
  | { type: "off"; channel: number; pitch: number }
  | { type: "pedal"; channel: number; down: boolean };

const SUSTAIN = 64;

/** A MIDI message; null where it is none of these, or broken. */
export function parseMidi(bytes: ArrayLike<number>): Played | null {
  const status = bytes[0] ?? 0;
  const first = bytes[1] ?? -1;
  const second = bytes[2] ?? -1;
  const channel = status & 0x0f;
  if (first < 0 || first > 127 || second < 0 || second > 127) return null;
  switch (status & 0xf0) {
    case 0x90:
      // A note struck with no velocity is one let go.
      if (second === 0) return { type: "off", channel, pitch: first };
      return { type: "on", channel, pitch: first, velocity: second };
    case 0x80:
      return { type: "off", channel, pitch: first };
    case 0xb0:
      return first === SUSTAIN ? { type: "pedal", channel, down: second >= 64 } : null;
    default:
      return null;
  }
}
