/** What is under the pointer: found in the music, not on the canvas. */

import type { Note } from "../protocol";
import { noteAt } from "../music/notes";
import type { RollState } from "./state";
import { touchable } from "./state";
import type { View } from "./view";
import { noteBox, pitchAt, tickAt } from "./view";

/** CSS pixels: the zone at a note's end that stretches it, and how large a target is for a finger. */
const EDGE = 8;
const COARSE = 24;

export interface Hit {
  track: string;
  note: Note;
  /** The pointer is at the note's right edge. */
  edge: boolean;
}

/** Find the note at a device pixel of the port: a selected one first, then the active track's, then the shortest. */
export function hitNote(state: RollState, view: View, x: number, y: number, coarse: boolean): Hit | null {
  const slack = coarse ? (COARSE / 2) * view.ratio : 0;
  let best: Hit | null = null;
  let bestRank = Infinity;
  for (const { track } of touchable(state)) {
    const { notes } = track;
    const high = pitchAt(view, y - slack);
    const low = pitchAt(view, y + slack);
    // A note narrower than a pixel is drawn one wide, so it is hit as far as it is drawn.
    for (const index of notes.within(Math.floor(tickAt(view, x - slack - 2)), Math.ceil(tickAt(view, x + slack + 2)))) {
      const pitch = notes.pitch[index] as number;
      if (pitch > high || pitch < low) continue;
      const note = noteAt(notes, index);
      const box = noteBox(view, note[0], note[1], note[2]);
      const distance = away(box, x, y, slack, view.keyHeight);
      if (distance === Infinity) continue;
      const chosen = state.selection.has(track.track, note[0], pitch) ? 0 : 1e12;
      const active = track.track === state.activeTrack ? 0 : 1e11;
      const rank = distance * 1e7 + chosen + active + note[1];
      if (rank >= bestRank) continue;
      bestRank = rank;
      best = { track: track.track, note, edge: x >= box[0] + box[2] - edgeZone(box[2], view.ratio, coarse) };
    }
  }
  return best;
}

function edgeZone(width: number, ratio: number, coarse: boolean): number {
  return Math.min(width / 3, (coarse ? 2 : 1) * EDGE * ratio);
}

/** How far outside the box a point is, 0 inside; Infinity beyond what a pointer may miss it by. */
function away(box: Readonly<[number, number, number, number]>, x: number, y: number, slack: number, row: number): number {
  const [left, top, width] = box;
  const sideways = Math.max(left - x, x - (left + Math.max(width, 1)), 0);
  const upward = Math.max(top - y, y - (top + row), 0);
  const mostSideways = Math.max(0, slack - width / 2);
  const mostUpward = Math.max(0, slack - row / 2);
  return sideways <= mostSideways && upward <= mostUpward ? Math.max(sideways, upward) : Infinity;
}
