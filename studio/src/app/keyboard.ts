/** From a key on the page to its command: whose a key is, where something that has the focus wants it for itself. */

import { type Command, commandFor, leftToBrowser } from "../commands";
import { composing, keyName } from "../keys";
import { pickInstrument } from "./strip";
import type { Studio } from "./studio";

/** Commands that a key that is held down repeats. */
const REPEATABLE = new Set([
  "undo",
  "redo",
  "up",
  "down",
  "left",
  "right",
  "longer",
  "shorter",
  "louder",
  "softer",
  "zoomIn",
  "zoomOut",
  "nextNote",
  "previousNote",
  "rangeNext",
  "rangePrevious",
  "rangeMore",
  "rangeLess",
]);

/** Keys that move a slider, or scroll. */
const MOVES = /^(?:Shift\+)?(?:Up|Down|Left|Right|PageUp|PageDown|Home|End)$/;

/**
 * Do what a key means.
 *
 * @param first Before anything that has the focus: open ideas and the choice of an instrument have their keys then.
 */
export function onKey(event: KeyboardEvent, studio: Studio, first: boolean): void {
  if (event.defaultPrevented || composing(event) || studio.view.dialog !== null) return;
  const key = keyName(event);
  if (leftToBrowser(key) || isOfFocus(event.composedPath()[0], key)) return;
  // A gesture with the mouse is what Esc ends before all else.
  if (first && key === "Esc" && studio.roll?.busy) return;
  if (first && studio.view.picker && pick(studio, key)) return event.preventDefault();
  const command = commandFor(key, situation(studio));
  if (!command || (event.repeat && !REPEATABLE.has(command.id)) || (first && !comesFirst(command))) return;
  event.preventDefault();
  void command.run(studio);
}

function situation(studio: Studio): "picker" | "ideas" | "plain" {
  if (studio.view.picker) return "picker";
  return studio.ideas.chips.length > 0 ? "ideas" : "plain";
}

function comesFirst({ context }: Command): boolean {
  return context === "ideas" || context === "picker";
}

/** Whether what has the focus needs a key itself. */
function isOfFocus(target: EventTarget | undefined, key: string): boolean {
  if (!(target instanceof HTMLElement)) return false;
  const typing =
    target.matches("input:not([type=checkbox]):not([type=range]), textarea, select") || target.isContentEditable;
  if (typing) return !["Ctrl+K", "F1"].includes(key);
  if (target.matches("input[type=range], [role=table]") && MOVES.test(key)) return true;
  // A button that was reached by the keyboard keeps Enter and Space for itself.
  return target.matches("button, a, summary, input") && /^(?:Shift\+)?(?:Enter|Space)$/.test(key);
}

/** Keys of the choice of an instrument: its digit, or Esc. */
function pick(studio: Studio, key: string): boolean {
  if (key === "Esc") {
    studio.set({ picker: null });
    return true;
  }
  return /^[1-9]$/.test(key) && pickInstrument(studio, Number(key));
}
