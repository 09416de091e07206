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
  /** Other songs' notes are not shown; the tracks that can be edited. */
  activeTrack: string | null;
  /** Tracks drawn behind, pale. */
  ghosts: ReadonlySet<string>;
  hidden: ReadonlySet<string>;
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
  /** Move the play cursor; repaints nothing. */
  cursorAt(tick: number, follow: boolean): void;
  scrollTo(tick: number, pitch?: number): void;
  zoom(x: number, y: number): void;
  zoomToFit(): void;
  /** Run an editing command on the selection; answers through the `edit` event. */
  command(name: RollCommand): void;
  /** For tests: where a note is on the screen, what is drawn, and when nothing is left to draw. */
  toClient(note: NoteRef): { x: number; y: number; width: number; height: number } | null;
  toClientTick(tick: number): number;
  model(): { song: SongState | null; selection: readonly NoteRef[]; range: [number, number] | null; drawnNotes: number };
  idle(): Promise<void>;
}

export type RollCommand =
  | "selectAll" | "selectNone" | "delete" | "duplicate" | "copy" | "cut" | "paste" | "quantise"
  | "up" | "down" | "octaveUp" | "octaveDown" | "left" | "right" | "longer" | "shorter"
  | "louder" | "softer" | "nextNote" | "previousNote";

/** Events of the element: `CustomEvent`s with these details. */
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
