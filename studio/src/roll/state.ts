/** What the roll shows: the element's properties and what a gesture in progress adds to them. */

import type { Note, TrackRef } from "../protocol";
import { newTrackId } from "../music/idea";
import type { IdeaLayer, Locks, NoteRef, SongState, TrackState } from "../music/music";
import { NO_LOCKS, NoteSet } from "../music/sets";
import type { Tool } from "./roll";

/** What a gesture in progress would do: drawn above the notes, not yet done. */
export interface Preview {
  /** Notes that would go. */
  hide: ReadonlyMap<string, readonly Note[]>;
  /** Notes that would come. */
  add: ReadonlyMap<string, readonly Note[]>;
}

/** A rubber band, in ticks and pitches. */
export interface Band {
  from: number;
  to: number;
  low: number;
  high: number;
}

export interface RollState {
  song: SongState | null;
  activeTrack: string | null;
  ghosts: ReadonlySet<string>;
  hidden: ReadonlySet<string>;
  idea: IdeaLayer | null;
  locks: Locks;
  selection: NoteSet;
  range: [number, number] | null;
  loop: [number, number] | null;
  tool: Tool;
  grid: number;
  scaleTint: boolean;
  readonly: boolean;
  cursor: number;
  preview: Preview | null;
  /** Velocities that a gesture in the velocity lane would set. */
  velocities: ReadonlyMap<string, readonly Note[]> | null;
  band: Band | null;
  /** The note that the keyboard is on; the pointer puts it there too, but it is shown only while keys walk. */
  focus: NoteRef | null;
  walking: boolean;
  /** Keys of the piano that are down. */
  pressed: ReadonlySet<number>;
}

export function emptyState(): RollState {
  return {
    song: null, activeTrack: null, ghosts: new Set(), hidden: new Set(), idea: null, locks: NO_LOCKS,
    selection: new NoteSet(), range: null, loop: null, tool: "select", grid: 0, scaleTint: false, readonly: false,
    cursor: 0, preview: null, velocities: null, band: null, focus: null, walking: false, pressed: new Set(),
  };
}

/** A track as it is drawn; `place` is its place in the song, which chooses its colour. */
export interface Layer {
  track: TrackState;
  place: number;
  ghost: boolean;
}

/** The tracks that are drawn, the furthest behind first: ghosts, the others, the active one. */
export function layers(state: RollState): Layer[] {
  const isActive = (track: TrackState): boolean => track.track === state.activeTrack;
  const shown = (state.song?.tracks ?? [])
    .map((track, place) => ({ track, place, ghost: state.ghosts.has(track.track) && !isActive(track) }))
    .filter(({ track }) => !state.hidden.has(track.track) || isActive(track));
  const depth = (layer: Layer): number => (layer.ghost ? 0 : layer.track.track === state.activeTrack ? 2 : 1);
  return shown.sort((a, b) => depth(a) - depth(b));
}

/** The tracks whose notes can be touched. */
export function touchable(state: RollState): Layer[] {
  return layers(state).filter((layer) => !layer.ghost);
}

/** Where new notes go: into the active track or the first that can be touched; in an empty song into a new one. */
export function target(state: RollState): TrackRef | null {
  if (!state.song) return null;
  const track = drawnInto(state);
  if (track || state.song.tracks.length > 0) return track;
  return { track: newTrackId(0, false), program: 0, drum: false, name: "" };
}

/** The track of the song that new notes go into. */
export function drawnInto(state: RollState): TrackState | null {
  if (!state.song) return null;
  const active = state.activeTrack === null ? undefined : state.song.track(state.activeTrack);
  return active ?? touchable(state)[0]?.track ?? null;
}
