/** Gestures on the notes: each is an object from the press to the release. */

import type { Note, TrackRef } from "../protocol";
import type { Edit } from "../music/edits";
import { changeOf, clampedMove, movedNote, refsOf, snap, snapDown, snapUp } from "../music/edits";
import type { NoteRef } from "../music/music";
import { NoteSet } from "../music/sets";
import type { Hit } from "./hit";
import { hitNote } from "./hit";
import type { Host } from "./host";
import { Dirty } from "./stage";
import { target, touchable } from "./state";
import { ROLL } from "../strings";

/** Where the pointer is: device pixels in the port, and what lies there. */
export interface Point {
  x: number;
  y: number;
  tick: number;
  pitch: number;
  alt: boolean;
  copy: boolean;
  shift: boolean;
  coarse: boolean;
}

export interface Gesture {
  /** The pointer may go outside the port, which scrolls then. */
  readonly scrolls: boolean;
  move(point: Point): void;
  /** `moved` is false where it was a click. */
  end(point: Point, moved: boolean): void;
  cancel(): void;
}

function grid(host: Host, point: Point): number {
  return point.alt ? 0 : host.state.grid;
}

function count(notes: ReadonlyMap<string, readonly Note[]>): number {
  let all = 0;
  for (const list of notes.values()) all += list.length;
  return all;
}

/** Press on a note: selects it; a drag moves the selection, or copies it. */
export class Move implements Gesture {
  readonly scrolls = true;
  private readonly free: Map<string, Note[]>;
  private readonly anchor: Note;
  private readonly was: boolean;
  private readonly before: NoteSet;
  private sounded: number;
  private step: [number, number] = [0, 0];

  constructor(
    private readonly host: Host,
    private readonly hit: Hit,
    private readonly start: Point,
  ) {
    const { state } = host;
    const ref = refOf(hit);
    this.before = state.selection;
    this.was = state.selection.has(ref.track, ref.tick, ref.pitch);
    if (!this.was) host.showSelection(start.shift || start.copy ? state.selection.with([ref]) : [ref]);
    this.free = host.editable ? host.free(host.selected()) : new Map();
    this.anchor = hit.note;
    this.sounded = hit.note[2];
    host.sound(hit.track, hit.note[2], hit.note[3]);
  }

  move(point: Point): void {
    const { host, anchor, start } = this;
    const bars = host.state.song?.bars;
    if (!bars || this.free.size === 0) return;
    const step = grid(host, point);
    // The note goes to the grid; a note that was beside it keeps its distance until it is really moved.
    const still = Math.abs(point.x - start.x) < 3 * host.stage.view.ratio;
    const ticks = still ? 0 : snap(anchor[0] + point.tick - start.tick, step, bars) - anchor[0];
    this.step = clampedMove([...this.free.values()].flat(), ticks, point.pitch - start.pitch);
    const moved = changeOf(this.free, (note) => movedNote(note, ...this.step));
    host.preview(point.copy ? null : this.free, new Map([...moved].map(([track, edit]) => [track, edit.add])));
    const pitch = anchor[2] + this.step[1];
    if (pitch !== this.sounded) host.sound(this.hit.track, (this.sounded = pitch), anchor[3]);
  }

  end(point: Point, moved: boolean): void {
    const { host } = this;
    host.press([]);
    if (!moved) {
      this.click(point);
      return;
    }
    if (this.step[0] === 0 && this.step[1] === 0) {
      host.preview(null, null);
      host.select(host.state.selection);
      return;
    }
    const edit = changeOf(this.free, (note) => movedNote(note, ...this.step), point.copy);
    host.commit(edit, ROLL.edited(point.copy ? ROLL.copy : ROLL.move, count(this.free)));
  }

  cancel(): void {
    this.host.press([]);
    this.host.preview(null, null);
    this.host.showSelection(this.before);
  }

  private click(point: Point): void {
    const { host } = this;
    const ref = refOf(this.hit);
    host.preview(null, null);
    host.lastLength = this.hit.note[1];
    host.lastVelocity = this.hit.note[3];
    host.state.focus = ref;
    // A press on a selected note may begin a drag of the whole selection, so it is only taken out at the release.
    if (this.was && (point.shift || point.copy)) host.select(host.state.selection.without([ref]));
    else if (this.was) host.select([ref]);
    else host.select(host.state.selection);
  }
}

/** Press on a note's right edge: a drag makes the selection longer or shorter. */
export class Stretch implements Gesture {
  readonly scrolls = true;
  private readonly free: Map<string, Note[]>;
  private readonly before: NoteSet;
  private more = 0;

  constructor(
    private readonly host: Host,
    private readonly hit: Hit,
    private readonly start: Point,
  ) {
    const ref = refOf(hit);
    this.before = host.state.selection;
    if (!this.before.has(ref.track, ref.tick, ref.pitch)) host.showSelection([ref]);
    this.free = host.editable ? host.free(host.selected()) : new Map();
    host.sound(hit.track, hit.note[2], hit.note[3]);
  }

  move(point: Point): void {
    const { host } = this;
    const bars = host.state.song?.bars;
    if (!bars || this.free.size === 0) return;
    const [tick, length] = this.hit.note;
    const end = snap(tick + length + point.tick - this.start.tick, grid(host, point), bars);
    this.more = Math.max(end, tick + this.shortest(point)) - tick - length;
    const edit = changeOf(this.free, (note) => this.stretched(note, point));
    host.preview(this.free, new Map([...edit].map(([track, { add }]) => [track, add])));
  }

  end(point: Point, moved: boolean): void {
    const { host } = this;
    host.press([]);
    if (!moved || this.more === 0) {
      host.preview(null, null);
      host.select(moved ? host.state.selection : [refOf(this.hit)]);
      return;
    }
    host.lastLength = this.stretched(this.hit.note, point)[1];
    host.commit(changeOf(this.free, (note) => this.stretched(note, point)), ROLL.edited(ROLL.stretch, count(this.free)));
  }

  cancel(): void {
    this.host.press([]);
    this.host.preview(null, null);
    this.host.showSelection(this.before);
  }

  private shortest(point: Point): number {
    return Math.max(1, Math.min(grid(this.host, point) || 1, this.hit.note[1]));
  }

  private stretched(note: Note, point: Point): Note {
    const least = Math.min(note[1], this.shortest(point));
    return [note[0], Math.max(least, note[1] + this.more), note[2], note[3]];
  }
}

/** Press beside the notes: a drag selects what the band touches, a click selects nothing. */
export class Band implements Gesture {
  readonly scrolls = true;
  private readonly before: NoteSet;

  constructor(
    private readonly host: Host,
    private readonly start: Point,
  ) {
    this.before = host.state.selection;
  }

  move(point: Point): void {
    const { host, start } = this;
    const band = {
      from: Math.max(0, Math.min(start.tick, point.tick)),
      to: Math.max(start.tick, point.tick),
      low: Math.min(start.pitch, point.pitch),
      high: Math.max(start.pitch, point.pitch),
    };
    host.state.band = band;
    const refs: NoteRef[] = point.shift || point.copy ? [...this.before.refs] : [];
    for (const { track } of touchable(host.state)) {
      const { notes } = track;
      for (const index of notes.within(band.from, band.to)) {
        const pitch = notes.pitch[index] as number;
        if (pitch < band.low || pitch > band.high) continue;
        refs.push({ track: track.track, tick: notes.tick[index] as number, pitch });
      }
    }
    host.showSelection(refs);
  }

  end(point: Point, moved: boolean): void {
    this.host.state.band = null;
    this.host.stage.invalidate(Dirty.overlay);
    if (moved) this.host.select(this.host.state.selection);
    else if (!point.shift && !point.copy) {
      this.host.state.focus = null;
      this.host.select([]);
    }
  }

  cancel(): void {
    this.host.state.band = null;
    this.host.showSelection(this.before);
  }
}

/** Press beside the notes with the draw tool: a new note, as long as it is dragged. */
export class Draw implements Gesture {
  readonly scrolls = true;
  private readonly into: TrackRef | null;
  private note: Note;

  constructor(
    private readonly host: Host,
    start: Point,
  ) {
    const { state } = host;
    this.into = host.editable ? target(state) : null;
    const tick = state.song ? snapDown(start.tick, grid(host, start), state.song.bars) : 0;
    this.note = [tick, host.drawnLength, start.pitch, host.lastVelocity];
    if (!this.into) return;
    host.sound(this.into.track, start.pitch, host.lastVelocity);
    this.show();
  }

  move(point: Point): void {
    const bars = this.host.state.song?.bars;
    if (!bars) return;
    const [tick, , pitch, velocity] = this.note;
    const step = grid(this.host, point);
    this.note = [tick, Math.max(step || 1, snapUp(Math.max(point.tick, tick), step, bars) - tick), pitch, velocity];
    this.show();
  }

  end(): void {
    this.host.press([]);
    if (!this.into) return;
    this.host.lastLength = this.note[1];
    this.host.commit(drawing(this.into, this.note), ROLL.edited(ROLL.draw, 1));
  }

  cancel(): void {
    this.host.press([]);
    this.host.preview(null, null);
  }

  private show(): void {
    if (this.into) this.host.preview(null, new Map([[this.into.track, [this.note]]]));
  }
}

/** The right button with the draw tool: what it goes over is deleted. */
export class Erase implements Gesture {
  readonly scrolls = false;
  private readonly gone = new Map<string, Note[]>();

  constructor(
    private readonly host: Host,
    start: Point,
  ) {
    this.move(start);
  }

  move(point: Point): void {
    const { host } = this;
    const hit = host.editable ? hitNote(host.state, host.stage.view, point.x, point.y, point.coarse) : null;
    if (!hit || host.state.locks.has(hit.track, hit.note[0], hit.note[2])) return;
    const list = this.gone.get(hit.track) ?? [];
    if (list.some((note) => note[0] === hit.note[0] && note[2] === hit.note[2])) return;
    this.gone.set(hit.track, [...list, hit.note]);
    host.preview(this.gone, null);
  }

  end(): void {
    const left = this.host.state.selection.without(refsOf(this.gone));
    this.host.commit(changeOf(this.gone, () => null), ROLL.edited(ROLL.remove, count(this.gone)), left.refs);
  }

  cancel(): void {
    this.host.preview(null, null);
  }
}

/** A double click: a note where there is none, none where there is one. */
export function toggleNote(host: Host, point: Point): void {
  const { state, stage } = host;
  if (!host.editable || !state.song) return;
  const hit = hitNote(state, stage.view, point.x, point.y, point.coarse);
  if (hit) {
    if (state.locks.has(hit.track, hit.note[0], hit.note[2])) return;
    host.commit(new Map([[hit.track, { remove: [hit.note], add: [] }]]), ROLL.edited(ROLL.remove, 1), []);
    return;
  }
  insertNote(host, point.tick, point.pitch, grid(host, point));
}

/** Put a note of the last length and velocity at a tick and pitch. */
export function insertNote(host: Host, tick: number, pitch: number, step: number): void {
  const { song } = host.state;
  const into = target(host.state);
  if (!song || !into || !host.editable) return;
  const note: Note = [snapDown(tick, step, song.bars), host.drawnLength, pitch, host.lastVelocity];
  host.emit("sound", { track: into.track, pitch, velocity: host.lastVelocity });
  host.commit(drawing(into, note), ROLL.edited(ROLL.draw, 1));
}

function drawing(into: TrackRef, note: Note): Edit {
  return new Map([[into.track, { remove: [], add: [note], into }]]);
}

function refOf(hit: Hit): NoteRef {
  return { track: hit.track, tick: hit.note[0], pitch: hit.note[2] };
}
