/** Draws what stands behind the notes: rows, scale, bars, beats, the grid. */

import { isBlackKey, keyAt, scaleOf } from "../music/pitch";
import type { SongState } from "../music/music";
import type { Context } from "./notes";
import { Rects } from "./notes";
import type { RollState } from "./state";
import type { Colours } from "./theme";
import type { View } from "./view";
import { pitchAt, tickAt, xOf, yOf } from "./view";

/** Lines nearer than this, in CSS pixels, are left out. */
const NEAREST_GRID = 7;
const NEAREST_BEAT = 9;
export const NEAREST_BAR = 12;
/** Bar lines nearer than this are as pale as beats. */
const STRONG_BAR = 26;

export function paintGrid(context: Context, view: View, state: RollState, colours: Colours): void {
  context.fillStyle = colours.of.back;
  context.fillRect(0, 0, view.width, view.height);
  paintRows(context, view, state, colours);
  if (!state.song) return;
  paintLines(context, view, state.song, state.grid, colours);
  const end = xOf(view, state.song.end);
  if (end < view.width) {
    context.fillStyle = colours.of["after-end"];
    context.fillRect(Math.max(0, end), 0, view.width, view.height);
  }
}

function paintRows(context: Context, view: View, state: RollState, colours: Colours): void {
  const top = pitchAt(view, 0);
  const bottom = pitchAt(view, view.height - 1);
  for (const part of scaleParts(view, state)) {
    for (let pitch = bottom; pitch <= top; pitch++) {
      const outside = part.scale !== null && !part.scale[pitch % 12];
      if (!outside && !isBlackKey(pitch)) continue;
      if (part.scale !== null && !outside) continue; // with a scale the rows of the scale are all alike
      context.fillStyle = colours.of[outside ? "outside-scale" : "black-row"];
      context.fillRect(part.from, yOf(view, pitch), part.to - part.from, view.keyHeight);
    }
  }
  const line = Math.max(1, Math.floor(view.ratio));
  for (let pitch = bottom; pitch <= top; pitch++) {
    const octave = pitch % 12 === 0;
    if (!octave && view.keyHeight < 8 * view.ratio) continue;
    context.fillStyle = colours.of[octave ? "line-octave" : "line-grid"];
    context.fillRect(0, yOf(view, pitch) + view.keyHeight - line, view.width, line);
  }
}

/** The stretches of one key that are visible; one without scale where none is known or shown. */
function scaleParts(view: View, state: RollState): { from: number; to: number; scale: boolean[] | null }[] {
  const keys = state.song?.keys ?? [];
  if (!state.scaleTint || keys.length === 0) return [{ from: 0, to: view.width, scale: null }];
  const first = tickAt(view, 0);
  const last = tickAt(view, view.width);
  const changes = keys.map(([tick]) => tick).filter((tick) => tick > first && tick < last);
  const ticks = [first, ...changes, last];
  return ticks.slice(0, -1).map((tick, at) => {
    const key = keyAt(keys, tick);
    const from = at === 0 ? 0 : xOf(view, tick);
    const to = at === ticks.length - 2 ? view.width : xOf(view, ticks[at + 1] as number);
    return { from, to, scale: key ? scaleOf(key) : null };
  });
}

function paintLines(context: Context, view: View, song: SongState, grid: number, colours: Colours): void {
  const line = Math.max(1, Math.floor(view.ratio));
  const last = tickAt(view, view.width);
  const [steps, beats, starts] = [new Rects(), new Rects(), new Rects()];
  const put = (lines: Rects, tick: number): void => lines.push(xOf(view, tick), 0, line, view.height);
  const bars = [...barsIn(view, song)];
  const [one, two] = bars;
  const near = one && two ? xOf(view, song.bars.start(two)) - xOf(view, song.bars.start(one)) : Infinity;
  for (const bar of bars) {
    const start = song.bars.start(bar);
    const next = Math.min(song.bars.start(bar + 1), last);
    const beat = (song.ticksPerQuarter * 4) / (song.bars.meter(bar)[1] || 4);
    if (grid > 0 && grid * view.tickWidth >= NEAREST_GRID * view.ratio) {
      for (let tick = start + grid; tick < next; tick += grid) put(steps, tick);
    }
    if (beat * view.tickWidth >= NEAREST_BEAT * view.ratio) {
      for (let tick = start + beat; tick < next; tick += beat) put(beats, tick);
    }
    put(starts, start);
  }
  steps.fill(context, colours.of["line-grid"]);
  beats.fill(context, colours.of["line-beat"]);
  starts.fill(context, colours.of[near < STRONG_BAR * view.ratio ? "line-beat" : "line-bar"]);
}

/** The bars that begin in the port or before it and are visible, thinned out where they would be too near. */
export function* barsIn(view: View, song: SongState, nearest = NEAREST_BAR): Iterable<number> {
  const last = tickAt(view, view.width);
  const first = song.bars.at(Math.max(0, tickAt(view, 0)));
  const width = (song.bars.start(first + 1) - song.bars.start(first)) * view.tickWidth;
  const step = barStep(width, nearest * view.ratio);
  for (let bar = first - ((first - 1) % step); song.bars.start(bar) < last; bar += step) yield bar;
}

/** How many bars from one line to the next: 1, 2, 4, 8, ... so that they are `nearest` pixels apart. */
function barStep(width: number, nearest: number): number {
  let step = 1;
  while (width * step < nearest && step < 65_536) step *= 2;
  return step;
}
