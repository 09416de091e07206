/** The open piece: its song, its takes, its place in the history, and the edits on their way to the server. */

import { type Api, ServerGone } from "../api";
import { resolved } from "../music/edits";
import type { NoteRef } from "../music/music";
import { NoteSet } from "../music/sets";
import { SongData } from "../music/song";
import type { LockedNote, Moved, Operation, PieceState, Take } from "../protocol";
import { backoff } from "../stream";
import { type Locking, Outbox, type Reload, type Unsent } from "./outbox";

export interface PieceEvents {
  /** Anything changed. */
  changed(): void;
  /** The song on screen is another; `moved` are the operations of an undo or a redo. */
  song(moved: readonly Operation[] | null): void;
  /** The server refused an edit. */
  refused(error: unknown): void;
  /** The piece was changed elsewhere and has been loaded again. */
  reloaded(): void;
  /** The browser has no room to keep what is not sent yet. */
  unstored(): void;
}

/** The place in the history is not known: the answer that says it got lost. */
const UNKNOWN = -1;
const MOST_LOADS = 3;

export class OpenPiece {
  readonly id: string;
  title = "";
  seq = 0;
  take = "";
  cursor = 0;
  canUndo = false;
  canRedo = false;
  song: SongData;
  takes = new Map<string, Take>();
  locks = new NoteSet();
  private readonly outbox: Outbox;
  private readonly life = new AbortController();
  private left = false;

  constructor(
    state: PieceState,
    private readonly api: Api,
    store: Storage,
    private readonly events: PieceEvents,
  ) {
    this.id = state.id;
    this.song = SongData.from(state.song);
    this.outbox = new Outbox(state.id, store, {
      send: (edit) => this.send(edit),
      reload: (why) => this.reload(why),
      onRefused: (error) => this.events.refused(error),
      onUnstored: () => this.events.unstored(),
      onChange: () => this.events.changed(),
      wait: (attempt, seconds) => this.wait(attempt, seconds),
    });
    this.adopt(state);
    void this.outbox.flush();
  }

  /** What the page says about saving: every edit has been confirmed, some are on their way, or the server is gone. */
  get saved(): "saved" | "saving" | "waiting" {
    if (this.outbox.waiting.length === 0) return "saved";
    return this.outbox.offline ? "waiting" : "saving";
  }

  get head(): Take | undefined {
    return this.takes.get(this.take);
  }

  /** Another piece is shown: this one shows nothing any more; resolves when all of its edits have arrived. */
  leave(): Promise<void> {
    this.left = true;
    return this.outbox.flush();
  }

  /** It is shown again. */
  comeBack(): void {
    this.left = false;
  }

  /** Send nothing more; resolves when nothing is on its way. What is not sent is sent when the piece is opened again. */
  halt(): Promise<void> {
    this.left = true;
    this.life.abort();
    return this.outbox.halt();
  }

  /** Change the song at once, and send the change. */
  edit(operations: Operation[], recorded = false): void {
    const before = this.locks;
    this.song = this.song.apply(operations);
    this.locks = standing(before, this.song);
    this.canUndo = true;
    this.canRedo = false;
    this.outbox.push({
      operations,
      ...(this.locks === before ? {} : { locks: this.locks.list() }),
      ...(recorded ? { recorded } : {}),
    });
    this.shown(null);
  }

  undo = (): Promise<void> =>
    this.move(
      (seq) => this.api.undo(this.id, seq),
      () => this.canUndo,
      true,
    );
  redo = (): Promise<void> =>
    this.move(
      (seq) => this.api.redo(this.id, seq),
      () => this.canRedo,
      true,
    );
  goto = (take: string): Promise<void> => this.move((seq) => this.api.goto(this.id, seq, take));
  /** Put an idea into the piece; nothing happens if it is on screen, as after an answer that got lost. */
  accept = (take: string): Promise<void> =>
    this.move(
      (seq) => this.api.accept(this.id, seq, take),
      () => this.take !== take,
    );

  /** Run a request that is based on the piece as the server has it. */
  based<T>(request: (seq: number) => Promise<T>): Promise<T> {
    return this.outbox.then(async () => {
      if (this.seq === UNKNOWN) await this.load();
      return request(this.seq);
    });
  }

  /** Lock or unlock notes at once; the server hears of it in order with the edits. */
  lock(notes: readonly NoteRef[], locked: boolean): Promise<void> {
    const locking: Locking = { notes: new NoteSet(notes).list(), locked };
    this.locks = withLocking(this.locks, locking);
    this.outbox.push({ operations: [], locking, locks: this.locks.list() });
    return this.outbox.flush();
  }

  /** Put a take into the tree, new or changed. */
  put(take: Take): void {
    this.takes.set(take.id, take);
    this.events.changed();
  }

  /** Load the piece again, and put the edits on top of it that the server does not have. */
  async load(): Promise<void> {
    for (let loads = 1; ; loads += 1) {
      const state = await this.api.piece(this.id);
      if (state.seq >= this.seq) {
        this.adopt(state);
        return this.shown(null);
      }
      // An edit was confirmed while this state was on its way: it is not in it, and no longer waiting.
      if (loads === MOST_LOADS) return;
    }
  }

  /** The server says that the piece has another state than this page knows. */
  async changedElsewhere(seq: number): Promise<void> {
    await this.outbox.then(async () => {
      if (seq <= this.seq) return;
      const elsewhere = this.seq !== UNKNOWN;
      await this.load();
      if (elsewhere && !this.left) this.events.reloaded();
    });
  }

  private adopt(state: PieceState): void {
    this.title = state.title;
    this.seq = state.seq;
    this.take = state.take;
    this.cursor = state.cursor;
    this.canUndo = state.canUndo;
    this.canRedo = state.canRedo;
    this.takes = new Map(state.takes.map((take) => [take.id, take]));
    const known = new Set<string>();
    this.rebase(SongData.from(state.song), NoteSet.ofLocked(state.locks), (edit, song, locks) => {
      const arrived = edit.locking ? areSo(locks, edit.locking) : isIn(song, edit.operations);
      if (arrived) known.add(edit.id);
      return arrived;
    });
    if (known.size > 0) this.outbox.drop(known);
  }

  /** Show what the server has, with what is waiting on top of it, but for what it has already. */
  private rebase(
    song: SongData,
    locks: NoteSet,
    arrived: (edit: Unsent, song: SongData, locks: NoteSet) => boolean,
  ): void {
    for (const edit of this.outbox.waiting) {
      if (arrived(edit, song, locks)) continue;
      song = song.apply(edit.operations);
      if (!edit.locks) continue;
      locks = edit.locking ? withLocking(locks, edit.locking) : standing(locks, song);
      edit.locks = locks.list();
    }
    this.song = song;
    this.locks = locks;
  }

  /** Locks with those on top that were changed while the answer was on its way. */
  private relocked(locks: NoteSet): NoteSet {
    for (const edit of this.outbox.waiting) {
      if (!edit.locking) continue;
      locks = withLocking(locks, edit.locking);
      edit.locks = locks.list();
    }
    return locks;
  }

  private shown(moved: readonly Operation[] | null): void {
    if (!this.left) this.events.song(moved);
  }

  private async send(edit: Unsent): Promise<void> {
    const { id: _, locking, ...what } = edit;
    if (locking) {
      await this.api.locks(this.id, what.locks ?? []);
      return;
    }
    const answer = await this.api.edit(this.id, this.seq, what);
    this.seq = answer.seq;
    this.take = answer.take;
    this.cursor = answer.cursor;
    this.canUndo = true;
    this.canRedo = false;
    if (!answer.song) return;
    this.rebase(SongData.from(answer.song), this.locks, (other) => other === edit);
    this.shown(null);
  }

  private async reload(why: Reload): Promise<void> {
    const elsewhere = why === "conflict" && this.seq !== UNKNOWN;
    this.seq = UNKNOWN; // whatever the server has, it is right
    await this.load();
    if (elsewhere && !this.left) this.events.reloaded();
  }

  private wait(attempt: number, seconds: number | null): Promise<void> {
    if (seconds === null) return backoff(attempt, this.life.signal);
    const { signal } = this.life;
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, Math.min(60, seconds) * 1000);
      signal.addEventListener("abort", () => {
        clearTimeout(timer);
        resolve();
      });
    });
  }

  private move(
    request: (seq: number) => Promise<Moved>,
    allowed: () => boolean = () => true,
    shown = false,
  ): Promise<void> {
    return this.based(async (seq) => {
      if (!allowed()) return;
      let moved: Moved;
      try {
        moved = await request(seq);
      } catch (error) {
        // Nobody knows whether a request whose answer got lost was carried out: the piece says it.
        if (error instanceof ServerGone) this.seq = UNKNOWN;
        throw error;
      }
      this.seq = moved.seq;
      this.take = moved.take;
      this.cursor = moved.cursor;
      this.canUndo = moved.canUndo;
      this.canRedo = moved.canRedo;
      const locks = moved.locks ? NoteSet.ofLocked(moved.locks) : this.locks;
      if (moved.song) {
        this.rebase(SongData.from(moved.song), locks, () => false);
      } else {
        this.song = this.song.apply(moved.operations ?? []);
        this.locks = this.relocked(locks);
      }
      this.shown(shown ? (moved.operations ?? null) : null);
    });
  }
}

/** Pieces that are not shown any more, but have edits on their way. */
export class LeftPieces {
  private readonly pieces = new Map<string, OpenPiece>();

  constructor(private readonly changed: () => void) {}

  get size(): number {
    return this.pieces.size;
  }

  add(piece: OpenPiece): void {
    const sent = piece.leave();
    if (piece.saved === "saved") return;
    this.pieces.set(piece.id, piece);
    void sent.then(() => {
      if (this.pieces.get(piece.id) === piece) this.pieces.delete(piece.id);
      this.changed();
    });
  }

  /** A piece that is to be shown again: with two of it, each edit would be sent twice. */
  get(id: string): OpenPiece | undefined {
    return this.pieces.get(id);
  }

  remove(piece: OpenPiece): void {
    this.pieces.delete(piece.id);
  }
}

function withLocking(locks: NoteSet, { notes, locked }: Locking): NoteSet {
  const refs = NoteSet.ofLocked(notes);
  return locked ? locks.with(refs) : locks.without(refs);
}

function areSo(locks: NoteSet, { notes, locked }: Locking): boolean {
  return notes.every(([track, tick, pitch]: LockedNote) => locks.has(track, tick, pitch) === locked);
}

/** Locks of notes that are still there. */
function standing(locks: NoteSet, song: SongData): NoteSet {
  const gone = locks.refs.filter(({ track, tick, pitch }) => (song.track(track)?.notes.find(tick, pitch) ?? -1) < 0);
  return gone.length > 0 ? locks.without(gone) : locks;
}

/** Whether a song already is as operations would make it: they arrived, and only the answer was lost. */
export function isIn(song: SongData, operations: readonly Operation[]): boolean {
  return operations.every((operation) => {
    if (operation.type === "tempo") return song.clock.quartersPerMinute(operation.tick) === operation.quartersPerMinute;
    const track = song.track(operation.track);
    if (operation.type === "program") return track?.program === operation.program;
    if (operation.type === "rename") return track?.name === operation.name;
    if (operation.type === "mix") {
      const { volume = track?.volume, pan = track?.pan } = operation;
      return track !== undefined && track.volume === volume && track.pan === pan;
    }
    const refs = (notes: typeof operation.add): NoteRef[] =>
      notes.map(([tick, , pitch]) => ({ track: operation.track, tick, pitch }));
    const added = resolved(song, refs(operation.add)).get(operation.track) ?? [];
    const removed = resolved(song, refs(operation.remove)).get(operation.track) ?? [];
    const has = (note: (typeof operation.add)[number]): boolean =>
      added.some((other) => other.every((value, index) => value === note[index]));
    const kept = removed.some((old) =>
      operation.remove.some((note) => note.every((value, index) => value === old[index])),
    );
    return operation.add.every(has) && !kept && operation.add.length + operation.remove.length > 0;
  });
}
