/** The note layer as cached tiles: scrolling copies images, an edit redraws only what it touches. */

import { notesOnlyIn } from "../music/notes";
import type { Locks } from "../music/music";
import type { Note } from "../protocol";
import type { Context, Drawn } from "./notes";
import { paintNotes } from "./notes";
import type { Layer } from "./state";
import type { Colours } from "./theme";
import type { View } from "./view";
import { KEYS } from "./view";

/** CSS pixels; a tile's height is the nearest whole number of keys below. */
const SIZE = 512;
/** CSS megapixels of tiles that are kept beside the visible ones; on a dense screen they are fewer. */
const SPARE_AREA = 6;
/** The picture from before a zoom is taken anew when it has shrunk to this share of its area. */
const MOST_SHRUNK = 0.6;

interface Sheet {
  canvas: HTMLCanvasElement;
  context: CanvasRenderingContext2D;
}

interface Tile {
  column: number;
  row: number;
  sheet: Sheet;
  drawn: Drawn;
  stale: boolean;
  used: number;
}

/** A picture of the whole port as it was before a zoom, to be stretched until the true tiles are drawn. */
interface Still {
  canvas: HTMLCanvasElement;
  view: View;
}

interface Place {
  column: number;
  row: number;
}

/** A tile that is being drawn. */
interface Job {
  place: Place;
  sheet: Sheet;
  steps: Generator<void, Drawn>;
}

/** What tiles are drawn with. */
export interface Brush {
  colours: Colours;
  locks: Locks;
  /** Of the key, for the names of notes. */
  fifths: number;
}

export class Tiles {
  private readonly tiles = new Map<string, Tile>();
  private readonly free: Sheet[] = [];
  private job: Job | null = null;
  private still: Still | null = null;
  private shown: readonly Layer[] = [];
  private view: View | null = null;
  private frame = 0;
  /** How many tiles have been drawn, for measurements. */
  painted = 0;

  /** Take the tracks to be drawn; only tiles that look different become stale. Returns the notes that changed. */
  show(shown: readonly Layer[]): Note[] {
    const before = this.shown;
    this.shown = shown;
    const same = before.length === shown.length && before.every((layer, at) => sameLook(layer, shown[at] as Layer));
    if (!same) {
      this.allStale();
      return [];
    }
    const changed: Note[] = [];
    before.forEach((layer, at) => {
      const now = (shown[at] as Layer).track;
      if (layer.track.notes === now.notes) return;
      for (const notes of [notesOnlyIn(layer.track.notes, now.notes), notesOnlyIn(now.notes, layer.track.notes)]) {
        for (const [tick, length, pitch] of notes) this.touch(tick, tick + length, pitch);
        changed.push(...notes);
      }
    });
    return changed;
  }

  /** Everything must be drawn anew: other colours, other tracks. */
  allStale(): void {
    this.leave();
    for (const tile of this.tiles.values()) tile.stale = true;
  }

  /** The tiles under a note become stale. */
  touch(from: number, to: number, pitch: number): void {
    if (!this.view) return;
    const size = tileSize(this.view);
    const first = Math.floor((from * this.view.tickWidth - 1) / size.width);
    const last = Math.floor((to * this.view.tickWidth + 1) / size.width);
    const row = Math.floor((KEYS - 1 - pitch) / size.rows);
    this.leave();
    for (const tile of this.tiles.values()) {
      if (tile.row === row && tile.column >= first && tile.column <= last) tile.stale = true;
    }
  }

  /**
   * Draw the notes over what is on `target`, painting what is missing for about `budget` milliseconds, and for half of
   * that while a zoom goes on.
   *
   * Returns whether all of it is as it should be; if not, it is to be called again at the next frame.
   */
  paint(context: Context, view: View, brush: Brush, budget: number): boolean {
    if (view.width === 0 || view.height === 0) return true;
    const zooming = this.view !== null && !sameScale(this.view, view);
    const until = performance.now() + (zooming ? budget / 2 : budget);
    if (zooming) this.keepStill(this.view as View, view);
    this.view = view;
    this.frame++;
    const places = visible(view);
    const wanted = places.filter((place) => this.tile(place)?.stale ?? true);
    // While a zoom goes on, true tiles would not live for longer than a frame: only what has no picture is drawn.
    const now = zooming ? wanted.filter((place) => !this.isCovered(place, view)) : wanted;
    let done = 0;
    while (done < now.length && this.work(now[done] as Place, view, brush, until)) done++;
    const missing = places.filter((place) => !this.tile(place));
    if (missing.length && this.still) this.stretch(context, view, this.still, missing);
    this.copy(context, view, places);
    const complete = done === wanted.length;
    if (complete) this.still = null;
    this.drop();
    return complete;
  }

  /** Notes that are drawn in the port, each counted once. */
  drawnNotes(view: View): number {
    const places = visible(view);
    const first = Math.min(...places.map((place) => place.column));
    let count = 0;
    for (const place of places) {
      const drawn = this.tile(place)?.drawn;
      if (drawn) count += place.column === first ? drawn.notes : drawn.begun;
    }
    return count;
  }

  private tile({ column, row }: Place): Tile | undefined {
    return this.tiles.get(keyOf({ column, row }));
  }

  /** Draw on at a tile until a time; returns whether it is finished. */
  private work(place: Place, view: View, brush: Brush, until: number): boolean {
    const { job } = this;
    if (!job || job.place.column !== place.column || job.place.row !== place.row) this.begin(place, view, brush);
    const { sheet, steps } = this.job as Job;
    while (performance.now() < until) {
      const step = steps.next();
      if (!step.done) continue;
      const old = this.tile(place);
      if (old) this.free.push(old.sheet);
      this.tiles.set(keyOf(place), { ...place, sheet, drawn: step.value, stale: false, used: this.frame });
      this.job = null;
      this.painted++;
      return true;
    }
    return false;
  }

  private begin(place: Place, view: View, { colours, locks, fifths }: Brush): void {
    this.leave();
    const { width, height } = tileSize(view);
    const sheet = this.free.pop() ?? newSheet();
    const { canvas, context } = sheet;
    if (canvas.width === width && canvas.height === height) context.clearRect(0, 0, width, height);
    else [canvas.width, canvas.height] = [width, height];
    const own: View = { ...view, left: place.column * width, top: place.row * height, width, height };
    this.job = { place, sheet, steps: paintNotes(context, own, this.shown, colours, locks, fifths) };
  }

  /** Give up the tile that is being drawn. */
  private leave(): void {
    if (this.job) this.free.push(this.job.sheet);
    this.job = null;
  }

  private isCovered(place: Place, view: View): boolean {
    if (!this.still) return false;
    const size = tileSize(view);
    const [left, top, width, height] = stretched(this.still.view, view);
    const x = Math.max(0, place.column * size.width - view.left);
    const y = Math.max(0, place.row * size.height - view.top);
    const right = Math.min(view.width, (place.column + 1) * size.width - view.left);
    const bottom = Math.min(view.height, (place.row + 1) * size.height - view.top);
    return x >= left - 1 && y >= top - 1 && right <= left + width + 1 && bottom <= top + height + 1;
  }

  private copy(context: Context, view: View, places: readonly Place[]): void {
    const size = tileSize(view);
    for (const place of places) {
      const tile = this.tile(place);
      if (!tile) continue;
      tile.used = this.frame;
      context.drawImage(tile.sheet.canvas, place.column * size.width - view.left, place.row * size.height - view.top);
    }
  }

  private stretch(context: Context, view: View, still: Still, missing: readonly Place[]): void {
    const size = tileSize(view);
    context.save();
    context.beginPath();
    for (const place of missing) {
      context.rect(place.column * size.width - view.left, place.row * size.height - view.top, size.width, size.height);
    }
    context.clip();
    context.imageSmoothingEnabled = false;
    context.drawImage(still.canvas, ...stretched(still.view, view));
    context.restore();
  }

  private keepStill(was: View, view: View): void {
    // While a zoom goes on no frame has all of its true tiles: the picture from before it is the better one, until it
    // has become too small.
    const { still } = this;
    const shrunk = still ? (was.tickWidth / still.view.tickWidth) * (was.keyHeight / still.view.keyHeight) : 0;
    if (shrunk < MOST_SHRUNK) {
      const sheet = newSheet();
      [sheet.canvas.width, sheet.canvas.height] = [was.width, was.height];
      const places = visible(was);
      if (still) this.stretch(sheet.context, was, still, places.filter((place) => !this.tile(place)));
      this.copy(sheet.context, was, places);
      this.still = { canvas: sheet.canvas, view: was };
    }
    this.leave();
    for (const tile of this.tiles.values()) this.free.push(tile.sheet);
    this.free.length = Math.min(this.free.length, spare(view));
    this.tiles.clear();
  }

  private drop(): void {
    const most = spare(this.view as View);
    const kept = visible(this.view as View).length + most;
    if (this.tiles.size <= kept) return;
    const oldest = [...this.tiles].sort((a, b) => a[1].used - b[1].used).slice(0, this.tiles.size - kept);
    for (const [key, tile] of oldest) {
      this.tiles.delete(key);
      if (this.free.length < most) this.free.push(tile.sheet);
    }
  }
}

function keyOf({ column, row }: Place): string {
  return `${column},${row}`;
}

function newSheet(): Sheet {
  const canvas = document.createElement("canvas");
  return { canvas, context: canvas.getContext("2d") as CanvasRenderingContext2D };
}

/** Where the picture of a view lies in another one: x, y, width, height. */
function stretched(was: View, view: View): [number, number, number, number] {
  const wide = view.tickWidth / was.tickWidth;
  const high = view.keyHeight / was.keyHeight;
  return [was.left * wide - view.left, was.top * high - view.top, was.width * wide, was.height * high];
}

/** How many tiles are kept beside the visible ones. */
function spare(view: View): number {
  return Math.ceil((SPARE_AREA * 1e6) / (SIZE * view.ratio) ** 2);
}

function tileSize(view: View): { width: number; height: number; rows: number } {
  const side = Math.round(SIZE * view.ratio);
  const rows = Math.max(1, Math.floor(side / view.keyHeight));
  return { width: side, height: rows * view.keyHeight, rows };
}

function visible(view: View): Place[] {
  const size = tileSize(view);
  const places: Place[] = [];
  const lastRow = Math.floor((Math.min(KEYS * view.keyHeight, view.top + view.height) - 1) / size.height);
  for (let row = Math.floor(view.top / size.height); row <= lastRow; row++) {
    const lastColumn = Math.floor((view.left + view.width - 1) / size.width);
    for (let column = Math.floor(view.left / size.width); column <= lastColumn; column++) places.push({ column, row });
  }
  return places;
}

function sameScale(a: View, b: View): boolean {
  return a.tickWidth === b.tickWidth && a.keyHeight === b.keyHeight && a.ratio === b.ratio;
}

function sameLook(a: Layer, b: Layer): boolean {
  return a.track.track === b.track.track && a.place === b.place && a.ghost === b.ghost && a.track.drum === b.track.drum;
}
