/** Every action of the page: its name, its keys, what it does. Shortcuts, help and the palette are made of this. */

import { changeTake, downloadTake, openFiles, shownTake, toggleTheme } from "./app/files";
import { VERBS } from "./app/requests";
import type { Studio } from "./app/studio";
import { GRIDS } from "./app/view";
import type { RollCommand } from "./roll/roll";
import { T } from "./strings";

export type Group = keyof typeof T.groups;

/**
 * Where the keys of a command count: everywhere; while ideas are open; while an instrument is chosen; or only when neither
 * is so. A command counts in one of these, and there its keys belong to it alone.
 */
export type Context = "always" | "ideas" | "picker" | "plain";

export interface Command {
  id: string;
  group: Group;
  name: string;
  keys: readonly string[];
  context: Context;
  run(studio: Studio): unknown;
}

const command = (
  group: Group,
  id: string,
  name: string,
  keys: readonly string[],
  run: (studio: Studio) => unknown,
  context: Context = "always",
): Command => ({ id, group, name, keys, run, context });

const ROLL_KEYS: readonly (readonly [RollCommand & keyof typeof T.commands, readonly string[]])[] = [
  ["selectAll", ["Ctrl+A"]],
  ["copy", ["Ctrl+C"]],
  ["cut", ["Ctrl+X"]],
  ["paste", ["Ctrl+V"]],
  ["duplicate", ["Ctrl+D"]],
  ["delete", ["Delete", "Backspace"]],
  ["quantise", ["Q"]],
  ["up", ["Up"]],
  ["down", ["Down"]],
  ["octaveUp", ["Shift+Up"]],
  ["octaveDown", ["Shift+Down"]],
  ["left", ["Left"]],
  ["right", ["Right"]],
  ["longer", ["Shift+Right", "+"]],
  ["shorter", ["Shift+Left", "-"]],
  ["louder", ["Alt+Up"]],
  ["softer", ["Alt+Down"]],
  ["nextNote", ["Alt+Right"]],
  ["previousNote", ["Alt+Left"]],
];

const VERB_KEYS = { continue: "C", infill: "F", accompany: "A", vary: "V", harmonise: "H" } as const;

const C = T.commands;

export const COMMANDS: readonly Command[] = [
  command("play", "play", C.play, ["Space"], (s) => s.togglePlaying()),
  command("play", "pause", C.pause, ["Shift+Space"], (s) => s.togglePlaying(true)),
  command("play", "start", C.start, ["Home"], (s) => goTo(s, 0)),
  command(
    "play",
    "stopAtStart",
    C.stopAtStart,
    ["Enter"],
    (s) => (s.playing.playing ? s.togglePlaying() : goTo(s, 0)),
    "plain",
  ),
  command("play", "end", C.end, ["End"], (s) => goTo(s, s.song?.end ?? 0)),
  command("play", "record", C.record, ["R"], (s) => s.recording.toggle()),
  command("play", "loop", C.loop, ["L"], (s) => s.toggleLoop()),
  command("play", "metronome", C.metronome, ["Shift+M"], toggleMetronome),
  command("play", "where", C.where, ["W"], (s) => s.announcer.say(placeText(s, s.playing.player.position()))),
  command("play", "follow", C.follow, ["Shift+F"], (s) => {
    s.playing.follow = !s.playing.follow;
    s.changed();
  }),

  ...VERBS.map((verb) => command("ideas", verb, C[verb], [VERB_KEYS[verb]], (s) => s.press(verb))),
  ...[0, 1, 2, 3, 4, 5, 6, 7, 8, 9].map((n) =>
    command("ideas", `hear${n}`, C.hear(n), [String(n)], (s) => s.hear(n), "ideas"),
  ),
  command("ideas", "take", C.take, ["Enter", "Ctrl+Enter"], (s) => s.take(), "ideas"),
  command("ideas", "back", C.back, ["Esc"], (s) => s.ideas.close(), "ideas"),
  command("ideas", "again", C.again, ["G"], (s) => s.again()),
  command("ideas", "stopIdeas", C.stopIdeas, ["S"], (s) => s.attempt(() => s.ideas.stopAll())),
  command("ideas", "passage", C.passage, ["P"], (s) => s.hearPassage()),
  command("ideas", "options", C.options, ["O"], (s) => s.set({ optionsOpen: !s.view.optionsOpen })),
  command("ideas", "onlyActive", C.onlyActive, ["Y"], (s) =>
    s.set({ options: { ...s.view.options, onlyActive: !s.view.options.onlyActive } }),
  ),

  command("edit", "undo", C.undo, ["Ctrl+Z"], (s) => s.undo()),
  command("edit", "redo", C.redo, ["Ctrl+Shift+Z", "Ctrl+Y"], (s) => s.redo()),
  ...ROLL_KEYS.map(([name, keys]) => command("edit", name, C[name], keys, (s) => s.roll?.command(name))),
  command(
    "edit",
    "selectNone",
    C.selectNone,
    ["Esc"],
    (s) => {
      s.roll?.command("selectNone");
      s.set({ hint: null });
    },
    "plain",
  ),
  command("edit", "lock", C.lock, ["K"], (s) => s.lockSelection()),
  command("edit", "select", C.select, ["1"], (s) => s.set({ tool: "select" }), "plain"),
  command("edit", "draw", C.draw, ["2"], (s) => s.set({ tool: "draw" }), "plain"),
  command("edit", "finer", C.finer, ["<"], (s) => stepGrid(s, 1)),
  command("edit", "coarser", C.coarser, [">"], (s) => stepGrid(s, -1)),

  command("range", "rangeNext", C.rangeNext, ["."], (s) => moveRange(s, 1)),
  command("range", "rangePrevious", C.rangePrevious, [","], (s) => moveRange(s, -1)),
  command("range", "rangeMore", C.rangeMore, ["]"], (s) => growRange(s, 1)),
  command("range", "rangeLess", C.rangeLess, ["["], (s) => growRange(s, -1)),
  command("range", "rangeAll", C.rangeAll, ["Shift+A"], (s) => s.chooseBars([1, s.song?.bars.count ?? 1])),
  command("range", "rangeNone", C.rangeNone, ["Shift+Backspace"], (s) => s.chooseBars(null)),

  command("tracks", "mute", C.mute, ["M"], (s) => s.toggleIn("muted", s.view.activeTrack)),
  command("tracks", "solo", C.solo, ["Shift+S"], (s) => s.toggleIn("soloed", s.view.activeTrack)),
  command("tracks", "hide", C.hide, ["Shift+H"], (s) => s.toggleIn("hidden", s.view.activeTrack)),
  command("tracks", "trackNext", C.trackNext, ["PageDown"], (s) => s.stepTrack(1)),
  command("tracks", "trackPrevious", C.trackPrevious, ["PageUp"], (s) => s.stepTrack(-1)),
  command("tracks", "ghosts", C.ghosts, ["Shift+G"], (s) => s.set({ ghosts: !s.view.ghosts })),

  command("takes", "library", C.library, ["Ctrl+O"], (s) => s.set({ dialog: "library" })),
  command("takes", "newPiece", C.newPiece, ["Alt+N"], (s) => s.set({ dialog: "new" })),
  command("takes", "open", C.open, ["Shift+O"], openFiles),
  command("takes", "compare", C.compare, ["B"], (s) => s.switchCompared()),
  command("takes", "star", C.star, ["Ctrl+S"], starHead),
  command("takes", "midi", C.midi, ["Ctrl+Shift+S"], (s) => take(s, "mid")),
  command("takes", "wav", C.wav, [], (s) => take(s, "wav")),
  command("takes", "png", C.png, [], (s) => take(s, "png")),
  command("takes", "reveal", C.reveal, [], reveal),

  command("view", "takes", C.takes, ["T"], (s) =>
    s.set({ panel: "takes", tab: s.view.tab === "takes" ? "roll" : "takes" }),
  ),
  command("view", "train", C.train, ["Shift+T"], (s) => s.set({ panel: "train", tab: "train" })),
  command("view", "table", C.table, ["N"], (s) => s.set({ table: !s.view.table })),
  command("view", "zoomIn", C.zoomIn, ["Z"], (s) => s.roll?.zoom(1.25, 1)),
  command("view", "zoomOut", C.zoomOut, ["Shift+Z"], (s) => s.roll?.zoom(0.8, 1)),
  command("view", "taller", C.taller, ["Alt++"], (s) => s.roll?.zoom(1, 1.2)),
  command("view", "flatter", C.flatter, ["Alt+-"], (s) => s.roll?.zoom(1, 1 / 1.2)),
  command("view", "fit", C.fit, ["X"], (s) => s.roll?.zoomToFit()),
  command("view", "scale", C.scale, ["Shift+C"], (s) => s.set({ scale: !s.view.scale })),
  command("view", "theme", C.theme, ["Shift+D"], toggleTheme),

  command("help", "help", C.help, ["?", "F1"], (s) => s.set({ dialog: "help" })),
  command("help", "palette", C.palette, ["Ctrl+K"], (s) => s.set({ dialog: "palette" })),
];

/** The command of a key in a situation. */
export function commandFor(key: string, situation: "ideas" | "picker" | "plain"): Command | undefined {
  return COMMANDS.find(({ keys, context }) => keys.includes(key) && (context === "always" || context === situation));
}

export function keyOf(id: string): string {
  return COMMANDS.find((command) => command.id === id)?.keys[0] ?? "";
}

/** Whether a key is the browser's own for now: what is selected of the page's text is copied by it. */
export function leftToBrowser(key: string): boolean {
  return key === "Ctrl+C" && String(document.getSelection() ?? "") !== "";
}

/** Bar and beat of a tick, in words. */
export function placeText(studio: Studio, tick: number): string {
  const place = studio.song?.bars.place(Math.max(0, tick));
  return T.transport.place(place?.bar ?? 1, place?.beat ?? 1);
}

function goTo(studio: Studio, tick: number): void {
  studio.playing.seek(tick);
  studio.roll?.reveal(tick);
}

function toggleMetronome(studio: Studio): void {
  studio.playing.setMetronome(!studio.playing.metronome);
  studio.announcer.say(T.notices.metronome(studio.playing.metronome));
}

function stepGrid(studio: Studio, step: number): void {
  const grid = Math.max(0, Math.min(GRIDS.length - 1, studio.view.grid + step));
  studio.set({ grid });
  studio.announcer.say(T.notices.grid(GRIDS[grid]?.[0] || T.roll.off));
}

function moveRange(studio: Studio, step: number): void {
  const { range } = studio.view;
  const bars = studio.song?.bars;
  if (!bars) return;
  const here = bars.at(studio.playing.tick);
  if (!range) return studio.chooseBars([here, here]);
  const length = range[1] - range[0] + 1;
  const first = Math.max(1, range[0] + step * length);
  studio.chooseBars([first, first + length - 1]);
  studio.roll?.reveal(bars.start(first));
}

function growRange(studio: Studio, step: number): void {
  const { range } = studio.view;
  if (!range) return moveRange(studio, 1);
  studio.chooseBars([range[0], Math.max(range[0], range[1] + step)]);
}


function starHead(studio: Studio): void {
  const head = studio.piece?.head;
  if (!head) return;
  void changeTake(studio, head, { star: !head.star });
  studio.announcer.say(T.notices.starred);
}

function take(studio: Studio, kind: "mid" | "wav" | "png"): void {
  const shown = shownTake(studio);
  if (shown) void downloadTake(studio, shown, kind);
}

function reveal(studio: Studio): void {
  const shown = shownTake(studio);
  if (!shown) return;
  void studio.attempt(async () => {
    await studio.api.reveal(shown);
    studio.notices.say(T.notices.revealed);
  });
}
