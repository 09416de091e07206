/**
 * Colours and measures of the roll, as CSS custom properties that a page may set anywhere above the element.
 *
 * They are defined once, in `THEME`, for light and dark by the `color-scheme` that holds where the roll stands.
 */

const THEME = `
:where(:root) {
  --roll-back: light-dark(#ffffff, #20232a);
  --roll-black-row: light-dark(#f1f3f6, #191b20);
  --roll-outside-scale: light-dark(#e5e8ef, #15171b);
  --roll-after-end: light-dark(rgb(90 100 120 / 0.10), rgb(0 0 0 / 0.35));
  --roll-line-bar: light-dark(#a3abb9, #656c7a);
  --roll-line-beat: light-dark(#d0d5de, #3b404b);
  --roll-line-grid: light-dark(#e7eaef, #2b2f37);
  --roll-line-octave: light-dark(#c9cfd9, #444a56);
  --roll-panel: light-dark(#f6f7f9, #272a31);
  --roll-panel-line: light-dark(#cfd4dc, #3a3e48);
  --roll-text: light-dark(#1f2430, #e8eaf0);
  --roll-text-soft: light-dark(#565e6e, #a3a9b8);
  --roll-key-white: light-dark(#ffffff, #dfe2e9);
  --roll-key-black: light-dark(#2b2f38, #17181c);
  --roll-key-text: light-dark(#3c4350, #2a2e37);
  --roll-key-down: light-dark(#7fb2ff, #6ea8ff);
  --roll-range: light-dark(#2f6fde, #7db0ff);
  --roll-loop: light-dark(#3c8d4f, #6ecb86);
  --roll-cursor: light-dark(#d92d3a, #ff6b74);
  --roll-selected: light-dark(#10131a, #ffffff);
  --roll-idea: light-dark(#b8128c, #ff7ad1);
  --roll-focus: light-dark(#1a63d8, #8ebaff);
  --roll-track-1: light-dark(#2f6fde, #6ea8ff);
  --roll-track-2: light-dark(#d06a12, #ffa75c);
  --roll-track-3: light-dark(#2a9355, #62d391);
  --roll-track-4: light-dark(#7d48c9, #b994ff);
  --roll-track-5: light-dark(#0c8c9b, #4fcfdd);
  --roll-track-6: light-dark(#c63d36, #ff8a80);
  --roll-track-7: light-dark(#817c12, #d8d05a);
  --roll-track-8: light-dark(#94603f, #d9a883);
  --roll-track-9: light-dark(#8d2f55, #e895b4);
  --roll-track-10: light-dark(#5b8a0e, #a4d65a);
}
@media (forced-colors: active) {
  :where(:root) {
    --roll-back: Canvas; --roll-black-row: Canvas; --roll-outside-scale: Canvas; --roll-panel: Canvas;
    --roll-line-bar: CanvasText; --roll-line-beat: GrayText; --roll-line-grid: Canvas; --roll-line-octave: GrayText;
    --roll-panel-line: CanvasText; --roll-text: CanvasText; --roll-text-soft: CanvasText;
    --roll-range: Highlight; --roll-loop: Highlight; --roll-cursor: Highlight; --roll-selected: Highlight;
    --roll-idea: LinkText; --roll-focus: Highlight;
  }
}`;

/** How many track colours there are; after the last they begin again. */
export const TRACK_COLOURS = 10;

/** Steps of velocity that look different. */
export const VELOCITY_STEPS = 8;

const NAMES = [
  "back", "black-row", "outside-scale", "after-end", "line-bar", "line-beat", "line-grid", "line-octave", "panel",
  "panel-line", "text", "text-soft", "key-white", "key-black", "key-text", "key-down", "range", "loop", "cursor",
  "selected", "idea", "focus",
] as const;

export type ColourName = (typeof NAMES)[number];

/** How much of the background is in the softest notes. */
const PALEST = 0.6;

type Rgb = [number, number, number];

/** The colours of one track: by velocity, its edge, what can be read on it. */
export interface TrackColours {
  fill: string[];
  edge: string;
  text: string[];
  ghost: string;
  plain: string;
}

export interface Colours {
  of: Record<ColourName, string>;
  tracks: TrackColours[];
  idea: TrackColours;
}

/** The CSS colour of the track at a place in the song's list of tracks; for legends beside the roll. */
export function trackColour(place: number): string {
  return `var(--roll-track-${(place % TRACK_COLOURS) + 1})`;
}

/** Add the theme to the document, once; a page's own rules come after it and win. */
export function adoptTheme(): void {
  if (document.adoptedStyleSheets.some((sheet) => sheet === themeSheet)) return;
  if (!themeSheet) {
    themeSheet = new CSSStyleSheet();
    themeSheet.replaceSync(THEME);
  }
  document.adoptedStyleSheets = [themeSheet, ...document.adoptedStyleSheets];
}

let themeSheet: CSSStyleSheet | null = null;

/** Read the colours that hold for `probe`, an element in the roll. */
export function readColours(probe: HTMLElement): Colours {
  const style = getComputedStyle(probe);
  const read = (name: string): string => {
    probe.style.color = `var(--roll-${name})`;
    return style.color;
  };
  const of = Object.fromEntries(NAMES.map((name) => [name, read(name)])) as Record<ColourName, string>;
  const back = parsed(of.back);
  const tracks = Array.from({ length: TRACK_COLOURS }, (_, number) => shades(read(`track-${number + 1}`), back));
  return { of, tracks, idea: shades(of.idea, back) };
}

function parsed(colour: string): Rgb {
  const numbers = colour.match(/[\d.]+/g)?.map(Number) ?? [];
  return [numbers[0] ?? 0, numbers[1] ?? 0, numbers[2] ?? 0];
}

function mixed(a: Rgb, b: Rgb, share: number): Rgb {
  return [0, 1, 2].map((at) => Math.round((a[at] as number) * (1 - share) + (b[at] as number) * share)) as Rgb;
}

function css(colour: Rgb): string {
  return `rgb(${colour.join(" ")})`;
}

/** Relative luminance, 0 to 1. */
function luminance(colour: Rgb): number {
  const [red, green, blue] = colour.map((value) => {
    const part = value / 255;
    return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
  }) as Rgb;
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}

/** Dark or light text, whichever has more contrast on a colour. */
function textOn(colour: Rgb): string {
  const light = luminance(colour);
  return 1.05 / (light + 0.05) > (light + 0.05) / 0.056 ? "rgb(255 255 255)" : "rgb(16 19 26)";
}

function shades(colour: string, back: Rgb): TrackColours {
  const full = parsed(colour);
  const dark: Rgb = [12, 14, 20];
  const loudest = VELOCITY_STEPS - 1;
  const fills = Array.from({ length: VELOCITY_STEPS }, (_, step) => mixed(full, back, PALEST * (1 - step / loudest)));
  return {
    fill: fills.map(css),
    edge: css(luminance(back) > 0.3 ? mixed(full, dark, 0.35) : mixed(full, dark, 0.55)),
    text: fills.map(textOn),
    ghost: css(mixed(full, back, 0.74)),
    plain: css(full),
  };
}

/** The step of a velocity, 0 to `VELOCITY_STEPS` - 1. */
export function velocityStep(velocity: number): number {
  return Math.min(VELOCITY_STEPS - 1, velocity >> 4);
}
