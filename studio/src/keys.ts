/** Keys by name: "Space", "Ctrl+Z", "Shift+L", "?". */

interface Pressed {
  key: string;
  code: string;
  ctrlKey: boolean;
  metaKey: boolean;
  altKey: boolean;
  shiftKey: boolean;
  getModifierState?(name: string): boolean;
}

export const IS_MAC = typeof navigator !== "undefined" && /Mac|iPhone|iPad/.test(navigator.userAgent);

const NAMED: Readonly<Record<string, string>> = {
  " ": "Space",
  Escape: "Esc",
  ArrowUp: "Up",
  ArrowDown: "Down",
  ArrowLeft: "Left",
  ArrowRight: "Right",
};

/** What Option makes of + and - on a Mac. */
const WITH_OPTION: Readonly<Record<string, string>> = { "\u2013": "-", "\u2014": "-", "\u00b1": "+" };

/** Where signs are on a keyboard whose letters are not Latin; with Shift, the second. */
const SIGNS: Readonly<Record<string, readonly [string, string]>> = {
  BracketLeft: ["[", "{"],
  BracketRight: ["]", "}"],
  Comma: [",", "<"],
  Period: [".", ">"],
};

/** The name of what was pressed. Ctrl is also Cmd; Shift is named only where it does not make another character. */
export function keyName(event: Pressed, mac = IS_MAC): string {
  const third = onThirdLevel(event, mac);
  const alt = event.altKey && !third;
  const control = (event.ctrlKey || event.metaKey) && !third;
  let key = NAMED[event.key] ?? (third ? event.key : meant(event, alt));
  const letter = /^\p{L}$/u.test(key);
  if (letter) key = key.toUpperCase();
  const shift = event.shiftKey && (letter || key.length > 1);
  return `${control ? "Ctrl+" : ""}${alt ? "Alt+" : ""}${shift ? "Shift+" : ""}${key}`;
}

/** Whether Alt (and, on Windows, Ctrl) was held only to write a character: AltGr, or a Mac's Option with a sign. */
function onThirdLevel(event: Pressed, mac: boolean): boolean {
  // Not every browser on a Mac tells Option from AltGr, so there the sign decides; + and - are keys with Alt of our own.
  if (mac) return event.altKey && /^[!-,./:-@[-`{-~]$/.test(event.key) && event.key !== "+";
  return event.getModifierState?.("AltGraph") ?? false;
}

/** The character that is meant, wherever the layout of the keyboard hides it. */
function meant({ key, code, shiftKey }: Pressed, alt: boolean): string {
  if (key.length > 1 && key !== "Dead") return key;
  const digit = /^(?:Digit|Numpad)(\d)$/.exec(code)?.[1];
  if (digit !== undefined && !shiftKey) return digit;
  const option = alt ? WITH_OPTION[key] : undefined;
  if (option !== undefined) return option;
  const foreign = /^\p{L}$/u.test(key) && !/^\p{Script=Latin}$/u.test(key);
  const odd = alt && !/^[!-~]$/.test(key);
  const place = /^Key([A-Z])$/.exec(code)?.[1];
  if ((foreign || odd) && place !== undefined) return place;
  return (foreign ? SIGNS[code]?.[shiftKey ? 1 : 0] : undefined) ?? key;
}

/** The name of a key as people of this machine write it. */
export function shownKey(name: string, mac: boolean): string {
  return mac ? name.replace("Ctrl+", "⌘").replace("Shift+", "⇧").replace("Alt+", "⌥") : name;
}

/** Keys that belong to the browser or to the system; a page that takes them annoys, or is never asked. */
export const BROWSER_KEYS: readonly string[] = [
  "Ctrl+W",
  "Ctrl+T",
  "Ctrl+L",
  "Ctrl+R",
  "Ctrl+P",
  "Ctrl+N",
  "Ctrl+Q",
  "Ctrl+M",
  "Ctrl+H",
  "F5",
];

/** Whether a key belongs to a conversion, as of Japanese: the Enter that ends one commits nothing, and runs nothing. */
export function composing(event: KeyboardEvent): boolean {
  // Safari ends the conversion before the key; the old number of the key still says so.
  return event.isComposing || event.keyCode === 229;
}
