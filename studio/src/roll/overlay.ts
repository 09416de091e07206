/** Draws what stands above the notes: chosen bars, the selection, a gesture in progress, an idea. */

import type { Note } from "../protocol";
import { noteAt } from "../music/notes";
import type { IdeaLayer, SongState } from "../music/music";
import { keyAt } from "../music/pitch";
import type { Context } from "./notes";
import { hasName, nameFont, paintLock, paintName, Rects } from "./notes";
import type { Layer, RollState } from "./state";
import { layers, touchable } from "./state";
import type { Colours, TrackColours } from "./theme";
import { velocityStep } from "./theme";
import type { View } from "./view";
import { noteBox, tickAt, xOf, yOf } from "./view";

/** How much of an idea has been drawn, so that what arrives can be drawn alone. */
export type IdeaMark = Map<string, number>;

/** Clipping to more rectangles than this takes too long. */
const MOST_HATCHED = 400;

type Box = ReturnType<typeof noteBox>;
type Named = [note: Note, colour: string];

/** What is drawn of the selected notes. */
interface Chosen {
  outer: Rects;
  fills: Map<string, Rects>;
  named: Named[];
  locked: Named[];
}

/** Whether there is nothing to draw above the notes. */
export function isClear(state: RollState): boolean {
  const { idea, range, loop, selection, preview, focus, band } = state;
  return !idea && !range && !loop && selection.size === 0 && !preview && !focus && !band;
}

export function paintOverlay(context: Context, view: View, state: RollState, colours: Colours): IdeaMark {
  context.clearRect(0, 0, view.width, view.height);
  const mark: IdeaMark = new Map();
  const { song } = state;
  if (!song) return mark;
  paintSpans(context, view, state, song, colours);
  if (state.idea) {
    paintRemoved(context, view, state.idea.removed, state, colours);
    paintGrown(context, view, state.idea, mark, colours);
  }
  paintSelection(context, view, state, colours);
  if (state.preview) paintPreview(context, view, state, colours);
  paintFocus(context, view, state, colours);
  if (state.band) paintBand(context, view, state.band, colours);
  return mark;
}

/** Draw the notes of an idea that `mark` does not have yet. */
export function paintGrown(context: Context, view: View, idea: IdeaLayer, mark: IdeaMark, colours: Colours): void {
  const unit = Math.max(1, Math.round(view.ratio));
  for (const [track, { notes }] of idea.added) {
    for (let at = mark.get(track) ?? 0; at < notes.length; at++) {
      paintIdeaNote(context, view, notes[at] as Note, colours, unit);
    }
    mark.set(track, notes.length);
  }
}

function paintIdeaNote(context: Context, view: View, note: Note, colours: Colours, unit: number): void {
  const [x, y, width, height] = noteBox(view, note[0], note[1], note[2]);
  if (outside(view, x, y, width, height)) return;
  const { idea } = colours;
  context.fillStyle = idea.fill[velocityStep(note[3])] as string;
  context.fillRect(x, y, width, height);
  if (width < 6 * unit || height < 5 * unit) return;
  context.strokeStyle = idea.edge;
  context.lineWidth = unit;
  context.setLineDash([4 * unit, 2 * unit]);
  context.strokeRect(x + unit / 2, y + unit / 2, width - unit, height - unit);
  context.setLineDash([]);
}

function outside(view: View, x: number, y: number, width: number, height: number): boolean {
  return x >= view.width || x + width <= 0 || y >= view.height || y + height <= 0;
}

function paintSpans(context: Context, view: View, state: RollState, song: SongState, colours: Colours): void {
  const unit = Math.max(1, Math.floor(view.ratio));
  if (state.range) {
    const from = xOf(view, song.bars.start(state.range[0]));
    const to = xOf(view, song.bars.start(state.range[1] + 1));
    context.fillStyle = colours.of.range;
    context.globalAlpha = 0.09;
    context.fillRect(from, 0, to - from, view.height);
    context.globalAlpha = 0.8;
    context.fillRect(from, 0, unit, view.height);
    context.fillRect(to - unit, 0, unit, view.height);
    context.globalAlpha = 1;
  }
  if (state.loop) {
    context.fillStyle = colours.of.loop;
    for (const tick of state.loop) context.fillRect(xOf(view, tick), 0, unit, view.height);
  }
  const { idea } = state;
  if (idea && idea.frontier !== Infinity && idea.frontier > 0) {
    context.fillStyle = colours.of.idea;
    context.globalAlpha = 0.7;
    context.fillRect(xOf(view, idea.frontier), 0, unit, view.height);
    context.globalAlpha = 1;
  }
}

/** Notes that go are still there, but pale and hatched; many of them at once only pale. */
function paintRemoved(
  context: Context,
  view: View,
  removed: ReadonlyMap<string, readonly Note[]>,
  state: RollState,
  colours: Colours,
): void {
  const boxes: Box[] = [];
  for (const [track, notes] of removed) {
    if (state.hidden.has(track) && track !== state.activeTrack) continue;
    for (const [tick, length, pitch] of notes) {
      const box = noteBox(view, tick, length, pitch);
      if (!outside(view, ...box)) boxes.push(box);
    }
  }
  const pale = new Rects();
  for (const box of boxes) pale.push(...box);
  context.globalAlpha = 0.78;
  pale.fill(context, colours.of.back);
  context.globalAlpha = 1;
  if (boxes.length > 0 && boxes.length <= MOST_HATCHED) hatch(context, view, boxes, colours);
}

function hatch(context: Context, view: View, boxes: readonly Box[], colours: Colours): void {
  const unit = Math.max(1, Math.round(view.ratio));
  const step = 5 * unit;
  context.save();
  context.beginPath();
  for (const box of boxes) context.rect(...box);
  context.clip();
  context.globalAlpha = 0.6;
  context.strokeStyle = colours.of["text-soft"];
  context.lineWidth = unit;
  context.beginPath();
  for (const [x, y, width, height] of boxes) {
    // The hatch belongs to the music, not to the port: it does not swim when that is scrolled.
    const first = Math.floor((x + view.left + y + view.top) / step) * step - view.left - view.top;
    for (let sum = first; sum < x + width + y + height; sum += step) {
      context.moveTo(sum - y, y);
      context.lineTo(sum - y - height, y + height);
    }
  }
  context.stroke();
  context.restore();
}

function paintSelection(context: Context, view: View, state: RollState, colours: Colours): void {
  if (state.selection.size === 0 || state.preview) return;
  const outer = new Rects();
  const chosen: Chosen = { outer, fills: new Map(), named: [], locked: [] };
  for (const layer of touchable(state)) gatherSelected(view, state, layer, colours, chosen);
  outer.fill(context, colours.of.selected);
  for (const [colour, rects] of chosen.fills) rects.fill(context, colour);
  paintNames(context, view, state, chosen.named);
  for (const [[tick, length, pitch], colour] of chosen.locked) {
    paintLock(context, view, noteBox(view, tick, length, pitch), colour);
  }
}

function gatherSelected(
  view: View,
  state: RollState,
  { track, place }: Layer,
  colours: Colours,
  { outer, fills, named, locked }: Chosen,
): void {
  const unit = Math.max(1, Math.round(view.ratio));
  const shade = colours.tracks[place % colours.tracks.length] as TrackColours;
  const { notes } = track;
  let lastX = -1;
  let lastY = -1;
  for (const index of notes.within(Math.floor(tickAt(view, -4)), Math.ceil(tickAt(view, view.width + 4)))) {
    const tick = notes.tick[index] as number;
    const pitch = notes.pitch[index] as number;
    if (!state.selection.has(track.track, tick, pitch)) continue;
    const [x, y, width, height] = noteBox(view, tick, notes.length[index] as number, pitch);
    if (outside(view, x - unit, y - unit, width + 2 * unit, height + 2 * unit)) continue;
    if (width < 2 && x === lastX && y === lastY) continue;
    [lastX, lastY] = [x, y];
    if (width < 4 * unit || height < 4 * unit) {
      outer.push(x, y, Math.max(width, 1), height);
      continue;
    }
    outer.push(x - unit, y - unit, width + 2 * unit, height + 2 * unit);
    const colour = shade.fill[velocityStep(notes.velocity[index] as number)] as string;
    let rects = fills.get(colour);
    if (!rects) fills.set(colour, (rects = new Rects()));
    rects.push(x + unit, y + unit, width - 2 * unit, height - 2 * unit);
    const note = noteAt(notes, index);
    const text = shade.text[velocityStep(note[3])] as string;
    if (!track.drum && hasName(view, width)) named.push([note, text]);
    if (state.locks.has(track.track, tick, pitch)) locked.push([note, text]);
  }
}

function paintNames(context: Context, view: View, state: RollState, named: readonly Named[]): void {
  if (named.length === 0) return;
  nameFont(context, view);
  const fifths = keyAt(state.song?.keys ?? [], 0)?.fifths ?? 0;
  for (const [note, colour] of named) paintName(context, view, note, fifths, colour);
}

function paintPreview(context: Context, view: View, state: RollState, colours: Colours): void {
  const { hide, add } = state.preview as NonNullable<RollState["preview"]>;
  paintRemoved(context, view, hide, state, colours);
  const outer = new Rects();
  const places = new Map((state.song?.tracks ?? []).map((track, place) => [track.track, place]));
  const unit = Math.max(1, Math.round(view.ratio));
  const inner: [string, Rects][] = [];
  const named: Named[] = [];
  for (const [track, notes] of add) {
    const shade = colours.tracks[(places.get(track) ?? places.size) % colours.tracks.length] as TrackColours;
    const rects = new Rects();
    for (const note of notes) {
      const [x, y, width, height] = noteBox(view, note[0], note[1], note[2]);
      if (outside(view, x, y, width, height)) continue;
      if (hasName(view, width)) named.push([note, shade.text[shade.text.length - 1] as string]);
      if (width < 4 * unit || height < 4 * unit) {
        outer.push(x, y, width, height);
        continue;
      }
      outer.push(x - unit, y - unit, width + 2 * unit, height + 2 * unit);
      rects.push(x + unit, y + unit, width - 2 * unit, height - 2 * unit);
    }
    inner.push([shade.plain, rects]);
  }
  outer.fill(context, colours.of.selected);
  for (const [colour, rects] of inner) rects.fill(context, colour);
  paintNames(context, view, state, named);
}

function paintFocus(context: Context, view: View, state: RollState, colours: Colours): void {
  const { focus, song } = state;
  if (!focus || !song || !state.walking) return;
  const notes = song.track(focus.track)?.notes;
  const index = notes?.find(focus.tick, focus.pitch) ?? -1;
  if (!notes || index < 0 || !layers(state).some((layer) => layer.track.track === focus.track)) return;
  const [tick, length, pitch] = noteAt(notes, index);
  const [x, y, width, height] = noteBox(view, tick, length, pitch);
  const unit = Math.max(1, Math.round(view.ratio));
  context.strokeStyle = colours.of.focus;
  context.lineWidth = 2 * unit;
  context.strokeRect(x - 3 * unit, y - 3 * unit, width + 6 * unit, height + 6 * unit);
}

function paintBand(context: Context, view: View, band: NonNullable<RollState["band"]>, colours: Colours): void {
  const x = xOf(view, band.from);
  const y = yOf(view, band.high);
  const width = xOf(view, band.to) - x;
  const height = yOf(view, band.low) + view.keyHeight - y;
  const unit = Math.max(1, Math.round(view.ratio));
  context.fillStyle = colours.of.focus;
  context.globalAlpha = 0.14;
  context.fillRect(x, y, width, height);
  context.globalAlpha = 1;
  context.strokeStyle = colours.of.focus;
  context.lineWidth = unit;
  context.strokeRect(x + unit / 2, y + unit / 2, width - unit, height - unit);
}
