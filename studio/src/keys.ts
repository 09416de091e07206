/** Keys by name: "Space", "Ctrl+Z", "Shift+L", "?". */

interface Pressed {
  key: string;
  code: string;
  ctrlKey: boolean;
  metaKey: boolean;
  altKey: boolean;
  shiftKey: boolean;
}

const NAMED: Readonly<Record<string, string>> = {
  " ": "Space",
  Escape: "Esc",
  ArrowUp: "Up",
  ArrowDown: "Down",
  ArrowLeft: "Left",
  ArrowRight: "Right",
};

/** The name of what was pressed. Ctrl is also Cmd; Shift is named only where it does not make another character. */
export function keyName(event: Pressed): string {
  const digit = /^(?:Digit|Numpad)(\d)$/.exec(event.code)?.[1];
  let key = NAMED[event.key] ?? event.key;
  if (digit !== undefined && !event.shiftKey) key = digit;
  const letter = /^\p{L}$/u.test(key);
  if (letter) key = key.toUpperCase();
  const shift = event.shiftKey && (letter || key.length > 1);
  return `${event.ctrlKey || event.metaKey ? "Ctrl+" : ""}${event.altKey ? "Alt+" : ""}${shift ? "Shift+" : ""}${key}`;
}

/** The name of a key as people of this machine write it. */
export function shownKey(name: string, mac: boolean): string {
  return mac ? name.replace("Ctrl+", "⌘").replace("Shift+", "⇧").replace("Alt+", "⌥") : name;
}

export const IS_MAC = typeof navigator !== "undefined" && /Mac|iPhone|iPad/.test(navigator.userAgent);

/** Keys that belong to the browser; a page that takes them annoys, or is never asked. */
export const BROWSER_KEYS: readonly string[] = [
  "Ctrl+W",
  "Ctrl+T",
  "Ctrl+L",
  "Ctrl+R",
  "Ctrl+P",
  "Ctrl+N",
  "Ctrl+Q",
  "F5",
];
