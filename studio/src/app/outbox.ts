/** Edits on their way to the server: one after the other, none lost when the server or the page goes away. */

import { ApiError, ServerGone } from "../api";
import type { Edit } from "../protocol";

/** An edit that the server has not confirmed. */
export interface Unsent extends Edit {
  id: string;
}

export interface OutboxOptions {
  send(edit: Unsent): Promise<void>;
  /** The piece was changed elsewhere (409): load it again. Edits that are waiting are sent on top of it. */
  onConflict(): Promise<void>;
  /** The server will not take an edit; it is gone from the queue. */
  onRefused(edit: Unsent, error: unknown): Promise<void>;
  onChange(): void;
  wait(attempt: number): Promise<void>;
}

type Store = Pick<Storage, "getItem" | "setItem" | "removeItem">;

/** A queue of edits and of other acts that need the server's newest state. */
export class Outbox {
  private readonly edits: Unsent[];
  private readonly key: string;
  private running: Promise<void> | null = null;
  private acts: Promise<unknown> = Promise.resolve();
  private number = 0;
  /** The server could not be reached at the last try. */
  offline = false;
  private closed = false;

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
  push(edit: Edit): void {
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
    this.running ??= this.drain().finally(() => {
      this.running = null;
    });
    return this.running;
  }

  /** Send nothing more; what is waiting stays stored. */
  close(): void {
    this.closed = true;
  }

  private async drain(): Promise<void> {
    let attempt = 0;
    for (let edit = this.edits[0]; edit && !this.closed; edit = this.edits[0]) {
      try {
        await this.options.send(edit);
        attempt = 0;
        this.offline = false;
        this.remove(edit);
      } catch (error) {
        attempt += 1;
        if (error instanceof ServerGone || (error instanceof ApiError && error.status >= 500)) {
          this.offline = true;
          this.options.onChange();
          await this.options.wait(attempt);
        } else if (error instanceof ApiError && error.status === 409 && attempt < 4) {
          await this.options.onConflict();
        } else {
          this.remove(edit);
          await this.options.onRefused(edit, error);
        }
      }
    }
  }

  private remove(edit: Unsent): void {
    const index = this.edits.indexOf(edit);
    if (index >= 0) this.edits.splice(index, 1);
    this.save();
  }

  private save(): void {
    if (this.edits.length > 0) this.store.setItem(this.key, JSON.stringify(this.edits));
    else this.store.removeItem(this.key);
    this.options.onChange();
  }
}

function restored(text: string | null): Unsent[] {
  if (text === null) return [];
  try {
    return JSON.parse(text) as Unsent[];
  } catch {
    return [];
  }
}
