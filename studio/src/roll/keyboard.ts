/** The roll's keys, while it has the focus. */

import type { Commands } from "./commands";
import { insertNote } from "./gesture";
import type { Host } from "./host";
import type { Pointers } from "./pointers";
import type { RollCommand } from "./roll";

/** With Ctrl (Cmd on a Mac). */
const WITH_CONTROL: Record<string, RollCommand> = {
  a: "selectAll", c: "copy", x: "cut", v: "paste", d: "duplicate",
};

const PLAIN: Record<string, RollCommand> = {
  Delete: "delete", Backspace: "delete", q: "quantise", "+": "longer", "-": "shorter",
};

/** Arrows with a selection move it. */
const MOVES: Record<string, RollCommand> = { ArrowUp: "up", ArrowDown: "down", ArrowLeft: "left", ArrowRight: "right" };
const MOVES_WITH_SHIFT: Record<string, RollCommand> = {
  ArrowUp: "octaveUp", ArrowDown: "octaveDown", ArrowLeft: "shorter", ArrowRight: "longer",
};
const MOVES_WITH_ALT: Record<string, RollCommand> = {
  ArrowUp: "louder", ArrowDown: "softer", ArrowLeft: "previousNote", ArrowRight: "nextNote",
};

export class Keyboard {
  constructor(
    private readonly host: Host,
    private readonly commands: Commands,
    private readonly pointers: Pointers,
    wrapper: HTMLElement,
  ) {
    wrapper.addEventListener("keydown", (event) => {
      wrapper.toggleAttribute("data-pointer", false);
      // What is handled here is marked so, for the page's own keys.
      if (!event.defaultPrevented && this.handle(event)) event.preventDefault();
    });
    wrapper.addEventListener("focus", () => this.commands.describe());
    wrapper.addEventListener("blur", () => wrapper.toggleAttribute("data-pointer", false));
  }

  private handle(event: KeyboardEvent): boolean {
    const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
    if (key === "Escape") return this.escape();
    if (event.ctrlKey || event.metaKey) {
      return event.shiftKey || event.altKey ? false : this.runIf(WITH_CONTROL[key]);
    }
    if (key.startsWith("Arrow")) return this.arrow(event, key);
    if (event.altKey) return false;
    if (key === "Enter" || key === " ") return this.choose();
    if (key === "i" || key === "Insert") return this.insert();
    return event.shiftKey && key !== "+" ? false : this.runIf(PLAIN[key]);
  }

  private runIf(name: RollCommand | undefined): boolean {
    if (!name) return false;
    const selects = name === "selectAll";
    if (!selects && name !== "paste" && name !== "quantise" && this.host.state.selection.size === 0) return false;
    this.commands.run(name);
    return true;
  }

  private arrow(event: KeyboardEvent, key: string): boolean {
    if (this.host.state.selection.size > 0) {
      const table = event.altKey ? MOVES_WITH_ALT : event.shiftKey ? MOVES_WITH_SHIFT : MOVES;
      return this.runIf(table[key]);
    }
    if (event.altKey || event.shiftKey) return false;
    if (key === "ArrowLeft" || key === "ArrowRight") this.commands.walk(key === "ArrowRight");
    else this.commands.climb(key === "ArrowUp");
    return true;
  }

  /** Enter and Space select the note that keys walked to; else they are the page's. */
  private choose(): boolean {
    if (!this.host.state.walking) return false;
    this.commands.toggleFocused();
    return true;
  }

  /** A note at the play cursor, of the focused note's pitch or in the middle of what is seen. */
  private insert(): boolean {
    const { state, stage } = this.host;
    if (!this.host.editable) return false;
    const middle = 127 - Math.floor((stage.view.top + stage.view.height / 2) / stage.view.keyHeight);
    insertNote(this.host, state.cursor, state.focus?.pitch ?? state.selection.refs[0]?.pitch ?? middle, state.grid);
    const [made] = state.selection.refs;
    if (made) this.commands.focus(made);
    return true;
  }

  /** Ends a gesture, or the selection; what else it may end is for the page to say. */
  private escape(): boolean {
    const { selection, walking, idea } = this.host.state;
    if (this.pointers.busy) this.pointers.cancel();
    else if (idea || (selection.size === 0 && !walking)) return false;
    else this.commands.run("selectNone");
    return true;
  }
}
