/** Draws the velocity lane below the notes. */

import { lowerBound, noteKey } from "../music/notes";
import type { Context } from "./notes";
import { Rects } from "./notes";
import { barsIn } from "./grid";
import type { Layer, RollState } from "./state";
import { drawnInto, touchable } from "./state";
import type { Colours, TrackColours } from "./theme";
import { velocityStep, VELOCITY_STEPS } from "./theme";
import type { View } from "./view";
import { tickAt, xOf } from "./view";

/** CSS pixels. */
export const LANE_HEIGHT = 72;
const HIGHEST = 127;
const HEAD = 5;

/** The tracks whose velocities are in the lane: the active one, or all that can be touched. */
export function laneLayers(state: RollState): Layer[] {
  const all = touchable(state);
  const active = state.activeTrack === null ? null : drawnInto(state);
  return active ? all.filter((layer) => layer.track.track === active.track) : all;
}

/** The velocity at a device pixel of the lane, 1 to 127. */
export function velocityAt(y: number, height: number, ratio: number): number {
  const room = height - 2 * HEAD * ratio;
  return Math.max(1, Math.min(HIGHEST, Math.round(((height - HEAD * ratio - y) / room) * HIGHEST)));
}

/** Draw a stem for each note; `height` in device pixels. */
export function paintLane(context: Context, view: View, height: number, state: RollState, colours: Colours): void {
  const line = Math.max(1, Math.floor(view.ratio));
  context.fillStyle = colours.of.panel;
  context.fillRect(0, 0, view.width, height);
  context.fillStyle = colours.of["line-grid"];
  context.fillRect(0, Math.round(height / 2), view.width, line);
  if (state.song) {
    context.fillStyle = colours.of["line-beat"];
    const { bars } = state.song;
    for (const bar of barsIn(view, state.song)) context.fillRect(xOf(view, bars.start(bar)), 0, line, height);
    paintStems(context, view, height, state, colours);
  }
  context.fillStyle = colours.of["panel-line"];
  context.fillRect(0, 0, view.width, line);
}

function paintStems(context: Context, view: View, height: number, state: RollState, colours: Colours): void {
  // By column: a stem that is lower than one in front of it is not seen.
  const tallest = new Uint8Array(view.width + 1);
  const chosen = new Rects();
  const behind: (() => void)[] = [];
  for (const layer of laneLayers(state).reverse()) {
    const shade = colours.tracks[layer.place % colours.tracks.length] as TrackColours;
    const steps = Array.from({ length: VELOCITY_STEPS }, () => new Rects());
    gatherStems(view, height, state, layer, steps, chosen, tallest);
    behind.unshift(() => steps.forEach((rects, step) => rects.fill(context, shade.fill[step] as string)));
  }
  for (const fill of behind) fill();
  chosen.fill(context, colours.of.selected);
}

function gatherStems(
  view: View,
  height: number,
  state: RollState,
  layer: Layer,
  steps: readonly Rects[],
  chosen: Rects,
  tallest: Uint8Array,
): void {
  const { notes, track } = layer.track;
  const changed = new Map((state.velocities?.get(track) ?? []).map((note) => [noteKey(note[0], note[2]), note[3]]));
  const first = Math.floor(tickAt(view, -HEAD * 2 * view.ratio));
  const some = state.selection.size > 0;
  // Stems are of notes that begin in sight: those that only sound there are passed over.
  const until = lowerBound(notes.tick, Math.ceil(tickAt(view, view.width)));
  for (let index = lowerBound(notes.tick, first); index < until; index++) {
    const tick = notes.tick[index] as number;
    const pitch = notes.pitch[index] as number;
    const x = xOf(view, tick);
    const velocity = changed.get(noteKey(tick, pitch)) ?? (notes.velocity[index] as number);
    if (some && state.selection.has(track, tick, pitch)) {
      stem(chosen, view, height, x, velocity);
      continue;
    }
    const column = Math.max(0, Math.min(view.width, x));
    if ((tallest[column] as number) >= velocity) continue;
    tallest[column] = velocity;
    stem(steps[velocityStep(velocity)] as Rects, view, height, x, velocity);
  }
}

function stem(rects: Rects, view: View, height: number, x: number, velocity: number): void {
  const { ratio } = view;
  const head = Math.round(HEAD * ratio);
  const y = Math.round(height - head - (velocity / HIGHEST) * (height - 2 * head));
  const line = Math.max(1, Math.round(1.5 * ratio));
  rects.push(x, y, line, height - y);
  rects.push(x, y - (head >> 1), head, head);
}
