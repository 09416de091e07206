/** Edits on their way to the server: one after the other, none lost when the server or the page goes away. */

import { ApiError, ServerGone } from "../api";
import type { Edit, LockedNote } from "../protocol";

/** Notes that are locked or unlocked: no edit, and no step of undo, but in order with the edits. */
export interface Locking {
  notes: LockedNote[];
  locked: boolean;
}

/** An edit, or a change of locks; `locks` is all that is locked after it. */
export interface Change extends Edit {
  locking?: Locking;
}

/** A change that the server has not confirmed. */
export interface Unsent extends Change {
  id: string;
}

export interface OutboxOptions {
  send(edit: Unsent): Promise<void>;
  /** What the page has may be another piece than the server's: load it, with what is waiting on top of it. */
  reload(why: Reload): Promise<void>;
  /** The server will not do something; an edit that it will not take is gone from the queue. */
  onRefused(error: unknown, edit: Unsent | null): void;
  /** The browser has no room for what is waiting: it would be lost with the page. */
  onUnstored(): void;
  onChange(): void;
  /** Wait before the next try; `seconds`: as long as the server asked for. */
  wait(attempt: number, seconds: number | null): Promise<void>;
}

/** Changed elsewhere (409), or without an edit that was refused. */
export type Reload = "conflict" | "refused";

type Store = Pick<Storage, "getItem" | "setItem" | "removeItem">;

/** Answers that say nothing about an edit: another token or address, too much at once, no room, no server behind. */
const NOT_NOW: ReadonlySet<number> = new Set([401, 403, 408, 421, 429, 502, 503, 504, 507]);
const MOST_CONFLICTS = 4;
const MOST_FAULTS = 4;

/** Whether an error will pass, or be mended, without the edit being another. */
export function isPassing(error: unknown): boolean {
  return error instanceof ServerGone || (error instanceof ApiError && NOT_NOW.has(error.status));
}

/** A queue of edits and of other acts that need the server's newest state. */
export class Outbox {
  private readonly edits: Unsent[];
  private readonly key: string;
  private running: Promise<void> | null = null;
  private acts: Promise<unknown> = Promise.resolve();
  private number = 0;
  /** The server could not be reached at the last try, or would not listen. */
  offline = false;
  private halted = false;
  private reloading: Reload | null = null;
  /** Failed tries in a row: of anything, and those of the first edit. */
  private failures = 0;
  private conflicts = 0;
  private faults = 0;
  private warned = false;

  constructor(
    piece: string,
    private readonly store: Store,
    private readonly options: OutboxOptions,
  ) {
    this.key = `toccata.unsent.${piece}`;
    this.edits = restored(store.getItem(this.key));
  }

  get waiting(): readonly Unsent[] {
    return this.edits;
  }

  /** Queue an edit; it is stored before it is sent. */
  push(edit: Change): void {
    this.number += 1;
    this.edits.push({ id: `${Date.now()}.${this.number}`, ...edit });
    this.save();
    void this.flush();
  }

  /** Forget edits, because they turned out to be in the piece already. */
  drop(ids: ReadonlySet<string>): void {
    for (let index = this.edits.length - 1; index >= 0; index -= 1)
      if (ids.has(this.edits[index]?.id ?? "")) this.edits.splice(index, 1);
    this.save();
  }

  /** Run an act after all edits have arrived, and after the acts before it. */
  then<T>(act: () => Promise<T>): Promise<T> {
    const result = this.acts.then(async () => {
      await this.flush();
      return act();
    });
    this.acts = result.catch(() => undefined);
    return result;
  }

  /** Resolves when nothing is waiting; tries again for as long as the server is gone. */
  flush(): Promise<void> {
    if (this.idle) return this.running ?? Promise.resolve();
    this.running ??= this.drain();
    return this.running;
  }

  /** Send nothing more; resolves when nothing is on its way. What is waiting stays stored. */
  halt(): Promise<void> {
    this.halted = true;
    return this.running ?? Promise.resolve();
  }

  private get idle(): boolean {
    return this.halted || (this.edits.length === 0 && this.reloading === null);
  }

  private async drain(): Promise<void> {
    while (!this.idle) {
      const edit = this.edits[0];
      try {
        if (this.reloading !== null) await this.reload(this.reloading);
        else if (edit) await this.send(edit);
        this.failures = 0;
        this.offline = false;
      } catch (error) {
        if (this.reloading !== null) await this.notReloaded(error);
        else if (edit) await this.notSent(edit, error);
      }
    }
    // In the turn in which nothing was left: an edit that is pushed after it begins anew.
    this.running = null;
    this.options.onChange();
  }

  private async send(edit: Unsent): Promise<void> {
    await this.options.send(edit);
    this.remove(edit);
  }

  private async reload(why: Reload): Promise<void> {
    await this.options.reload(why);
    this.reloading = null;
  }

  private async notReloaded(error: unknown): Promise<void> {
    if (isPassing(error) || isFault(error)) return this.rest(error);
    this.reloading = null; // the piece is gone: what is waiting is refused as well
    this.options.onRefused(error, null);
  }

  private async notSent(edit: Unsent, error: unknown): Promise<void> {
    if (isPassing(error)) return this.rest(error);
    if (error instanceof ApiError && error.status === 409 && (this.conflicts += 1) < MOST_CONFLICTS) {
      this.reloading = "conflict";
      return;
    }
    // A fault may be the edit's or the server's: the edit goes only if the server can do other things.
    if (isFault(error) && ((this.faults += 1) < MOST_FAULTS || !(await this.answers()))) return this.rest(error);
    if (!this.edits.includes(edit)) return; // it has arrived: what failed came after it
    this.remove(edit);
    this.reloading = "refused";
    this.options.onRefused(error, edit);
  }

  private async answers(): Promise<boolean> {
    try {
      await this.options.reload("refused");
      return true;
    } catch {
      return false;
    }
  }

  private async rest(error: unknown): Promise<void> {
    this.failures += 1;
    this.offline = true;
    this.options.onChange();
    await this.options.wait(this.failures, error instanceof ApiError ? error.retryAfter : null);
  }

  private remove(edit: Unsent): void {
    const index = this.edits.indexOf(edit);
    if (index >= 0) this.edits.splice(index, 1);
    this.conflicts = 0;
    this.faults = 0;
    this.save();
  }

  private save(): void {
    if (this.edits.length === 0) this.store.removeItem(this.key);
    else this.put(JSON.stringify(this.edits));
    this.options.onChange();
  }

  private put(text: string): void {
    try {
      this.store.setItem(this.key, text);
    } catch {
      // No room. An older list is worse than none: it has edits that have arrived.
      this.store.removeItem(this.key);
      if (!this.warned) this.options.onUnstored();
      this.warned = true;
    }
  }
}

function isFault(error: unknown): boolean {
  return error instanceof ApiError && error.status >= 500;
}

function restored(text: string | null): Unsent[] {
  if (text === null) return [];
  try {
    return JSON.parse(text) as Unsent[];
  } catch {
    return [];
  }
}
