/** Draws notes: into tiles, and what is above them. */

import { noteAt } from "../music/notes";
import { pitchName } from "../music/pitch";
import type { Note } from "../protocol";
import type { Locks, NoteTable } from "../music/music";
import type { Colours, TrackColours } from "./theme";
import { velocityStep, VELOCITY_STEPS } from "./theme";
import type { Layer } from "./state";
import type { View } from "./view";
import { KEYS, noteBox, noteWidth, pitchAt, rowHeight, tickAt } from "./view";

/** The most rectangles in one path: longer ones are slow to fill in some browsers. */
const PATH = 200;
/** A note narrower than this, in device pixels, is only part of its row's coverage. */
const SMALL = 2;
/** A note has an edge where at least this much is left inside, in device pixels. */
const LOWEST_INSIDE = 5;
/** Notes that are gathered at a time. */
const CHUNK = 500;
const NAME_ROW = 13;
const NAME_WIDTH = 26;

export type Context = CanvasRenderingContext2D | OffscreenCanvasRenderingContext2D;

/** Rectangles of one colour, filled some hundred at a time. */
export class Rects {
  private readonly boxes: number[] = [];

  push(x: number, y: number, width: number, height: number): void {
    this.boxes.push(x, y, width, height);
  }

  fill(context: Context, colour: string): void {
    const { boxes } = this;
    context.fillStyle = colour;
    for (let at = 0; at < boxes.length; ) {
      context.beginPath();
      const until = Math.min(boxes.length, at + 4 * PATH);
      for (; at < until; at += 4) {
        context.rect(boxes[at] as number, boxes[at + 1] as number, boxes[at + 2] as number, boxes[at + 3] as number);
      }
      context.fill();
    }
  }
}

/** What has been drawn of a region: notes that are in it, and those of them that begin in it. */
export interface Drawn {
  notes: number;
  begun: number;
}

/** Draw the notes of all layers that are in the port of `view`, some hundred at each step of the generator. */
export function* paintNotes(
  context: Context,
  view: View,
  shown: readonly Layer[],
  colours: Colours,
  locks: Locks,
  fifths: number,
): Generator<void, Drawn> {
  const drawn = { notes: 0, begun: 0 };
  const some = locks.list().length > 0;
  for (const layer of shown) {
    const shade = colours.tracks[layer.place % colours.tracks.length] as TrackColours;
    const painter = new TrackPainter(view, shade, layer.ghost);
    const { track } = layer.track;
    const locked = some && !layer.ghost ? (tick: number, pitch: number) => locks.has(track, tick, pitch) : null;
    yield* painter.gather(layer.track.notes, drawn, locked);
    painter.fill(context);
    yield;
    if (layer.ghost) continue;
    if (!layer.track.drum) painter.names(context, layer.track.notes, fifths);
    painter.locks(context, layer.track.notes);
  }
  return drawn;
}

class TrackPainter {
  private readonly edges = new Rects();
  private readonly fills = Array.from({ length: VELOCITY_STEPS }, () => new Rects());
  private readonly named: number[] = [];
  private readonly locked: number[] = [];
  private readonly top: number;
  private readonly bottom: number;
  private readonly border: number;

  constructor(
    private readonly view: View,
    private readonly shade: TrackColours,
    private readonly ghost: boolean,
  ) {
    this.top = pitchAt(view, 0);
    this.bottom = pitchAt(view, view.height - 1);
    this.border = Math.max(1, Math.floor(view.ratio));
  }

  *gather(
    table: NoteTable,
    drawn: Drawn,
    isLocked: ((tick: number, pitch: number) => boolean) | null,
  ): Generator<void> {
    const { view, ghost } = this;
    const { tick, length, pitch, velocity } = table;
    const { tickWidth, keyHeight, left, width: wide } = view;
    const from = Math.floor(tickAt(view, -1));
    const to = Math.ceil(tickAt(view, wide));
    const height = rowHeight(view);
    const runs = new Runs(this.fills, height);
    let since = 0;
    for (const index of table.within(from, to)) {
      if (++since % CHUNK === 0) yield;
      const row = pitch[index] as number;
      if (row > this.top || row < this.bottom) continue;
      // As noteBox does it, without an object for each note.
      const begin = Math.round((tick[index] as number) * tickWidth);
      const width = noteWidth(Math.round(((tick[index] as number) + (length[index] as number)) * tickWidth) - begin);
      const x = begin - left;
      if (x >= wide || x + width <= 0) continue;
      drawn.notes++;
      if (x >= 0) drawn.begun++;
      if (isLocked?.(tick[index] as number, row)) this.locked.push(index);
      const y = (KEYS - 1 - row) * keyHeight - view.top;
      const step = ghost ? 0 : velocityStep(velocity[index] as number);
      if (width < SMALL) runs.add(row, x, y, width, step);
      else this.note(x, y, width, height, step, index);
    }
    runs.end();
  }

  private note(x: number, y: number, width: number, height: number, step: number, index: number): void {
    const fill = this.fills[step] as Rects;
    const { border, view } = this;
    if (this.ghost || width <= 2 * border + 1 || height <= 2 * border + LOWEST_INSIDE) {
      fill.push(x, y, width, height);
      return;
    }
    this.edges.push(x, y, width, height);
    fill.push(x + border, y + border, width - 2 * border, height - 2 * border);
    if (hasName(view, width)) this.named.push(index);
  }

  fill(context: Context): void {
    this.edges.fill(context, this.shade.edge);
    const { ghost, shade } = this;
    this.fills.forEach((rects, step) => rects.fill(context, ghost ? shade.ghost : (shade.fill[step] as string)));
  }

  locks(context: Context, table: NoteTable): void {
    for (const index of this.locked) {
      const [tick, length, pitch, velocity] = noteAt(table, index);
      const colour = this.shade.text[velocityStep(velocity)] as string;
      paintLock(context, this.view, noteBox(this.view, tick, length, pitch), colour);
    }
  }

  names(context: Context, table: NoteTable, fifths: number): void {
    if (this.named.length === 0) return;
    nameFont(context, this.view);
    for (const index of this.named) {
      const note = noteAt(table, index);
      paintName(context, this.view, note, fifths, this.shade.text[velocityStep(note[3])] as string);
    }
  }
}

/** A lock is a shape: a bracket at both ends of the note, and a padlock where there is room. */
export function paintLock(
  context: Context,
  view: View,
  [x, y, width, height]: readonly [number, number, number, number],
  colour: string,
): void {
  const unit = Math.max(1, Math.round(view.ratio));
  context.fillStyle = colour;
  const bar = Math.min(2 * unit, Math.max(1, width >> 2));
  context.fillRect(x + unit, y + unit, bar, height - 2 * unit);
  context.fillRect(x + width - unit - bar, y + unit, bar, height - 2 * unit);
  if (height < 9 * unit || width < 16 * unit) return;
  const body = Math.min(7 * unit, height - 5 * unit);
  const left = x + width - bar - 3 * unit - body;
  const top = y + height - 2 * unit - Math.round(body * 0.7);
  context.fillRect(left, top, body, Math.round(body * 0.7));
  context.strokeStyle = colour;
  context.lineWidth = unit;
  context.beginPath();
  context.arc(left + body / 2, top, body / 2 - unit, Math.PI, 0);
  context.stroke();
}

/** Whether a note this wide has its name written on it. */
export function hasName(view: View, width: number): boolean {
  return view.keyHeight >= NAME_ROW * view.ratio && width >= NAME_WIDTH * view.ratio;
}

/** Set the font of the notes' names. */
export function nameFont(context: Context, view: View): void {
  const size = Math.min(11, Math.floor(view.keyHeight / view.ratio) - 4);
  context.font = `500 ${size * view.ratio}px system-ui, sans-serif`;
  context.textBaseline = "middle";
  context.textAlign = "left";
}

export function paintName(
  context: Context,
  view: View,
  [tick, length, pitch]: Note,
  fifths: number,
  colour: string,
): void {
  const [x, y, , height] = noteBox(view, tick, length, pitch);
  context.fillStyle = colour;
  context.fillText(pitchName(pitch, fifths), x + 4 * view.ratio, y + height / 2 + 0.5);
}

/** Notes too small to be seen one by one: each row is covered where there are some. */
class Runs {
  private readonly begin = new Int32Array(KEYS).fill(-1);
  private readonly until = new Int32Array(KEYS);
  private readonly y = new Int32Array(KEYS);
  private readonly step = new Uint8Array(KEYS);

  constructor(
    private readonly fills: readonly Rects[],
    private readonly height: number,
  ) {}

  add(pitch: number, x: number, y: number, width: number, step: number): void {
    if ((this.begin[pitch] as number) >= 0 && x <= (this.until[pitch] as number)) {
      this.until[pitch] = Math.max(this.until[pitch] as number, x + width);
      this.step[pitch] = Math.max(this.step[pitch] as number, step);
      return;
    }
    this.flush(pitch);
    this.begin[pitch] = Math.max(0, x);
    this.until[pitch] = x + width;
    this.y[pitch] = y;
    this.step[pitch] = step;
  }

  end(): void {
    for (let pitch = 0; pitch < KEYS; pitch++) this.flush(pitch);
  }

  private flush(pitch: number): void {
    const begin = this.begin[pitch] as number;
    if (begin < 0) return;
    const fill = this.fills[this.step[pitch] as number] as Rects;
    fill.push(begin, this.y[pitch] as number, (this.until[pitch] as number) - begin, this.height);
    this.begin[pitch] = -1;
  }
}
