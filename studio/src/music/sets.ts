/** Sets of notes by value: the selection and the locks. */

import type { LockedNote } from "../protocol";
import type { Locks, NoteRef } from "./music";
import { noteKey } from "./notes";

/** An immutable set of notes, by track, tick and pitch. */
export class NoteSet implements Locks {
  private readonly keys = new Map<string, Set<number>>();
  readonly refs: readonly NoteRef[];

  constructor(refs: Iterable<NoteRef> = []) {
    const distinct: NoteRef[] = [];
    for (const { track, tick, pitch } of refs) {
      let keys = this.keys.get(track);
      if (!keys) this.keys.set(track, (keys = new Set()));
      const key = noteKey(tick, pitch);
      if (keys.has(key)) continue;
      keys.add(key);
      distinct.push({ track, tick, pitch });
    }
    this.refs = distinct;
  }

  static ofLocked(locked: Iterable<LockedNote>): NoteSet {
    return new NoteSet(Array.from(locked, ([track, tick, pitch]) => ({ track, tick, pitch })));
  }

  [Symbol.iterator](): Iterator<NoteRef> {
    return this.refs[Symbol.iterator]();
  }

  get size(): number {
    return this.refs.length;
  }

  has(track: string, tick: number, pitch: number): boolean {
    return this.keys.get(track)?.has(noteKey(tick, pitch)) ?? false;
  }

  list(): LockedNote[] {
    return this.refs.map(({ track, tick, pitch }) => [track, tick, pitch]);
  }

  with(refs: Iterable<NoteRef>): NoteSet {
    return new NoteSet([...this.refs, ...refs]);
  }

  without(refs: Iterable<NoteRef>): NoteSet {
    const gone = new NoteSet(refs);
    return new NoteSet(this.refs.filter(({ track, tick, pitch }) => !gone.has(track, tick, pitch)));
  }
}

export const NO_LOCKS: Locks = new NoteSet();
