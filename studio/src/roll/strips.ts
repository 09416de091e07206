/** Gestures beside the notes: on the ruler, the piano and the velocity lane; panning and pinching. */

import type { Note } from "../protocol";
import { snap, withVelocity } from "../music/edits";
import { noteAt } from "../music/notes";
import type { Gesture, Point } from "./gesture";
import type { Host } from "./host";
import { laneLayers, velocityAt } from "./lane";
import { Dirty } from "./stage";
import { target } from "./state";
import { ROLL } from "../strings";
import { tickAt, xOf, zoomed } from "./view";

/** CSS pixels. */
const RANGE_EDGE = 6;
const COARSE_EDGE = 12;
const STEM_REACH = 5;
/** Pixels a frame: a flick slower than this stands still. */
const SLOWEST = 0.5;
const FRICTION = 0.94;
/** Fingers nearer than this in one direction, in CSS pixels, do not zoom in it. */
const NEAREST_FINGERS = 40;

/** The ruler: a drag chooses bars, a click moves the play cursor, a drag with Shift sets the loop. */
export class RulerDrag implements Gesture {
  readonly scrolls = true;
  private readonly range: [number, number] | null;
  private readonly loop: [number, number] | null;
  /** The bar that stays while the other end is dragged. */
  private readonly fixed: number;
  private readonly edge: boolean;

  constructor(
    private readonly host: Host,
    private readonly start: Point,
  ) {
    const { state } = host;
    this.range = state.range;
    this.loop = state.loop;
    const ends = this.edges();
    const reach = (start.coarse ? COARSE_EDGE : RANGE_EDGE) * host.stage.view.ratio;
    const first = ends !== null && Math.abs(ends[0] - start.x) <= reach;
    const last = ends !== null && Math.abs(ends[1] - start.x) <= reach;
    this.edge = (first || last) && !start.shift;
    const bar = state.song?.bars.at(Math.max(0, start.tick)) ?? 1;
    this.fixed = this.edge && this.range ? this.range[last ? 0 : 1] : bar;
  }

  move(point: Point): void {
    const { host } = this;
    const bars = host.state.song?.bars;
    if (!bars) return;
    if (this.start.shift) {
      const step = point.alt ? 0 : host.state.grid || host.state.song?.ticksPerQuarter || 0;
      const ends = [snap(this.start.tick, step, bars), snap(point.tick, step, bars)].sort((a, b) => a - b);
      host.state.loop = ends[0] === ends[1] ? this.loop : [ends[0] as number, ends[1] as number];
    } else {
      const bar = bars.at(Math.max(0, point.tick));
      host.state.range = [Math.min(this.fixed, bar), Math.max(this.fixed, bar)];
    }
    host.stage.invalidate(Dirty.ruler | Dirty.overlay);
  }

  end(point: Point, moved: boolean): void {
    const { host } = this;
    if (moved && this.start.shift) host.emit("loop", { loop: host.state.loop });
    else if (moved) host.emit("range", { range: host.state.range });
    else if (this.start.shift) this.clearLoop();
    else if (host.state.song) {
      const tick = snap(Math.max(0, point.tick), point.alt ? 0 : host.state.grid, host.state.song.bars);
      host.state.cursor = tick;
      host.stage.invalidate(Dirty.cursor);
      host.emit("seek", { tick });
    }
  }

  cancel(): void {
    this.host.state.range = this.range;
    this.host.state.loop = this.loop;
    this.host.stage.invalidate(Dirty.ruler | Dirty.overlay);
  }

  private clearLoop(): void {
    if (!this.loop) return;
    this.host.state.loop = null;
    this.host.stage.invalidate(Dirty.ruler | Dirty.overlay);
    this.host.emit("loop", { loop: null });
  }

  private edges(): [number, number] | null {
    const bars = this.host.state.song?.bars;
    if (!bars || !this.range) return null;
    const { view } = this.host.stage;
    return [xOf(view, bars.start(this.range[0])), xOf(view, bars.start(this.range[1] + 1))];
  }
}

/** The piano: keys sound as they are pressed or slid over. */
export class PianoPress implements Gesture {
  readonly scrolls = false;
  private pitch = -1;

  constructor(
    private readonly host: Host,
    start: Point,
  ) {
    this.move(start);
  }

  move(point: Point): void {
    if (point.pitch === this.pitch) return;
    this.pitch = point.pitch;
    this.host.sound(target(this.host.state)?.track ?? "", point.pitch, this.host.lastVelocity);
  }

  end(): void {
    this.host.press([]);
  }

  cancel(): void {
    this.host.press([]);
  }
}

/** The velocity lane: a drag paints a line; with a selection, only over what is selected. */
export class LanePaint implements Gesture {
  readonly scrolls = false;
  private readonly changed = new Map<string, Map<number, [was: Note, now: Note]>>();
  private last: Point;

  constructor(
    private readonly host: Host,
    start: Point,
  ) {
    this.last = start;
    this.move(start);
  }

  move(point: Point): void {
    const { host, last } = this;
    const { state, stage } = host;
    if (!host.editable) return;
    const reach = STEM_REACH * stage.view.ratio;
    const [left, right] = [Math.min(last.x, point.x) - reach, Math.max(last.x, point.x) + reach];
    for (const { track } of laneLayers(state)) {
      const { notes } = track;
      for (const index of notes.within(Math.floor(tickAt(stage.view, left)), Math.ceil(tickAt(stage.view, right)))) {
        const was = noteAt(notes, index);
        const x = xOf(stage.view, was[0]);
        if (x < left || x > right || !this.paintable(track.track, was)) continue;
        const now = withVelocity(was, velocityAt(this.lineAt(point, x), stage.lane.height, stage.view.ratio));
        let rows = this.changed.get(track.track);
        if (!rows) this.changed.set(track.track, (rows = new Map()));
        rows.set(index, [was, now]);
      }
    }
    this.last = point;
    const now = ([track, rows]: [string, Map<number, [Note, Note]>]): [string, Note[]] => {
      return [track, [...rows.values()].map((pair) => pair[1])];
    };
    state.velocities = new Map([...this.changed].map(now));
    stage.invalidate(Dirty.lane);
  }

  end(): void {
    const { host } = this;
    this.cancel();
    const edit = new Map(
      [...this.changed].map(([track, rows]) => {
        const pairs = [...rows.values()];
        return [track, { remove: pairs.map(([was]) => was), add: pairs.map(([, now]) => now) }];
      }),
    );
    const one = [...this.changed.values()].flatMap((rows) => [...rows.values()]);
    const last = one[one.length - 1];
    if (last) host.lastVelocity = last[1][3];
    host.commit(edit, ROLL.changeVelocity, host.state.selection.refs);
  }

  cancel(): void {
    this.host.state.velocities = null;
    this.host.stage.invalidate(Dirty.lane);
  }

  private paintable(track: string, note: Note): boolean {
    const { selection, locks } = this.host.state;
    if (locks.has(track, note[0], note[2])) return false;
    return selection.size === 0 || selection.has(track, note[0], note[2]);
  }

  /** The height of the line from the last point to this one, at `x`. */
  private lineAt(point: Point, x: number): number {
    const { last } = this;
    if (point.x === last.x) return point.y;
    const share = Math.max(0, Math.min(1, (x - last.x) / (point.x - last.x)));
    return last.y + (point.y - last.y) * share;
  }
}

/** The middle button, or a finger beside the notes: the music goes with it, and on after a flick. */
export class Pan implements Gesture {
  readonly scrolls = false;
  private speed: [number, number] = [0, 0];

  constructor(
    private readonly host: Host,
    private last: Point,
    private readonly flicks: boolean,
    private readonly click: (() => void) | null = null,
  ) {}

  move(point: Point): void {
    const by: [number, number] = [this.last.x - point.x, this.last.y - point.y];
    this.speed = [by[0] * 0.6 + this.speed[0] * 0.4, by[1] * 0.6 + this.speed[1] * 0.4];
    this.last = point;
    this.host.stage.scrollBy(...by);
  }

  end(_point: Point, moved: boolean): void {
    if (!moved) this.click?.();
    else if (this.flicks && !matchMedia("(prefers-reduced-motion: reduce)").matches) this.glide();
  }

  cancel(): void {
    this.speed = [0, 0];
  }

  private glide(): void {
    const { view } = this.host.stage;
    this.host.stage.scrollBy(...this.speed);
    const stopped = this.host.stage.view.left === view.left && this.host.stage.view.top === view.top;
    this.speed = [this.speed[0] * FRICTION, this.speed[1] * FRICTION];
    if (!stopped && Math.hypot(...this.speed) > SLOWEST) requestAnimationFrame(() => this.glide());
  }
}

/** Two fingers: what is between them stays between them. */
export class Pinch {
  private last: [Point, Point];

  constructor(
    private readonly host: Host,
    first: Point,
    second: Point,
  ) {
    this.last = [first, second];
  }

  move(first: Point, second: Point): void {
    const { stage } = this.host;
    const [a, b] = this.last;
    const least = NEAREST_FINGERS * stage.view.ratio;
    const factor = (was: number, is: number): number => {
      return Math.abs(was) > least && Math.abs(is) > least ? Math.abs(is / was) : 1;
    };
    const middle = [(a.x + b.x) / 2, (a.y + b.y) / 2] as const;
    const now = [(first.x + second.x) / 2, (first.y + second.y) / 2] as const;
    const [wide, high] = [factor(a.x - b.x, first.x - second.x), factor(a.y - b.y, first.y - second.y)];
    stage.setView(zoomed(stage.view, wide, high, ...middle));
    stage.scrollBy(middle[0] - now[0], middle[1] - now[1]);
    this.last = [first, second];
  }
}
