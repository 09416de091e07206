/** The open piece: its song, its takes, its place in the history, and the edits on their way to the server. */

import { type Api, ServerGone } from "../api";
import { resolved } from "../music/edits";
import type { NoteRef } from "../music/music";
import { NoteSet } from "../music/sets";
import { SongData } from "../music/song";
import type { Moved, Operation, PieceState, Take } from "../protocol";
import { backoff } from "../stream";
import { Outbox, type Unsent } from "./outbox";

export interface PieceEvents {
  /** Anything changed. */
  changed(): void;
  /** The song on screen is another; `moved` are the operations of an undo or a redo. */
  song(moved: readonly Operation[] | null): void;
  /** The server refused an edit. */
  refused(error: unknown): void;
  /** The piece was changed elsewhere and has been loaded again. */
  reloaded(): void;
}

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
      onConflict: () => this.conflict(),
      onRefused: async (_edit, error) => {
        this.events.refused(error);
        await this.load();
      },
      onChange: () => this.events.changed(),
      wait: (attempt) => backoff(attempt, this.life.signal),
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

  close(): void {
    this.outbox.close();
    this.life.abort();
  }

  /** Change the song at once, and send the change. */
  edit(operations: Operation[], recorded = false): void {
    const locks = this.locks;
    this.song = this.song.apply(operations);
    this.locks = this.standing(locks);
    this.canUndo = true;
    this.canRedo = false;
    this.outbox.push({
      operations,
      ...(this.locks === locks ? {} : { locks: this.locks.list() }),
      ...(recorded ? { recorded } : {}),
    });
    this.events.song(null);
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
  accept = (take: string): Promise<void> => this.move((seq) => this.api.accept(this.id, seq, take));

  /** Run a request that is based on the piece as the server has it. */
  based<T>(request: (seq: number) => Promise<T>): Promise<T> {
    return this.outbox.then(() => request(this.seq));
  }

  async lock(notes: readonly NoteRef[], locked: boolean): Promise<void> {
    this.locks = locked ? this.locks.with(notes) : this.locks.without(notes);
    this.events.changed();
    await this.outbox.then(() => this.api.locks(this.id, this.locks.list()));
  }

  /** Put a take into the tree, new or changed. */
  put(take: Take): void {
    this.takes.set(take.id, take);
    this.events.changed();
  }

  /** Load the piece again, and put the edits on top of it that the server does not have. */
  async load(): Promise<void> {
    const state = await this.api.piece(this.id);
    this.adopt(state);
    this.events.song(null);
  }

  /** The server says that the piece has another state than this page knows. */
  async changedElsewhere(seq: number): Promise<void> {
    await this.outbox.then(async () => {
      if (seq <= this.seq) return;
      await this.load();
      this.events.reloaded();
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
    this.locks = NoteSet.ofLocked(state.locks);
    this.song = SongData.from(state.song);
    const known = new Set<string>();
    for (const edit of this.outbox.waiting) {
      if (isIn(this.song, edit.operations)) known.add(edit.id);
      else this.song = this.song.apply(edit.operations);
    }
    if (known.size > 0) this.outbox.drop(known);
  }

  private async send(edit: Unsent): Promise<void> {
    const { id: _, ...what } = edit;
    const answer = await this.api.edit(this.id, this.seq, what);
    this.seq = answer.seq;
    this.take = answer.take;
    this.cursor = answer.cursor;
    this.canUndo = true;
    this.canRedo = false;
    if (!answer.song) return;
    let song = SongData.from(answer.song);
    for (const later of this.outbox.waiting) if (later !== edit) song = song.apply(later.operations);
    this.song = song;
    this.events.song(null);
  }

  private async conflict(): Promise<void> {
    await this.load();
    this.events.reloaded();
  }

  private move(
    request: (seq: number) => Promise<Moved>,
    allowed: () => boolean = () => true,
    shown = false,
  ): Promise<void> {
    return this.outbox.then(async () => {
      if (!allowed()) return;
      let moved: Moved;
      try {
        moved = await request(this.seq);
      } catch (error) {
        // Nobody knows whether a request whose answer got lost was carried out: the piece says it.
        if (error instanceof ServerGone) this.seq = -1;
        throw error;
      }
      this.seq = moved.seq;
      this.take = moved.take;
      this.cursor = moved.cursor;
      this.canUndo = moved.canUndo;
      this.canRedo = moved.canRedo;
      if (moved.locks) this.locks = NoteSet.ofLocked(moved.locks);
      if (moved.song) this.song = SongData.from(moved.song);
      else if (moved.operations) this.song = this.song.apply(moved.operations);
      this.events.song(shown ? (moved.operations ?? null) : null);
    });
  }

  /** Locks of notes that are still there. */
  private standing(locks: NoteSet): NoteSet {
    const gone = locks.refs.filter(
      ({ track, tick, pitch }) => (this.song.track(track)?.notes.find(tick, pitch) ?? -1) < 0,
    );
    return gone.length > 0 ? locks.without(gone) : locks;
  }
}

/** Whether a song already is as operations would make it: they arrived, and only the answer was lost. */
export function isIn(song: SongData, operations: readonly Operation[]): boolean {
  return operations.every((operation) => {
    if (operation.type === "tempo") return song.clock.quartersPerMinute(operation.tick) === operation.quartersPerMinute;
    const track = song.track(operation.track);
    if (operation.type === "program") return track?.program === operation.program;
    if (operation.type === "rename") return track?.name === operation.name;
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
