/** Music from a seed, for tests. */

import type { Note, Operation, Song } from "../../src/protocol";

/** A generator of numbers in [0, 1) that is the same for the same seed (mulberry32). */
export function generator(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let value = Math.imul(state ^ (state >>> 15), state | 1);
    value ^= value + Math.imul(value ^ (value >>> 7), value | 61);
    return ((value ^ (value >>> 14)) >>> 0) / 4294967296;
  };
}

export function whole(random: () => number, below: number): number {
  return Math.floor(random() * below);
}

/** Notes of which no two of the same pitch overlap. */
export function someNotes(random: () => number, count: number, ticks: number): Note[] {
  const until = new Map<number, number>();
  const notes: Note[] = [];
  const ticksOf = Array.from({ length: count }, () => whole(random, ticks)).sort((a, b) => a - b);
  for (const tick of ticksOf) {
    const pitch = 30 + whole(random, 60);
    if ((until.get(pitch) ?? 0) > tick) continue;
    const length = 1 + whole(random, random() < 0.05 ? 5000 : 400);
    until.set(pitch, tick + length);
    notes.push([tick, length, pitch, 1 + whole(random, 127)]);
  }
  const next = new Map<number, number>();
  return notes
    .reverse()
    .map(([tick, length, pitch, velocity]): Note => {
      const end = Math.min(tick + length, next.get(pitch) ?? Infinity);
      next.set(pitch, tick);
      return [tick, end - tick, pitch, velocity];
    })
    .filter((note) => note[1] > 0)
    .reverse();
}

export function someSong(seed: number, count = 300): Song {
  const random = generator(seed);
  const end = 5 * 1920 + 46 * 1440;
  return {
    ticksPerQuarter: 480,
    end,
    tempos: [[0, 120], [9600, 90]],
    meters: [[0, 4, 4], [5 * 1920, 3, 4]],
    keys: [[0, -2, 0]],
    bars: [...Array.from({ length: 5 }, (_, bar) => bar * 1920), ...lines(5 * 1920, 1440, end)],
    tracks: [0, 1, 2].map((number) => ({
      id: `t${number}`,
      name: `Track ${number}`,
      program: number * 8,
      drum: number === 2,
      channel: number === 2 ? 9 : number,
      notes: someNotes(random, count, end - 2000).flat(),
    })),
  };
}

function lines(from: number, step: number, to: number): number[] {
  const all: number[] = [];
  for (let tick = from; ; tick += step) {
    all.push(tick);
    if (tick >= to) return all;
  }
}

export function someOperation(random: () => number, song: Song): Operation {
  const kind = whole(random, 10);
  const track = `t${whole(random, 5)}`;
  if (kind === 0) return { type: "program", track, program: whole(random, 128) };
  if (kind === 1) return { type: "rename", track, name: `Name ${whole(random, 100)}` };
  if (kind === 2) return { type: "tempo", tick: whole(random, 20) * 960, quartersPerMinute: 40 + whole(random, 160) };
  const flat = song.tracks.find((row) => row.id === track)?.notes ?? [];
  const remove: Note[] = [];
  for (let n = 0; n < 5 && flat.length; n++) {
    const at = 4 * whole(random, flat.length / 4);
    remove.push(flat.slice(at, at + 4) as Note);
  }
  const add = someNotes(random, 10, song.end).concat(someNotes(random, 10, song.end));
  return { type: "notes", track, program: 5, drum: false, name: "Made", remove, add };
}
