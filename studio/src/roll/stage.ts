/** The roll's canvases, its view and its frames: draws what is dirty, and nothing when nothing is. */

import { keyAt } from "../music/pitch";
import type { Note } from "../protocol";
import { paintGrid } from "./grid";
import { LANE_HEIGHT, paintLane } from "./lane";
import type { IdeaMark } from "./overlay";
import { isClear, paintGrown, paintOverlay } from "./overlay";
import { paintPiano, paintRuler, PIANO_WIDTH, RULER_HEIGHT } from "./ruler";
import { LAYOUT } from "./layout";
import type { RollState } from "./state";
import { layers } from "./state";
import type { Colours } from "./theme";
import { adoptTheme, readColours } from "./theme";
import { Tiles } from "./tiles";
import type { View } from "./view";
import { FIRST_VIEW, KEYS, KEY_HEIGHT, noteBox, viewWith, xOf } from "./view";

/** What must be drawn at the next frame, as bits. */
export const Dirty = { grid: 1, notes: 2, overlay: 4, ruler: 8, piano: 16, lane: 32, cursor: 64, grown: 128, all: 127 };

/** Milliseconds a frame may spend on tiles. */
const SLICE = 6;
/** Pixels of CSS: a key that is lower is hard to touch. */
const LEAST_KEY = 9;
/** An element lower than this, in CSS pixels, has no velocity lane. */
const LOWEST_WITH_LANE = 230;
/** More notes changed at once than this are another song, or all of it. */
const MOST_FOLLOWED = 500;
/** Where the page is turned while the cursor is followed, and where the cursor is then, as shares of the width. */
const TURN = 0.7;
const TURNED = 0.08;

export interface FrameRecord {
  /** Milliseconds of the last frames' work. */
  milliseconds: number[];
  frames: number;
}

export class Stage {
  readonly tiles = new Tiles();
  readonly record: FrameRecord = { milliseconds: [], frames: 0 };
  readonly port: HTMLElement;
  readonly ruler: HTMLCanvasElement;
  readonly piano: HTMLCanvasElement;
  readonly lane: HTMLCanvasElement;
  readonly scroller: HTMLElement;
  view: View = FIRST_VIEW;
  colours: Colours | null = null;

  private readonly notes: HTMLCanvasElement;
  private readonly overlay: HTMLCanvasElement;
  private readonly space: HTMLElement;
  private readonly probe: HTMLElement;
  private readonly cursors: HTMLElement[];
  private readonly sizes: ResizeObserver;
  private ratio: MediaQueryList | null = null;
  private readonly ratioChanged = (): void => {
    this.watchRatio();
    this.resize();
  };
  private dirty = 0;
  private scheduled = 0;
  private mark: IdeaMark = new Map();
  private waiting: (() => void)[] = [];
  private placed = false;
  private clear = false;
  private removed = -1;
  private frontier = 0;

  constructor(
    private readonly root: ShadowRoot,
    private readonly state: RollState,
  ) {
    const sheet = new CSSStyleSheet();
    sheet.replaceSync(LAYOUT);
    root.adoptedStyleSheets = [sheet];
    const part = <T extends HTMLElement>(selector: string): T => root.querySelector(selector) as T;
    this.port = part(".port");
    this.ruler = part(".ruler");
    this.piano = part(".piano");
    this.lane = part(".lane");
    this.scroller = part(".scroller");
    this.space = part(".space");
    this.notes = part(".notes");
    this.overlay = part(".overlay");
    this.probe = part(".probe");
    this.cursors = [part(".cursor"), part(".head")];
    this.scroller.addEventListener("scroll", () => this.scrolled(), { passive: true });
    this.sizes = new ResizeObserver(() => this.resize());
  }

  connect(): void {
    adoptTheme();
    this.watchRatio();
    this.sizes.observe(this.scroller);
    this.sizes.observe(this.root.host);
    this.recolour();
    this.resize();
  }

  disconnect(): void {
    this.ratio?.removeEventListener("change", this.ratioChanged);
    this.sizes.disconnect();
    cancelAnimationFrame(this.scheduled);
    this.scheduled = 0;
    this.settle();
  }

  /** Colours may be others now. */
  recolour(): void {
    this.colours = null;
    this.tiles.allStale();
    this.invalidate(Dirty.all);
  }

  invalidate(what: number): void {
    this.dirty |= what;
    if (!this.scheduled && this.root.host.isConnected) this.scheduled = requestAnimationFrame(() => this.draw());
  }

  /** Resolves when nothing is left to draw. */
  idle(): Promise<void> {
    if (!this.scheduled) return Promise.resolve();
    return new Promise((resolve) => this.waiting.push(resolve));
  }

  /** Notes came to the idea that is shown; without new ones something else of it changed. */
  grown(): void {
    const { idea } = this.state;
    const reached = [...this.mark].every(([track, count]) => (idea?.added.get(track)?.notes.length ?? 0) >= count);
    const removed = idea ? [...idea.removed.values()].reduce((sum, notes) => sum + notes.length, 0) : 0;
    const same = reached && removed === this.removed && idea?.frontier === this.frontier;
    this.removed = removed;
    this.frontier = idea?.frontier ?? 0;
    this.invalidate(same ? Dirty.grown : Dirty.overlay);
  }

  /** Another song, or the same one changed: its tiles, its width. `follow` scrolls to a change that is out of sight. */
  showSong(follow: boolean): void {
    const { song } = this.state;
    const ticksPerQuarter = song?.ticksPerQuarter ?? FIRST_VIEW.ticksPerQuarter;
    const left = (this.view.left * this.view.ticksPerQuarter) / ticksPerQuarter;
    const changed = this.showTracks();
    this.setView({ ...this.view, ticksPerQuarter, left, end: this.scrollEnd() });
    this.invalidate(Dirty.all);
    if (!this.placed && song && this.view.height > 0) this.frame();
    else if (follow) this.revealChange(changed);
  }

  showTracks(): Note[] {
    const changed = this.tiles.show(layers(this.state));
    this.invalidate(Dirty.notes | Dirty.overlay | Dirty.lane | Dirty.piano);
    return changed;
  }

  /** An undo far away is shown; another song altogether is no change of this one. */
  private revealChange(changed: readonly Note[]): void {
    const [first] = changed;
    if (!first || changed.length > MOST_FOLLOWED) return;
    const { view } = this;
    const seen = changed.some(([tick, length, pitch]) => {
      const [x, y, width, height] = noteBox(view, tick, length, pitch);
      return x < view.width && x + width > 0 && y < view.height && y + height > 0;
    });
    if (!seen) this.reveal(first[0], first[2]);
  }

  /** Change the view; scroll positions and all layers follow. */
  setView(change: Partial<View>): void {
    const before = this.view;
    const next = viewWith(before, change);
    this.view = next;
    const { ratio } = next;
    this.space.style.width = `${Math.ceil(next.end * next.tickWidth) / ratio}px`;
    this.space.style.height = `${(KEYS * next.keyHeight) / ratio}px`;
    if (Math.abs(this.scroller.scrollLeft - next.left / ratio) > 0.5) this.scroller.scrollLeft = next.left / ratio;
    if (Math.abs(this.scroller.scrollTop - next.top / ratio) > 0.5) this.scroller.scrollTop = next.top / ratio;
    const sideways = next.left !== before.left || next.tickWidth !== before.tickWidth || next.width !== before.width;
    const upward = next.top !== before.top || next.keyHeight !== before.keyHeight || next.height !== before.height;
    if (sideways) this.invalidate(Dirty.all & ~Dirty.piano);
    if (upward) this.invalidate(Dirty.grid | Dirty.notes | Dirty.overlay | Dirty.piano);
  }

  scrollBy(x: number, y: number): void {
    this.setView({ left: this.view.left + x, top: this.view.top + y });
  }

  /** Bring a tick (and a pitch) into sight; nothing moves if they are. */
  reveal(tick: number, pitch?: number): void {
    const { view } = this;
    const x = xOf(view, tick);
    const change: { left?: number; top?: number } = {};
    if (x < 0 || x > view.width * 0.95) change.left = view.left + x - view.width * 0.2;
    if (pitch !== undefined) {
      const y = (KEYS - 1 - pitch) * view.keyHeight - view.top;
      if (y < 0 || y + view.keyHeight > view.height) change.top = view.top + y - view.height / 2;
    }
    if (change.left !== undefined || change.top !== undefined) this.setView(change);
  }

  /** Turn the page when the cursor has passed most of it. */
  follow(tick: number): void {
    const x = xOf(this.view, tick);
    if (x < 0 || x > this.view.width * TURN) this.setView({ left: this.view.left + x - this.view.width * TURNED });
  }

  /** Put the cursor where it is; moves two elements, paints nothing. */
  moveCursor(): void {
    const x = xOf(this.view, this.state.cursor) / this.view.ratio;
    for (const cursor of this.cursors) cursor.style.transform = `translateX(${x}px)`;
  }

  fit(): void {
    const { song } = this.state;
    if (!song || this.view.width === 0) return;
    const quarter = (this.view.width / this.view.ratio / Math.max(song.end, 1)) * song.ticksPerQuarter;
    const [low, high] = this.reach();
    const key = this.view.height / this.view.ratio / (high - low + 5);
    this.setView({ quarter, key, left: 0, end: this.scrollEnd() });
    const middle = (KEYS - 1 - (low + high) / 2 + 0.5) * this.view.keyHeight;
    this.setView({ top: middle - this.view.height / 2 });
  }

  private scrollEnd(): number {
    const { song } = this.state;
    if (!song) return 0;
    const more = Math.max(4, Math.min(16, song.bars.count));
    return song.bars.start(song.bars.at(Math.max(0, song.end - 1)) + 1 + more);
  }

  private reach(): [low: number, high: number] {
    let low = KEYS;
    let high = 0;
    for (const { track } of layers(this.state)) {
      for (let at = 0; at < track.notes.count; at++) {
        low = Math.min(low, track.notes.pitch[at] as number);
        high = Math.max(high, track.notes.pitch[at] as number);
      }
    }
    return low > high ? [48, 72] : [low, high];
  }

  /** Show the beginning of the music: all its pitches, if the keys stay high enough to be touched. */
  frame(): void {
    this.placed = this.state.song !== null && this.view.height > 0;
    if (!this.placed) return;
    const [low, high] = this.reach();
    const key = Math.min(KEY_HEIGHT, Math.max(LEAST_KEY, this.view.height / this.view.ratio / (high - low + 3)));
    this.setView({ key, left: 0 });
    const middle = (KEYS - 0.5 - (low + high) / 2) * this.view.keyHeight;
    this.setView({ top: middle - this.view.height / 2 });
  }

  private scrolled(): void {
    const { view } = this;
    const left = this.scroller.scrollLeft * view.ratio;
    const top = this.scroller.scrollTop * view.ratio;
    if (Math.abs(left - view.left) > view.ratio || Math.abs(top - view.top) > view.ratio) this.setView({ left, top });
  }

  /** A window that goes to another screen may keep its size and yet have other pixels. */
  private watchRatio(): void {
    this.ratio?.removeEventListener("change", this.ratioChanged);
    this.ratio = matchMedia(`(resolution: ${window.devicePixelRatio}dppx)`);
    this.ratio.addEventListener("change", this.ratioChanged);
  }

  private resize(): void {
    const ratio = window.devicePixelRatio || 1;
    const tall = (this.root.host as HTMLElement).clientHeight >= LOWEST_WITH_LANE;
    (this.root.host as HTMLElement).toggleAttribute("data-low", !tall);
    const width = Math.round(this.scroller.clientWidth * ratio);
    const height = Math.round(this.scroller.clientHeight * ratio);
    if (width === 0 || height === 0) return;
    const scale = ratio / this.view.ratio;
    this.setView({ ratio, width, height, left: this.view.left * scale, top: this.view.top * scale });
    for (const canvas of [this.notes, this.overlay]) resizeCanvas(canvas, width, height, ratio);
    resizeCanvas(this.ruler, width, Math.round(RULER_HEIGHT * ratio), ratio);
    resizeCanvas(this.piano, Math.round(PIANO_WIDTH * ratio), height, ratio);
    resizeCanvas(this.lane, width, tall ? Math.round(LANE_HEIGHT * ratio) : 0, ratio);
    if (scale !== 1) this.tiles.allStale();
    if (!this.placed && this.state.song) this.frame();
    this.invalidate(Dirty.all);
    // A resize empties the canvases: they are drawn before this frame is shown, so that nothing blinks.
    cancelAnimationFrame(this.scheduled);
    this.draw();
  }

  private draw(): void {
    const began = performance.now();
    this.scheduled = 0;
    const { dirty, view, state } = this;
    this.dirty = 0;
    const colours = (this.colours ??= readColours(this.probe));
    if (dirty & (Dirty.grid | Dirty.notes)) {
      // One canvas, as each one that changes is copied by the browser; the grid is a few hundred rectangles.
      const pen = this.notes.getContext("2d", { alpha: false }) as CanvasRenderingContext2D;
      paintGrid(pen, view, state, colours);
      const fifths = keyAt(state.song?.keys ?? [], 0)?.fifths ?? 0;
      const brush = { colours, locks: state.locks, fifths };
      if (!this.tiles.paint(pen, view, brush, SLICE)) this.invalidate(Dirty.notes);
    }
    if (dirty & Dirty.overlay) this.drawOverlay(colours);
    else if (dirty & Dirty.grown && state.idea) paintGrown(pen(this.overlay), view, state.idea, this.mark, colours);
    if (dirty & Dirty.ruler) paintRuler(pen(this.ruler), view, this.ruler.height, state, colours);
    if (dirty & Dirty.piano) paintPiano(pen(this.piano), view, this.piano.width, state, colours);
    if (dirty & Dirty.lane && this.lane.height > 0) paintLane(pen(this.lane), view, this.lane.height, state, colours);
    if (dirty & Dirty.cursor) this.moveCursor();
    this.record.frames++;
    this.record.milliseconds.push(performance.now() - began);
    if (this.record.milliseconds.length > 600) this.record.milliseconds.shift();
    if (!this.scheduled) this.settle();
  }

  private drawOverlay(colours: Colours): void {
    const clear = isClear(this.state);
    if (!clear || !this.clear) this.mark = paintOverlay(pen(this.overlay), this.view, this.state, colours);
    this.clear = clear;
  }

  private settle(): void {
    const { waiting } = this;
    this.waiting = [];
    for (const resolve of waiting) resolve();
  }
}

function pen(canvas: HTMLCanvasElement): CanvasRenderingContext2D {
  return canvas.getContext("2d") as CanvasRenderingContext2D;
}

function resizeCanvas(canvas: HTMLCanvasElement, width: number, height: number, ratio: number): void {
  if (canvas.width !== width) canvas.width = width;
  if (canvas.height !== height) canvas.height = height;
  canvas.style.width = `${width / ratio}px`;
  canvas.style.height = `${height / ratio}px`;
}
