/** Draws the ruler above the notes and the piano beside them. */

import { drumName, isBlackKey, keyAt, pitchName } from "../music/pitch";
import type { SongState } from "../music/music";
import type { Context } from "./notes";
import { Rects } from "./notes";
import { barsIn } from "./grid";
import type { RollState } from "./state";
import { drawnInto } from "./state";
import type { Colours } from "./theme";
import type { View } from "./view";
import { pitchAt, tickAt, xOf, yOf } from "./view";

/** CSS pixels. */
export const RULER_HEIGHT = 34;
export const PIANO_WIDTH = 56;
const LOOP_HEIGHT = 6;
const NEAREST_NUMBER = 34;
const NEAREST_BEAT_NUMBER = 46;
const METER_WIDTH = 26;
const BLACK_KEY = 0.62;
/** A row at least this high has its drum's name. */
const DRUM_ROW = 10;

function font(view: View, size: number, weight = 400): string {
  return `${weight} ${size * view.ratio}px system-ui, sans-serif`;
}

/** Draw bar numbers, meters, the chosen bars and the loop; `height` in device pixels. */
export function paintRuler(context: Context, view: View, height: number, state: RollState, colours: Colours): void {
  const { ratio } = view;
  const line = Math.max(1, Math.floor(ratio));
  context.fillStyle = colours.of.panel;
  context.fillRect(0, 0, view.width, height);
  const { song } = state;
  if (song) {
    if (state.range) {
      const from = xOf(view, song.bars.start(state.range[0]));
      const to = xOf(view, song.bars.start(state.range[1] + 1));
      context.fillStyle = colours.of.range;
      context.globalAlpha = 0.28;
      context.fillRect(from, LOOP_HEIGHT * ratio, to - from, height);
      context.globalAlpha = 1;
      context.fillRect(from, height - 3 * line, to - from, 3 * line);
      context.fillRect(from, LOOP_HEIGHT * ratio, 2 * line, height);
      context.fillRect(to - 2 * line, LOOP_HEIGHT * ratio, 2 * line, height);
    }
    if (state.loop) paintLoop(context, view, state.loop, colours);
    paintNumbers(context, view, height, song, colours);
  }
  context.fillStyle = colours.of["panel-line"];
  context.fillRect(0, height - line, view.width, line);
}

function paintLoop(context: Context, view: View, [from, to]: [number, number], colours: Colours): void {
  const left = xOf(view, from);
  const right = xOf(view, to);
  const high = LOOP_HEIGHT * view.ratio;
  context.fillStyle = colours.of.loop;
  context.fillRect(left, 0, right - left, high - view.ratio);
  context.beginPath();
  for (const [x, way] of [[left, 1], [right, -1]] as const) {
    context.moveTo(x, 0);
    context.lineTo(x + way * high * 1.2, 0);
    context.lineTo(x, high * 2);
  }
  context.fill();
}

function paintNumbers(context: Context, view: View, height: number, song: SongState, colours: Colours): void {
  const { ratio } = view;
  const line = Math.max(1, Math.floor(ratio));
  const base = height - 10 * ratio;
  context.textBaseline = "alphabetic";
  context.textAlign = "left";
  context.font = font(view, 12, 600);
  const bars = [...barsIn(view, song, NEAREST_NUMBER)];
  const meters: [text: string, x: number][] = [];
  bars.forEach((bar, at) => {
    const x = xOf(view, song.bars.start(bar));
    context.fillStyle = colours.of["line-bar"];
    context.fillRect(x, LOOP_HEIGHT * ratio + 4 * ratio, line, height);
    context.fillStyle = colours.of[bar > song.bars.count ? "text-soft" : "text"];
    context.fillText(String(bar), x + 5 * ratio, base);
    const meter = song.bars.meter(bar);
    const before = bar > 1 ? song.bars.meter(bar - 1) : null;
    if (before && before[0] === meter[0] && before[1] === meter[1]) return;
    const after = x + 9 * ratio + context.measureText(String(bar)).width;
    const next = xOf(view, song.bars.start(bars[at + 1] ?? bar + 1));
    if (after + METER_WIDTH * ratio < next) meters.push([`${meter[0]}/${meter[1]}`, after]);
  });
  context.font = font(view, 10);
  context.fillStyle = colours.of["text-soft"];
  for (const [text, x] of meters) context.fillText(text, x, base);
  paintBeats(context, view, height, song, colours);
}

/** Draw a tick at each beat, and its number where there is room; the font is that of the meters. */
function paintBeats(context: Context, view: View, height: number, song: SongState, colours: Colours): void {
  const { ratio } = view;
  const last = tickAt(view, view.width);
  const line = Math.max(1, Math.floor(ratio));
  const marks = new Rects();
  for (const bar of barsIn(view, song)) {
    const beat = (song.ticksPerQuarter * 4) / (song.bars.meter(bar)[1] || 4);
    const width = beat * view.tickWidth;
    if (width < 9 * ratio) continue;
    const next = song.bars.start(bar + 1);
    for (let tick = song.bars.start(bar) + beat, n = 2; tick < Math.min(next, last); tick += beat, n++) {
      const x = xOf(view, tick);
      marks.push(x, height - 6 * ratio, line, 6 * ratio);
      if (width >= NEAREST_BEAT_NUMBER * ratio) context.fillText(`${bar}.${n}`, x + 4 * ratio, height - 10 * ratio);
    }
  }
  marks.fill(context, colours.of["line-bar"]);
}

/** Draw the piano; `width` in device pixels. */
export function paintPiano(context: Context, view: View, width: number, state: RollState, colours: Colours): void {
  if (drawnInto(state)?.drum) {
    paintDrums(context, view, width, state, colours);
    return;
  }
  const line = Math.max(1, Math.floor(view.ratio));
  const top = pitchAt(view, 0);
  const bottom = pitchAt(view, view.height - 1);
  context.fillStyle = colours.of["key-white"];
  context.fillRect(0, 0, width, view.height);
  for (let pitch = bottom; pitch <= top; pitch++) {
    const y = yOf(view, pitch);
    if (state.pressed.has(pitch) && !isBlackKey(pitch)) {
      context.fillStyle = colours.of["key-down"];
      context.fillRect(0, y, width, view.keyHeight);
    }
    // White keys meet between B and C and between E and F, and in the middle of each black key.
    context.fillStyle = colours.of["panel-line"];
    if (pitch % 12 === 0 || pitch % 12 === 5) context.fillRect(0, y + view.keyHeight - line, width, line);
    if (isBlackKey(pitch)) context.fillRect(0, y + Math.floor(view.keyHeight / 2), width, line);
  }
  for (let pitch = bottom; pitch <= top; pitch++) {
    if (!isBlackKey(pitch)) continue;
    context.fillStyle = colours.of[state.pressed.has(pitch) ? "key-down" : "key-black"];
    context.fillRect(0, yOf(view, pitch), Math.round(width * BLACK_KEY), view.keyHeight);
  }
  paintKeyNames(context, view, width, state, colours);
  context.fillStyle = colours.of["panel-line"];
  context.fillRect(width - line, 0, line, view.height);
}

/** Drums have names, not keys. */
function paintDrums(context: Context, view: View, width: number, state: RollState, colours: Colours): void {
  const line = Math.max(1, Math.floor(view.ratio));
  context.fillStyle = colours.of.panel;
  context.fillRect(0, 0, width, view.height);
  context.font = font(view, Math.min(10, view.keyHeight / view.ratio - 2));
  context.textBaseline = "middle";
  context.textAlign = "left";
  for (let pitch = pitchAt(view, view.height - 1); pitch <= pitchAt(view, 0); pitch++) {
    const y = yOf(view, pitch);
    if (state.pressed.has(pitch)) {
      context.fillStyle = colours.of["key-down"];
      context.fillRect(0, y, width, view.keyHeight);
    }
    if (view.keyHeight < DRUM_ROW * view.ratio) continue;
    context.fillStyle = colours.of["panel-line"];
    context.fillRect(0, y + view.keyHeight - line, width, line);
    context.fillStyle = colours.of[state.pressed.has(pitch) ? "key-text" : "text-soft"];
    context.fillText(drumName(pitch), 3 * view.ratio, y + view.keyHeight / 2 + 0.5, width - 6 * view.ratio);
  }
  context.fillStyle = colours.of["panel-line"];
  context.fillRect(width - line, 0, line, view.height);
}

function paintKeyNames(context: Context, view: View, width: number, state: RollState, colours: Colours): void {
  const fifths = keyAt(state.song?.keys ?? [], tickAt(view, 0))?.fifths ?? 0;
  const all = view.keyHeight >= 15 * view.ratio;
  const size = Math.min(11, Math.max(9, view.keyHeight / view.ratio));
  context.textBaseline = "middle";
  context.textAlign = "right";
  for (let pitch = pitchAt(view, view.height - 1); pitch <= pitchAt(view, 0); pitch++) {
    const octave = pitch % 12 === 0;
    if (isBlackKey(pitch) || (!octave && !all)) continue;
    if (octave && view.keyHeight * 12 < 14 * view.ratio) continue;
    context.font = font(view, size, octave ? 600 : 400);
    context.fillStyle = colours.of["key-text"];
    context.globalAlpha = octave ? 1 : 0.65;
    context.fillText(pitchName(pitch, fifths), width - 5 * view.ratio, yOf(view, pitch) + view.keyHeight / 2 + 0.5);
  }
  context.globalAlpha = 1;
}
