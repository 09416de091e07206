/** A song as the page has it: immutable; operations make new ones. */

import type { Note, Operation, Song } from "../protocol";
import type { SongState, TrackState } from "./music";
import { Notes, notesOnlyIn } from "./notes";
import { Bars, Tempos } from "./time";

const DRUM_CHANNEL = 9;
const CHANNELS = 16;

type NotesOperation = Extract<Operation, { type: "notes" }>;

interface Track extends TrackState {
  notes: Notes;
  /** Made by an operation, not by the file: it goes when its last note goes. */
  made: boolean;
}

interface Fields {
  ticksPerQuarter: number;
  /** The end that the server named; later notes extend it. */
  namedEnd: number;
  lines: readonly number[];
  meters: Song["meters"];
  keys: Song["keys"];
  clock: Tempos;
  tracks: readonly Track[];
}

/** What a track has of which the file says nothing. */
export const USUAL_VOLUME = 100;
export const MIDDLE = 64;

export class SongData implements SongState {
  readonly ticksPerQuarter: number;
  readonly end: number;
  readonly clock: Tempos;
  readonly bars: Bars;
  readonly keys: Song["keys"];
  readonly tracks: readonly Track[];

  private constructor(private readonly fields: Fields) {
    this.ticksPerQuarter = fields.ticksPerQuarter;
    this.clock = fields.clock;
    this.keys = fields.keys;
    this.tracks = fields.tracks;
    const latest = fields.tracks.reduce((end, track) => Math.max(end, track.notes.end), 0);
    const named = new Bars(fields.lines, fields.meters, fields.ticksPerQuarter);
    if (latest <= named.start(named.count + 1)) {
      this.bars = named;
    } else {
      const lines = Array.from({ length: named.at(latest - 1) + 1 }, (_, bar) => named.start(bar + 1));
      this.bars = new Bars(lines, fields.meters, fields.ticksPerQuarter);
    }
    this.end = Math.max(fields.namedEnd, latest > fields.namedEnd ? this.bars.lineFrom(latest) : 0);
  }

  /** The song that the server sent. */
  static from(song: Song): SongData {
    return new SongData({
      ticksPerQuarter: song.ticksPerQuarter,
      namedEnd: song.end,
      lines: song.bars,
      meters: song.meters,
      keys: song.keys,
      clock: new Tempos(song.tempos, song.ticksPerQuarter),
      tracks: song.tracks.map(({ id, notes, ...rest }) => ({
        ...rest,
        track: id,
        notes: Notes.fromFlat(notes),
        made: false,
      })),
    });
  }

  track(id: string): Track | undefined {
    return this.tracks.find((track) => track.track === id);
  }

  apply(operations: readonly Operation[]): SongData {
    return operations.reduce<SongData>((song, operation) => song.applied(operation), this);
  }

  inverse(operations: readonly Operation[]): Operation[] {
    const inverse: Operation[] = [];
    let song: SongData = this;
    for (const operation of operations) {
      const next = song.applied(operation);
      inverse.unshift(...song.undoing(operation, next, this));
      song = next;
    }
    return inverse;
  }

  private applied(operation: Operation): SongData {
    switch (operation.type) {
      case "notes":
        return this.withNotes(operation);
      case "program":
        return this.withTrack(operation.track, (track) => ({ ...track, program: operation.program }));
      case "mix": {
        const { type: _, track: id, ...mix } = operation;
        return this.withTrack(id, (track) => ({ ...track, ...mix }));
      }
      case "rename":
        return this.withTrack(operation.track, (track) => ({ ...track, name: operation.name }));
      case "tempo":
        return this.but({ clock: this.clock.with(operation.tick, operation.quartersPerMinute) });
    }
  }

  private undoing(operation: Operation, next: SongData, first: SongData): Operation[] {
    if (operation.type === "tempo") {
      // A tempo change cannot be taken away, only made to say nothing: what was there before all of the operations.
      const { tick } = operation;
      return [{ type: "tempo", tick, quartersPerMinute: first.clock.quartersPerMinute(tick) }];
    }
    const before = this.track(operation.track);
    if (operation.type === "notes") {
      const was = before?.notes ?? Notes.none;
      const is = next.track(operation.track)?.notes ?? Notes.none;
      const { track, program, drum, name } = before ?? operation;
      return [{ type: "notes", track, program, drum, name, remove: notesOnlyIn(is, was), add: notesOnlyIn(was, is) }];
    }
    if (!before) return [];
    if (operation.type === "mix") {
      const { volume = USUAL_VOLUME, pan = MIDDLE } = before;
      return [{ type: "mix", track: before.track, volume, pan }];
    }
    return operation.type === "program"
      ? [{ type: "program", track: before.track, program: before.program }]
      : [{ type: "rename", track: before.track, name: before.name }];
  }

  private withNotes({ track: id, program, drum, name, remove, add }: NotesOperation): SongData {
    const track = this.track(id);
    if (track) {
      const notes = track.notes.changed(remove, add);
      if (track.made && notes.count === 0) return this.but({ tracks: this.tracks.filter((other) => other !== track) });
      return this.withTrack(id, () => ({ ...track, notes }));
    }
    if (add.length === 0) return this;
    const notes = Notes.none.changed([], add);
    const made: Track = { track: id, program, drum, name, channel: this.freeChannel(drum), notes, made: true };
    return this.but({ tracks: [...this.tracks, made] });
  }

  private withTrack(id: string, change: (track: Track) => Track): SongData {
    return this.but({ tracks: this.tracks.map((track) => (track.track === id ? change(track) : track)) });
  }

  private but(fields: Partial<Fields>): SongData {
    return new SongData({ ...this.fields, ...fields });
  }

  private freeChannel(drum: boolean): number {
    if (drum) return DRUM_CHANNEL;
    const used = new Set(this.tracks.map((track) => track.channel));
    for (let channel = 0; channel < CHANNELS; channel++) {
      if (channel !== DRUM_CHANNEL && !used.has(channel)) return channel;
    }
    return 0;
  }
}

/** All notes of a song by track id, as lists: for tests, comparisons and clipboards. */
export function notesOf(song: SongState): Map<string, Note[]> {
  const all = new Map<string, Note[]>();
  for (const { track, notes } of song.tracks) {
    all.set(track, Array.from({ length: notes.count }, (_, index) => (notes as Notes).note(index)));
  }
  return all;
}
