/**
 * Music in the page: what the roll draws, the player plays and the page edits. No DOM, no server.
 *
 * The interfaces here are what the parts share; the classes that implement them lie beside this file.
 */

import type { LockedNote, Note, Operation, Song, TrackRef } from "../protocol";

/** A set of notes by value, the same in the selection, in locks and in operations. */
export interface NoteRef {
  track: string;
  tick: number;
  pitch: number;
}

/** The notes of one track, sorted by tick then pitch, as typed arrays; immutable. */
export interface NoteTable {
  readonly count: number;
  readonly tick: Int32Array;
  readonly length: Int32Array;
  readonly pitch: Uint8Array;
  readonly velocity: Uint8Array;
  /** Indexes of the notes that sound anywhere in [from, to), ascending; never scans the whole table. */
  within(from: number, to: number): Iterable<number>;
  /** The index of the note at a tick and pitch, or -1. */
  find(tick: number, pitch: number): number;
  /** A new table without some notes and with others; notes of the same pitch never overlap in it. */
  changed(remove: readonly Note[], add: readonly Note[]): NoteTable;
}

export interface TrackState extends TrackRef {
  channel: number;
  /** 0 to 127, and from left to right; missing: the file says nothing. */
  volume?: number;
  pan?: number;
  notes: NoteTable;
}

/** A song as the page has it: immutable; an operation makes a new one that shares all unchanged tracks. */
export interface SongState {
  readonly ticksPerQuarter: number;
  readonly end: number;
  readonly clock: TempoMap;
  readonly bars: BarLines;
  readonly keys: Song["keys"];
  readonly tracks: readonly TrackState[];
  track(id: string): TrackState | undefined;
  apply(operations: readonly Operation[]): SongState;
  /** What undoes `operations` applied to this state. */
  inverse(operations: readonly Operation[]): Operation[];
}

export interface TempoMap {
  seconds(tick: number): number;
  tick(seconds: number): number;
  quartersPerMinute(tick: number): number;
}

export interface BarLines {
  /** Bars with music; bars go on after them with the last meter. */
  readonly count: number;
  /** The tick where bar `number` (from 1) begins. */
  start(number: number): number;
  /** The bar (from 1) at a tick. */
  at(tick: number): number;
  /** Bar, beat and the rest as a fraction of a beat, of a tick. */
  place(tick: number): { bar: number; beat: number; rest: number };
  meter(bar: number): [numerator: number, denominator: number];
}

/** A track of a layer; how loud and from where it is heard, where it is not one of the song's. */
export interface LayerTrack extends TrackRef {
  volume?: number;
  pan?: number;
}

/** A growing or finished idea as the roll draws it and the player plays it, above the song it belongs to. */
export interface IdeaLayer {
  id: string;
  /** Notes of the song that the idea removes, by track. */
  removed: Map<string, Note[]>;
  /** Its own notes, by track; `track` null in the protocol becomes a track of its own, `new:PROGRAM`. */
  added: Map<string, { ref: LayerTrack; notes: Note[] }>;
  /** It can be played up to this tick; Infinity when it is finished. */
  frontier: number;
  /** Its bars, counted from 1. */
  bars: [number, number] | null;
}

export interface Locks {
  has(track: string, tick: number, pitch: number): boolean;
  list(): LockedNote[];
}
