/** A song as a MIDI file, for the SoundFont synthesizer's own player. */

import type { SongState, TrackState } from "../music/music";
import type { Instrument } from "./player";

const DRUMS = 9;
const MELODIC = [0, 1, 2, 3, 4, 5, 6, 7, 8, 10, 11, 12, 13, 14, 15];

interface Event {
  tick: number;
  /** At the same tick: what ends before what begins. */
  order: number;
  bytes: number[];
}

/** The bytes of a MIDI file of format 1: the tempos, and each track on a channel of its program. */
export function midiFile(song: SongState): ArrayBuffer {
  const programs = [...new Set(song.tracks.filter(({ drum }) => !drum).map(({ program }) => program))];
  const channels = new Map(programs.map((program, n) => [program, MELODIC[n % MELODIC.length] ?? 0]));
  // With more programs than channels, some are shared, and every note says its program.
  const shared = programs.length > MELODIC.length;
  const tracks = song.tracks.map((track) => trackEvents(track, track.drum ? DRUMS : (channels.get(track.program) ?? 0), shared));
  const chunks = [tempoEvents(song), ...tracks].map((events) => chunk("MTrk", delta(events, song.end)));
  const head = chunk("MThd", [0, 1, 0, chunks.length, song.ticksPerQuarter >> 8, song.ticksPerQuarter & 255]);
  const bytes = new Uint8Array(head.length + chunks.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of [head, ...chunks]) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes.buffer;
}

/** The tempo at each bar and beat where it is another: a tempo map can be asked, but not listed. */
function tempoEvents(song: SongState): Event[] {
  const events: Event[] = [];
  let before = 0;
  for (let tick = 0; tick < song.end; tick += Math.max(1, Math.floor(song.ticksPerQuarter / 8))) {
    const tempo = song.clock.quartersPerMinute(tick);
    if (tempo === before) continue;
    before = tempo;
    const micros = Math.min(0xffffff, Math.round(60_000_000 / tempo));
    events.push({ tick, order: 0, bytes: [0xff, 0x51, 3, micros >> 16, (micros >> 8) & 255, micros & 255] });
  }
  return events;
}

/** The controllers that an instrument sets, and their values: volume, and where it sits. */
export function controllersOf({ volume, pan }: Instrument): [controller: 7 | 10, value: number][] {
  return [
    [7, volume ?? 100],
    [10, pan ?? 64],
  ];
}

function trackEvents(track: TrackState, channel: number, shared: boolean): Event[] {
  const { drum, program, notes } = track;
  const mix = track.volume !== undefined || track.pan !== undefined;
  const events: Event[] = [];
  const change = [0xc0 | channel, drum ? 0 : program];
  if (!shared || drum) events.push({ tick: 0, order: 0, bytes: change });
  for (let n = 0; n < notes.count; n++) {
    const tick = notes.tick[n] ?? 0;
    const pitch = notes.pitch[n] ?? 0;
    if (shared && !drum) events.push({ tick, order: 2, bytes: change });
    // Tracks of one program share a channel: each says again what it is set to.
    if (mix) for (const pair of controllersOf(track)) events.push({ tick, order: 2, bytes: [0xb0 | channel, ...pair] });
    events.push({ tick, order: 2, bytes: [0x90 | channel, pitch, Math.max(1, notes.velocity[n] ?? 64)] });
    events.push({ tick: tick + Math.max(1, notes.length[n] ?? 1), order: 1, bytes: [0x80 | channel, pitch, 64] });
  }
  return events;
}

function delta(events: Event[], end: number): number[] {
  const bytes: number[] = [];
  let before = 0;
  for (const event of events.sort((a, b) => a.tick - b.tick || a.order - b.order)) {
    bytes.push(...variable(event.tick - before), ...event.bytes);
    before = event.tick;
  }
  bytes.push(...variable(Math.max(0, end - before)), 0xff, 0x2f, 0);
  return bytes;
}

function variable(value: number): number[] {
  const bytes = [value & 127];
  for (let rest = value >> 7; rest > 0; rest >>= 7) bytes.unshift((rest & 127) | 128);
  return bytes;
}

function chunk(name: string, content: readonly number[]): Uint8Array {
  const { length } = content;
  const size = [length >>> 24, (length >> 16) & 255, (length >> 8) & 255, length & 255];
  const bytes = new Uint8Array(8 + length);
  bytes.set([...name].map((letter) => letter.charCodeAt(0)));
  bytes.set(size, 4);
  bytes.set(content, 8);
  return bytes;
}
