/** What is shown and chosen on the page; nothing of it belongs to the piece. */

import type { NoteRef } from "../music/music";
import { remember } from "../remember";
import type { Tool } from "../roll/roll";
import { DEFAULTS, type Options, type StripVerb } from "./requests";

export type Panel = "takes" | "train";
export type Tab = "roll" | "tracks" | "takes" | "train";
export type Dialog = "help" | "palette" | "library" | "new" | "soundfont" | null;
export type Theme = "system" | "light" | "dark";

export const GRIDS: readonly (readonly [name: string, quarters: number])[] = [
  ["1/1", 4],
  ["1/2", 2],
  ["1/4", 1],
  ["1/8", 1 / 2],
  ["1/8T", 1 / 3],
  ["1/16", 1 / 4],
  ["1/16T", 1 / 6],
  ["1/32", 1 / 8],
  ["", 0],
];

export class View {
  selection: readonly NoteRef[] = [];
  range: [first: number, last: number] | null = null;
  activeTrack: string | null = null;
  hidden: ReadonlySet<string> = new Set();
  /** Other tracks pale, and not to be touched. */
  ghosts = false;
  tool: Tool = "select";
  /** The index of the grid in GRIDS. */
  grid = 5;
  scale = true;
  panel: Panel = "takes";
  /** On narrow windows one part is shown at a time. */
  tab: Tab = "roll";
  table = false;
  options: Options = { ...DEFAULTS };
  optionsOpen = false;
  moreOptions = false;
  /** A verb that waits for a choice: which instrument to add. */
  picker: StripVerb | null = null;
  /** Why a verb that was just pressed cannot act. */
  hint: string | null = null;
  dialog: Dialog = null;
  model: string | null = null;
  /** The take that is compared with what is on screen, and whether it is the one that is heard. */
  compare: { take: string; heard: boolean } | null = null;
  starredOnly = false;
  theme: Theme = "system";
  /** The loop follows the chosen bars. */
  loopOn = false;

  constructor(private readonly store: Pick<Storage, "getItem" | "setItem">) {
    const theme = store.getItem("toccata.theme");
    if (theme === "light" || theme === "dark") this.theme = theme;
    this.model = store.getItem("toccata.model");
  }

  remember(name: "theme" | "model", value: string): void {
    remember(this.store, `toccata.${name}`, value);
  }
}
