/**
 * The piano roll: `<toccata-roll>`. It draws a song and an idea above it, and turns mouse, touch, pen and keys into
 * events; it changes nothing by itself and knows no server.
 */

import type { Note, Operation } from "../protocol";
import type { IdeaLayer, Locks, NoteRef, SongState } from "../music/music";

export type Tool = "select" | "draw";

/** Properties of the element; set one, and it is drawn at the next frame. */
export interface RollProperties {
  song: SongState | null;
  /** Drawn in front, touched first, and where new notes go; null: the first track that is shown. */
  activeTrack: string | null;
  /** Tracks drawn behind, pale; their notes cannot be touched. All other tracks that are shown can be edited. */
  ghosts: ReadonlySet<string>;
  /** Tracks that are not drawn; the active track always is. (`hidden` is a property of every HTML element.) */
  hiddenTracks: ReadonlySet<string>;
  /** Drawn above the song. Set it again, the same object too, when notes were added to it: only those are drawn. */
  idea: IdeaLayer | null;
  locks: Locks;
  selection: readonly NoteRef[];
  /** Bars chosen in the ruler, counted from 1. */
  range: [first: number, last: number] | null;
  loop: [from: number, to: number] | null;
  tool: Tool;
  /** Ticks; 0 is no snap. */
  grid: number;
  scaleTint: boolean;
  readonly: boolean;
}

/** What the element offers beside its properties. */
export interface RollMethods {
  /** A gesture with a pointer is under way: Escape ends it. */
  readonly busy: boolean;
  /** Move the play cursor; repaints nothing. */
  cursorAt(tick: number, follow: boolean): void;
  /** Scroll to a tick (and a pitch), if it is out of sight. */
  reveal(tick: number, pitch?: number): void;
  /** Zoom by factors, about the middle of what is seen. */
  zoom(x: number, y: number): void;
  /** Show the beginning of the song, and as many of its pitches as keys of a usable height can. */
  frame(): void;
  zoomToFit(): void;
  /** Run an editing command on the selection; answers through the `edit` event. */
  command(name: RollCommand): void;
  /** For tests: where a note is on the screen, what is drawn, and when nothing is left to draw. */
  toClient(note: NoteRef): { x: number; y: number; width: number; height: number } | null;
  toClientTick(tick: number): number;
  model(): RollModel;
  idle(): Promise<void>;
}

export interface RollModel {
  song: SongState | null;
  selection: readonly NoteRef[];
  range: [number, number] | null;
  /** Notes in the tiles that are seen, each counted once. */
  drawnNotes: number;
}

export type RollCommand =
  | "selectAll" | "selectNone" | "delete" | "duplicate" | "copy" | "cut" | "paste" | "quantise"
  | "up" | "down" | "octaveUp" | "octaveDown" | "left" | "right" | "longer" | "shorter"
  | "louder" | "softer" | "nextNote" | "previousNote";

/**
 * Events of the element: `CustomEvent`s with these details. The roll has its new selection, range and loop when it
 * sends `select`, `range` and `loop`; the song is the page's: `edit` is to be answered by setting `song`, at once, so
 * that the notes are where they were dropped. The roll then selects what the event says.
 */
export interface RollEvents {
  /** One gesture is one event. */
  edit: { operations: Operation[]; selection: NoteRef[]; label: string };
  select: { selection: NoteRef[] };
  range: { range: [number, number] | null };
  lock: { notes: NoteRef[]; locked: boolean };
  /** A note was touched: it is to sound. */
  sound: { track: string; pitch: number; velocity: number };
  seek: { tick: number };
  loop: { loop: [number, number] | null };
  /** The note with the keyboard's focus, described for a screen reader. */
  describe: { text: string };
  copied: { notes: Note[] };
}
