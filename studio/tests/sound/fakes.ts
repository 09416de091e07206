/** The smallest music the sound can be tested with. */

import type { BarLines, IdeaLayer, NoteTable, SongState, TempoMap, TrackState } from "../../src/music/music";
import type { Note } from "../../src/protocol";
import type { Part } from "../../src/sound/source";
import type { Stage } from "../../src/sound/transport";

export const QUARTER = 480;

function table(notes: readonly Note[]): NoteTable {
  const sorted = [...notes].sort((a, b) => a[0] - b[0] || a[2] - b[2]);
  return {
    count: sorted.length,
    tick: Int32Array.from(sorted, (note) => note[0]),
    length: Int32Array.from(sorted, (note) => note[1]),
    pitch: Uint8Array.from(sorted, (note) => note[2]),
    velocity: Uint8Array.from(sorted, (note) => note[3]),
    within: (from, to) => sorted.map((_, n) => n).filter((n) => {
      const [tick, length] = sorted[n] ?? [0, 0];
      return tick < to && tick + length > from;
    }),
    find: (tick, pitch) => sorted.findIndex((note) => note[0] === tick && note[2] === pitch),
    changed: () => table(sorted),
  };
}

/** One tempo from the start on. */
export function tempo(quartersPerMinute: number): TempoMap {
  const perSecond = (quartersPerMinute / 60) * QUARTER;
  return { seconds: (tick) => tick / perSecond, tick: (seconds) => seconds * perSecond, quartersPerMinute: () => quartersPerMinute };
}

/** Bars of one meter. */
export function meter(numerator: number, denominator: number, count: number): BarLines {
  const length = (QUARTER * 4 * numerator) / denominator;
  return {
    count,
    start: (number) => (number - 1) * length,
    at: (tick) => Math.floor(tick / length) + 1,
    place: (tick) => ({ bar: Math.floor(tick / length) + 1, beat: 1, rest: 0 }),
    meter: () => [numerator, denominator],
  };
}

export interface Given {
  bars?: number;
  meter?: [number, number];
  quartersPerMinute?: number;
  tracks: Record<string, { program?: number; drum?: boolean; notes: Note[] }>;
}

export function song(given: Given): SongState {
  const tracks: TrackState[] = Object.entries(given.tracks).map(([track, { program = 0, drum = false, notes }], n) => ({
    track, program, drum, name: track, channel: n, notes: table(notes),
  }));
  const bars = meter(...(given.meter ?? [4, 4]), given.bars ?? 2);
  const state: SongState = {
    ticksPerQuarter: QUARTER,
    end: bars.start(bars.count + 1),
    clock: tempo(given.quartersPerMinute ?? 120),
    bars,
    keys: [],
    tracks,
    track: (id) => tracks.find(({ track }) => track === id),
    apply: () => state,
    inverse: () => [],
  };
  return state;
}

export function idea(id: string, layer: Partial<IdeaLayer> = {}): IdeaLayer {
  return { id, removed: new Map(), added: new Map(), frontier: Infinity, bars: null, ...layer };
}

/** Writes down what it is told to play; times in milliseconds. */
export class Notebook implements Stage {
  readonly lines: string[] = [];

  strike(part: Part, pitch: number, velocity: number, at: number): void {
    this.lines.push(`${Math.round(at * 1000)} ${part.id} ${pitch} on ${velocity}`);
  }

  release(part: Part, pitch: number, at: number): void {
    this.lines.push(`${Math.round(at * 1000)} ${part.id} ${pitch} off`);
  }

  click(accent: boolean, at: number): void {
    this.lines.push(`${Math.round(at * 1000)} ${accent ? "CLICK" : "click"}`);
  }

  /** What is new since the last call, in the order of time. */
  take(): string[] {
    return this.lines.splice(0).sort((a, b) => Number.parseInt(a, 10) - Number.parseInt(b, 10));
  }
}
