/** The note layer as cached tiles: scrolling copies images, an edit redraws only what it touches. */

import { notesOnlyIn } from "../music/notes";
import type { Locks } from "../music/music";
import type { Context, Drawn } from "./notes";
import { paintNotes } from "./notes";
import type { Layer } from "./state";
import type { Colours } from "./theme";
import type { View } from "./view";
import { KEYS } from "./view";

/** CSS pixels; a tile's height is the nearest whole number of keys below. */
const SIZE = 512;
/** Tiles that are kept beside the visible ones. */
const SPARE = 24;

interface Tile {
  column: number;
  row: number;
  canvas: HTMLCanvasElement;
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

export class Tiles {
  private readonly tiles = new Map<string, Tile>();
  private readonly free: HTMLCanvasElement[] = [];
  private still: Still | null = null;
  private shown: readonly Layer[] = [];
  private view: View | null = null;
  private frame = 0;
  /** How many tiles have been drawn, for measurements. */
  painted = 0;

  /** Take the tracks that are to be drawn; only tiles that look different become stale. */
  show(shown: readonly Layer[]): void {
    const before = this.shown;
    this.shown = shown;
    const same = before.length === shown.length && before.every((layer, at) => sameLook(layer, shown[at] as Layer));
    if (!same) {
      this.allStale();
      return;
    }
    before.forEach((layer, at) => {
      const now = (shown[at] as Layer).track;
      if (layer.track.notes === now.notes) return;
      for (const notes of [notesOnlyIn(layer.track.notes, now.notes), notesOnlyIn(now.notes, layer.track.notes)]) {
        for (const [tick, length, pitch] of notes) this.touch(tick, tick + length, pitch);
      }
    });
  }

  /** Everything must be drawn anew: other colours, other tracks. */
  allStale(): void {
    for (const tile of this.tiles.values()) tile.stale = true;
  }

  /** The tiles under a note become stale. */
  touch(from: number, to: number, pitch: number): void {
    if (!this.view) return;
    const size = tileSize(this.view);
    const first = Math.floor((from * this.view.tickWidth - 1) / size.width);
    const last = Math.floor((to * this.view.tickWidth + 1) / size.width);
    const row = Math.floor((KEYS - 1 - pitch) / size.rows);
    for (const tile of this.tiles.values()) {
      if (tile.row === row && tile.column >= first && tile.column <= last) tile.stale = true;
    }
  }

  /**
   * Draw the port, painting what is missing for at most `budget` milliseconds (one tile at least).
   *
   * Returns whether all of it is as it should be; if not, it is to be called again at the next frame.
   */
  paint(target: HTMLCanvasElement, view: View, colours: Colours, locks: Locks, fifths: number, budget: number): boolean {
    const context = target.getContext("2d");
    if (!context || view.width === 0 || view.height === 0) return true;
    if (this.view && !sameScale(this.view, view)) this.keepStill(target, this.view);
    this.view = view;
    this.frame++;
    const places = visible(view);
    const wanted = places.filter((place) => this.tile(place)?.stale ?? true);
    const began = performance.now();
    let left = wanted.length;
    for (const place of wanted) {
      if (left < wanted.length && performance.now() - began > budget) break;
      this.paintTile(place, view, colours, locks, fifths);
      left--;
    }
    context.clearRect(0, 0, view.width, view.height);
    const missing = places.filter((place) => !this.tile(place));
    if (missing.length && this.still) this.stretch(context, view, missing);
    this.copy(context, view, places);
    if (left === 0) this.still = null;
    this.drop();
    return left === 0;
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
    return this.tiles.get(`${column},${row}`);
  }

  private paintTile(place: Place, view: View, colours: Colours, locks: Locks, fifths: number): void {
    const size = tileSize(view);
    let tile = this.tile(place);
    if (!tile) {
      const canvas = this.free.pop() ?? document.createElement("canvas");
      tile = { ...place, canvas, drawn: { notes: 0, begun: 0 }, stale: true, used: this.frame };
      this.tiles.set(`${place.column},${place.row}`, tile);
    }
    if (tile.canvas.width !== size.width || tile.canvas.height !== size.height) {
      tile.canvas.width = size.width;
      tile.canvas.height = size.height;
    }
    const context = tile.canvas.getContext("2d");
    if (!context) return;
    context.clearRect(0, 0, size.width, size.height);
    const own: View = { ...view, left: place.column * size.width, top: place.row * size.height, ...size };
    tile.drawn = paintNotes(context, own, this.shown, colours, locks, fifths);
    tile.stale = false;
    this.painted++;
  }

  private copy(context: Context, view: View, places: readonly Place[]): void {
    const size = tileSize(view);
    for (const place of places) {
      const tile = this.tile(place);
      if (!tile) continue;
      tile.used = this.frame;
      context.drawImage(tile.canvas, place.column * size.width - view.left, place.row * size.height - view.top);
    }
  }

  private stretch(context: Context, view: View, missing: readonly Place[]): void {
    const still = this.still as Still;
    const size = tileSize(view);
    context.save();
    context.beginPath();
    for (const place of missing) {
      context.rect(place.column * size.width - view.left, place.row * size.height - view.top, size.width, size.height);
    }
    context.clip();
    const wide = view.tickWidth / still.view.tickWidth;
    const high = view.keyHeight / still.view.keyHeight;
    context.imageSmoothingEnabled = false;
    context.drawImage(
      still.canvas, still.view.left * wide - view.left, still.view.top * high - view.top,
      still.view.width * wide, still.view.height * high,
    );
    context.restore();
  }

  private keepStill(target: HTMLCanvasElement, view: View): void {
    // While a zoom goes on no frame has all of its true tiles: the picture from before it is the better one.
    if (!this.still && target.width > 0 && target.height > 0) {
      const canvas = document.createElement("canvas");
      canvas.width = target.width;
      canvas.height = target.height;
      canvas.getContext("2d")?.drawImage(target, 0, 0);
      this.still = { canvas, view };
    }
    for (const tile of this.tiles.values()) if (this.free.length < SPARE) this.free.push(tile.canvas);
    this.tiles.clear();
  }

  private drop(): void {
    const kept = visible(this.view as View).length + SPARE;
    if (this.tiles.size <= kept) return;
    const oldest = [...this.tiles].sort((a, b) => a[1].used - b[1].used).slice(0, this.tiles.size - kept);
    for (const [key, tile] of oldest) {
      this.tiles.delete(key);
      if (this.free.length < SPARE) this.free.push(tile.canvas);
    }
  }
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
