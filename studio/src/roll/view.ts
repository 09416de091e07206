/** What part of the music is on the screen: one immutable view, in device pixels, so that edges are crisp. */

export const KEYS = 128;

/** Pixels of CSS for a quarter note and a key, before any zoom. */
export const QUARTER_WIDTH = 48;
export const KEY_HEIGHT = 16;

const LARGEST_QUARTER = 720;
const SMALLEST_QUARTER = 0.05;
const LARGEST_KEY = 40;
const SMALLEST_KEY = 3;

/** The most that one wheel event zooms by. */
export const MOST_ZOOM = 1.15;

export interface View {
  /** Device pixels a CSS pixel. */
  readonly ratio: number;
  /** The size of the port, in device pixels. */
  readonly width: number;
  readonly height: number;
  /** Device pixels a tick, and a key: a key is a whole number of pixels high. */
  readonly tickWidth: number;
  readonly keyHeight: number;
  /** CSS pixels a quarter and a key as they were chosen, before rounding. */
  readonly quarter: number;
  readonly key: number;
  /** The device pixel of the music at the port's left and upper edge, whole. */
  readonly left: number;
  readonly top: number;
  readonly ticksPerQuarter: number;
  /** The tick where scrolling ends. */
  readonly end: number;
}

export const FIRST_VIEW: View = {
  ratio: 1, width: 0, height: 0, tickWidth: QUARTER_WIDTH / 480, keyHeight: KEY_HEIGHT, quarter: QUARTER_WIDTH,
  key: KEY_HEIGHT, left: 0, top: 0, ticksPerQuarter: 480, end: 0,
};

function clamp(value: number, low: number, high: number): number {
  return Math.max(low, Math.min(high, value));
}

/** A view with some fields changed, and all that follows from them. */
export function viewWith(view: View, change: Partial<View>): View {
  const next = { ...view, ...change };
  const quarter = clamp(next.quarter, SMALLEST_QUARTER, LARGEST_QUARTER);
  const key = clamp(next.key, SMALLEST_KEY, LARGEST_KEY);
  const tickWidth = (quarter * next.ratio) / next.ticksPerQuarter;
  const keyHeight = Math.max(2, Math.round(key * next.ratio));
  const mostLeft = Math.max(0, Math.ceil(next.end * tickWidth) - next.width);
  const mostTop = Math.max(0, KEYS * keyHeight - next.height);
  const left = Math.round(clamp(next.left, 0, mostLeft));
  const top = Math.round(clamp(next.top, 0, mostTop));
  return { ...next, quarter, key, tickWidth, keyHeight, left, top };
}

/** The device pixel in the port where a tick is. */
export function xOf(view: View, tick: number): number {
  return Math.round(tick * view.tickWidth) - view.left;
}

/** The tick at a device pixel of the port; not rounded. */
export function tickAt(view: View, x: number): number {
  return (x + view.left) / view.tickWidth;
}

/** The device pixel in the port where a pitch's row begins. */
export function yOf(view: View, pitch: number): number {
  return (KEYS - 1 - pitch) * view.keyHeight - view.top;
}

/** The pitch at a device pixel of the port, 0 to 127. */
export function pitchAt(view: View, y: number): number {
  return clamp(KEYS - 1 - Math.floor((y + view.top) / view.keyHeight), 0, KEYS - 1);
}

/** Zoom by factors; the tick at `x` and the pitch at `y` (device pixels in the port) stay where they are. */
export function zoomed(view: View, factorX: number, factorY: number, x: number, y: number): View {
  const tick = tickAt(view, x);
  const row = (y + view.top) / view.keyHeight;
  const scaled = viewWith(view, { quarter: view.quarter * factorX, key: view.key * factorY });
  return viewWith(scaled, { left: tick * scaled.tickWidth - x, top: row * scaled.keyHeight - y });
}

/** How wide a note is drawn that is `exact` device pixels long: notes that follow each other are seen apart. */
export function noteWidth(exact: number): number {
  return exact > 3 ? exact - 1 : Math.max(1, exact);
}

/** How high a note is drawn, in device pixels: the line below its row is seen. */
export function rowHeight(view: View): number {
  return view.keyHeight > 5 ? view.keyHeight - 1 : view.keyHeight;
}

/** The rectangle of a note in the port, in device pixels; at least one wide. */
export function noteBox(view: View, tick: number, length: number, pitch: number): [number, number, number, number] {
  const x = Math.round(tick * view.tickWidth);
  const width = noteWidth(Math.round((tick + length) * view.tickWidth) - x);
  return [x - view.left, yOf(view, pitch), width, rowHeight(view)];
}

const LINE_PIXELS = 16;
const MODE_LINE = 1;
const MODE_PAGE = 2;

/** A wheel event's movement in CSS pixels, whatever its `deltaMode`. */
export function wheelPixels(
  event: Pick<WheelEvent, "deltaX" | "deltaY" | "deltaMode">,
  page: number,
): { x: number; y: number } {
  const unit = event.deltaMode === MODE_LINE ? LINE_PIXELS : event.deltaMode === MODE_PAGE ? page : 1;
  return { x: event.deltaX * unit, y: event.deltaY * unit };
}

/** The zoom of a wheel movement: a notch of 100 pixels is about a tenth, and no event is more than `MOST_ZOOM`. */
export function wheelZoom(pixels: number): number {
  return clamp(Math.exp(-pixels / 700), 1 / MOST_ZOOM, MOST_ZOOM);
}
