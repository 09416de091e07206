/** Draws the velocity lane below the notes. */

import { noteAt } from "../music/notes";
import type { Note } from "../protocol";
import type { Context } from "./notes";
import { barsIn } from "./grid";
import type { Layer, RollState } from "./state";
import { drawnInto, touchable } from "./state";
import type { Colours, TrackColours } from "./theme";
import { velocityStep } from "./theme";
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
    for (const bar of barsIn(view, state.song)) context.fillRect(xOf(view, state.song.bars.start(bar)), 0, line, height);
    for (const layer of laneLayers(state)) paintStems(context, view, height, state, layer, colours);
  }
  context.fillStyle = colours.of["panel-line"];
  context.fillRect(0, 0, view.width, line);
}

function paintStems(context: Context, view: View, height: number, state: RollState, layer: Layer, colours: Colours): void {
  const { notes, track } = layer.track;
  const shade = colours.tracks[layer.place % colours.tracks.length] as TrackColours;
  const changed = new Map((state.velocities?.get(track) ?? []).map((note) => [note[0] * 128 + note[2], note]));
  const covered = new Int16Array(view.width + 1).fill(HIGHEST + 1);
  const chosen: Note[] = [];
  for (const index of notes.within(Math.floor(tickAt(view, -HEAD * 2)), Math.ceil(tickAt(view, view.width)))) {
    const note = noteAt(notes, index);
    const now = changed.get(note[0] * 128 + note[2]) ?? note;
    if (state.selection.has(track, note[0], note[2])) {
      chosen.push(now);
      continue;
    }
    const x = xOf(view, note[0]);
    if (x >= 0 && x < view.width) {
      if (covered[x] === now[3]) continue; // the same stem is there
      covered[x] = now[3];
    }
    context.fillStyle = shade.fill[velocityStep(now[3])] as string;
    stem(context, view, height, now);
  }
  context.fillStyle = colours.of.selected;
  for (const note of chosen) stem(context, view, height, note);
}

function stem(context: Context, view: View, height: number, note: Note): void {
  const { ratio } = view;
  const x = xOf(view, note[0]);
  const head = Math.round(HEAD * ratio);
  const y = Math.round(height - head - (note[3] / HIGHEST) * (height - 2 * head));
  const line = Math.max(1, Math.round(1.5 * ratio));
  context.fillRect(x, y, line, height - y);
  context.fillRect(x, y - (head >> 1), head, head);
}
