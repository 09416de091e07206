/** The roll's commands: what the page's menus, the keys and a notebook can do to the selection. */

import type { Note } from "../protocol";
import type { Edit } from "../music/edits";
import { changeOf, clampedMove, movedNote, quantisedNote, refsOf, snapUp, withVelocity } from "../music/edits";
import type { NoteRef } from "../music/music";
import { noteAt } from "../music/notes";
import { across, inWords, neighbour } from "./describe";
import { existing } from "./host";
import type { Host } from "./host";
import type { RollCommand } from "./roll";
import { Dirty } from "./stage";
import { drawnInto, target, touchable } from "./state";
import { ROLL } from "../strings";

const OCTAVE = 12;
const LOUDER = 8;

type ByTrack = Map<string, Note[]>;

export class Commands {
  private clipboard: ByTrack = new Map();

  constructor(
    private readonly host: Host,
    private readonly spoken: HTMLElement,
  ) {
    host.oncommit = () => this.keepFocus();
  }

  run(name: RollCommand): void {
    const { host } = this;
    if (!host.state.song) return;
    const { step } = host;
    switch (name) {
      case "selectAll": return host.select(refsOf(this.all()));
      case "selectNone": return this.selectNone();
      case "delete": return this.remove(ROLL.remove);
      case "copy": return this.copy();
      case "cut": return this.cut();
      case "paste": return this.paste();
      case "duplicate": return this.duplicate();
      case "quantise": return this.quantise();
      case "up": return this.move(0, 1);
      case "down": return this.move(0, -1);
      case "octaveUp": return this.move(0, OCTAVE);
      case "octaveDown": return this.move(0, -OCTAVE);
      case "left": return this.move(-step, 0);
      case "right": return this.move(step, 0);
      case "longer": return this.change(ROLL.stretch, (note) => withLength(note, note[1] + step));
      case "shorter": return this.change(ROLL.shorten, (note) => withLength(note, note[1] - (note[1] > step ? step : 0)));
      case "louder": return this.change(ROLL.louder, (note) => withVelocity(note, note[3] + LOUDER));
      case "softer": return this.change(ROLL.softer, (note) => withVelocity(note, note[3] - LOUDER));
      case "nextNote": return this.walk(true);
      case "previousNote": return this.walk(false);
    }
  }

  /** Go to the next note in time, or the one before. */
  walk(forward: boolean): void {
    const { state } = this.host;
    this.focus(neighbour(state, state.focus, state.cursor, forward) ?? state.focus);
  }

  /** Go to the note above or below. */
  climb(up: boolean): void {
    const { state } = this.host;
    if (!state.focus) this.walk(true);
    else this.focus(across(state, state.focus, up) ?? state.focus);
  }

  focus(ref: NoteRef | null): void {
    const { host } = this;
    host.state.focus = ref;
    host.state.walking = ref !== null;
    host.stage.invalidate(Dirty.overlay);
    if (!ref) return;
    host.stage.reveal(ref.tick, ref.pitch);
    const notes = host.state.song?.track(ref.track)?.notes;
    const velocity = notes?.velocity[notes.find(ref.tick, ref.pitch)];
    if (velocity !== undefined) host.emit("sound", { track: ref.track, pitch: ref.pitch, velocity });
    this.describe();
  }

  /** Say the focused note, or what is selected. */
  describe(): void {
    const { state } = this.host;
    const text = state.focus ? inWords(state, state.focus) : "";
    this.spoken.setAttribute("aria-label", text || ROLL.noNote);
    if (text) this.host.emit("describe", { text });
  }

  /** Select the focused note, or take it out of the selection. */
  toggleFocused(): void {
    const { host } = this;
    const { focus, selection } = host.state;
    if (!focus) return;
    const has = selection.has(focus.track, focus.tick, focus.pitch);
    host.select(has ? selection.without([focus]) : selection.with([focus]));
    this.describe();
  }

  /** The focused note may be gone after an edit; a moved selection takes the focus with it. */
  private keepFocus(): void {
    const { state } = this.host;
    if (!state.focus || !state.song) return;
    if (existing(state.song, [state.focus]).length === 0) state.focus = state.selection.refs[0] ?? null;
    this.describe();
  }

  private selectNone(): void {
    const { host } = this;
    if (host.state.selection.size) host.select([]);
    else if (host.state.walking) this.focus(null);
    else if (host.state.range) {
      host.state.range = null;
      host.stage.invalidate(Dirty.overlay | Dirty.ruler);
      host.emit("range", { range: null });
    }
  }

  private all(): ByTrack {
    const { state } = this.host;
    const active = state.activeTrack === null ? null : drawnInto(state);
    const all: ByTrack = new Map();
    for (const { track } of touchable(state)) {
      if (active && track.track !== active.track) continue;
      all.set(track.track, Array.from({ length: track.notes.count }, (_, at) => noteAt(track.notes, at)));
    }
    return all;
  }

  private change(label: string, change: (note: Note) => Note): void {
    const { host } = this;
    host.commit(changeOf(host.free(host.selected()), change), label);
  }

  private move(ticks: number, pitches: number): void {
    const { host } = this;
    const free = host.free(host.selected());
    const [along, up] = clampedMove([...free.values()].flat(), ticks, pitches);
    // A step that the edge of the keyboard would cut short is not done at all: an octave stays an octave.
    if ((along === 0 && up === 0) || (Math.abs(pitches) === OCTAVE && up !== pitches)) return;
    const moved = changeOf(free, (note) => movedNote(note, along, up));
    if (!host.commit(moved, ROLL.move)) return;
    const first = [...moved][0];
    const note = first?.[1].add[0];
    if (!first || !note) return;
    if (up !== 0) host.emit("sound", { track: first[0], pitch: note[2], velocity: note[3] });
    host.stage.reveal(note[0], note[2]);
  }

  private remove(label: string): void {
    const { host } = this;
    const selected = host.selected();
    const free = host.free(selected);
    const left = refsOf(selected).filter(({ track, tick, pitch }) => host.state.locks.has(track, tick, pitch));
    host.commit(changeOf(free, () => null), label, left);
  }

  private copy(): void {
    const notes = this.host.selected();
    if (notes.size === 0) return;
    this.clipboard = notes;
    this.host.emit("copied", { notes: [...notes.values()].flat() });
  }

  private cut(): void {
    this.copy();
    this.remove(ROLL.cut);
  }

  /** The copied notes begin at the play cursor; notes of one track go into the active one. */
  private paste(): void {
    const { host } = this;
    const { song, activeTrack, cursor } = host.state;
    if (!song || this.clipboard.size === 0) return;
    const first = firstTick(this.clipboard);
    const by = Math.round(cursor) - first;
    const edit: Edit = new Map();
    for (const [track, notes] of this.clipboard) {
      const wanted = this.clipboard.size === 1 && activeTrack !== null ? activeTrack : track;
      const into = song.track(wanted) ?? target(host.state);
      if (!into) continue;
      const add = notes.map((note) => movedNote(note, by, 0));
      edit.set(into.track, { remove: [], add: [...(edit.get(into.track)?.add ?? []), ...add], into });
    }
    if (host.commit(edit, ROLL.paste)) host.stage.reveal(first + by);
  }

  /** The selection once more, right after itself, on the next beat. */
  private duplicate(): void {
    const { host } = this;
    const { song } = host.state;
    const notes = host.selected();
    if (!song || notes.size === 0) return;
    const first = firstTick(notes);
    const end = Math.max(...[...notes.values()].flat().map((note) => note[0] + note[1]));
    const beat = (song.ticksPerQuarter * 4) / (song.bars.meter(song.bars.at(first))[1] || 4);
    const by = snapUp(end - 1, beat, song.bars) - Math.floor(first / beat) * beat;
    host.commit(changeOf(notes, (note) => movedNote(note, Math.max(1, by), 0), true), ROLL.duplicate);
  }

  private quantise(): void {
    const { host } = this;
    const bars = host.state.song?.bars;
    if (!bars) return;
    const selected = host.selected();
    const chosen = host.free(selected.size ? selected : this.all());
    const edit = changeOf(chosen, (note) => quantisedNote(note, host.step, bars));
    host.commit(edit, ROLL.quantise, selected.size ? undefined : []);
  }
}

function withLength(note: Note, length: number): Note {
  return [note[0], Math.max(1, length), note[2], note[3]];
}

function firstTick(notes: ByTrack): number {
  return [...notes.values()].flat().reduce((first, note) => Math.min(first, note[0]), Infinity);
}
