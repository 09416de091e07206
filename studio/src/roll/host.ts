/** What gestures, keys and commands work with: the state, the stage, and the ways to say what happened. */

import type { Note } from "../protocol";
import type { Edit } from "../music/edits";
import { operationsOf, refsOf, resolved, unlocked } from "../music/edits";
import type { NoteRef, SongState } from "../music/music";
import { NoteSet } from "../music/sets";
import type { RollEvents } from "./roll";
import type { Stage } from "./stage";
import { Dirty } from "./stage";
import type { RollState } from "./state";

const FIRST_VELOCITY = 96;

export class Host {
  /** Of the note that was last drawn, moved or stretched: what the next drawn one has. */
  lastLength = 0;
  lastVelocity = FIRST_VELOCITY;
  /** Called after an edit, when its notes are selected. */
  oncommit: (() => void) | null = null;
  /** An edit is being made by the page. */
  committing = false;

  constructor(
    readonly state: RollState,
    readonly stage: Stage,
    private readonly target: EventTarget,
  ) {}

  emit<K extends keyof RollEvents>(name: K, detail: RollEvents[K]): void {
    this.target.dispatchEvent(new CustomEvent(name, { detail, bubbles: true, composed: true }));
  }

  /** Select notes without an event, while a gesture goes on. */
  showSelection(refs: Iterable<NoteRef>): void {
    this.state.selection = refs instanceof NoteSet ? refs : new NoteSet(refs);
    this.stage.invalidate(Dirty.overlay | Dirty.lane);
  }

  select(refs: Iterable<NoteRef>): void {
    this.showSelection(refs);
    this.emit("select", { selection: [...this.state.selection.refs] });
  }

  /** The selected notes, by track. */
  selected(): Map<string, Note[]> {
    return this.state.song ? resolved(this.state.song, this.state.selection.refs) : new Map();
  }

  /** Of these notes those that can be moved or deleted. */
  free(notes: ReadonlyMap<string, readonly Note[]>): Map<string, Note[]> {
    return unlocked(notes, this.state.locks);
  }

  get editable(): boolean {
    return this.state.song !== null && !this.state.readonly;
  }

  /**
   * Ask for an edit: one gesture, one event. What it put into the song is selected then, with the locked notes that
   * were; or `selection`, if it is given.
   */
  commit(edit: Edit, label: string, selection?: readonly NoteRef[]): boolean {
    this.preview(null, null);
    const { song, locks } = this.state;
    if (!song || this.state.readonly) return false;
    const { operations, placed } = operationsOf(song, edit, locks);
    if (operations.length === 0) return false;
    const stayed = this.state.selection.refs.filter(({ track, tick, pitch }) => locks.has(track, tick, pitch));
    const wanted = selection ? [...selection] : [...stayed, ...placed];
    this.committing = true;
    this.emit("edit", { operations, selection: wanted, label });
    this.committing = false;
    const now = this.state.song;
    if (now && now !== song) this.select(existing(now, wanted));
    this.oncommit?.();
    return true;
  }

  /** Another song is shown: what is not in it is no longer selected or focused. */
  forget(): void {
    const { state } = this;
    if (this.committing) return; // the notes of the edit are about to be selected
    const left = state.song ? existing(state.song, state.selection.refs) : [];
    if (state.focus && (!state.song || existing(state.song, [state.focus]).length === 0)) state.focus = null;
    if (left.length === state.selection.size) return;
    this.showSelection(left);
    // Not at once: whoever sets the song may be in the midst of setting other properties.
    queueMicrotask(() => this.emit("select", { selection: [...state.selection.refs] }));
  }

  preview(hide: ReadonlyMap<string, readonly Note[]> | null, add: ReadonlyMap<string, readonly Note[]> | null): void {
    if (!hide && !add && !this.state.preview) return;
    this.state.preview = hide || add ? { hide: hide ?? new Map(), add: add ?? new Map() } : null;
    this.stage.invalidate(Dirty.overlay);
  }

  /** Sound a note and light its key. */
  sound(track: string, pitch: number, velocity: number): void {
    this.press([pitch]);
    this.emit("sound", { track, pitch, velocity });
  }

  press(pitches: readonly number[]): void {
    if (pitches.length === 0 && this.state.pressed.size === 0) return;
    this.state.pressed = new Set(pitches);
    this.stage.invalidate(Dirty.piano);
  }

  /** The step that keys move by: the grid, or a sixteenth where there is none. */
  get step(): number {
    return this.state.grid > 0 ? this.state.grid : (this.state.song?.ticksPerQuarter ?? 480) / 4;
  }

  /** The length of a note to be drawn. */
  get drawnLength(): number {
    const { grid, song } = this.state;
    return this.lastLength || grid || (song?.ticksPerQuarter ?? 480);
  }
}

/** Those of `refs` that are in the song. */
export function existing(song: SongState, refs: Iterable<NoteRef>): NoteRef[] {
  return refsOf(resolved(song, refs));
}
