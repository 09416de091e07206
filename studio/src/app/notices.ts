/** What the page has to say: errors that stay until they are dismissed, short notices, and words for screen readers. */

import { ApiError, ServerGone } from "../api";
import { T } from "../strings";

export interface Notice {
  id: number;
  kind: "error" | "notice";
  text: string;
  /** What to do about it: "Retry", "Undo". */
  action: { label: string; run(): unknown } | null;
}

const SHOWN_MS = 8000;

export class Notices {
  list: Notice[] = [];
  private number = 0;

  constructor(private readonly changed: () => void) {}

  /** A short notice; it goes by itself. */
  say(text: string, action: Notice["action"] = null): void {
    const notice = this.put("notice", text, action);
    setTimeout(() => this.dismiss(notice), SHOWN_MS);
  }

  /** An error; it stays until it is dismissed or tried again. The same error is shown once. */
  error(error: unknown, retry?: () => unknown): void {
    const text = errorText(error);
    this.list = this.list.filter((notice) => notice.text !== text);
    this.put("error", text, retry ? { label: T.notices.retry, run: retry } : null);
  }

  dismiss(notice: Notice): void {
    this.list = this.list.filter((other) => other !== notice);
    this.changed();
  }

  private put(kind: Notice["kind"], text: string, action: Notice["action"]): Notice {
    this.number += 1;
    const notice: Notice = { id: this.number, kind, text, action };
    this.list = [...this.list.filter((other) => other.kind === "error" || other.text !== text), notice].slice(-4);
    this.changed();
    return notice;
  }
}

export function errorText(error: unknown): string {
  if (error instanceof ServerGone) return T.notices.gone;
  if (error instanceof ApiError && error.status === 401) return T.notices.token;
  if (error instanceof ApiError && error.status === 409) return T.notices.lostEdit;
  if (error instanceof ApiError && error.retryAfter !== null) return T.notices.busy(error.message, error.retryAfter);
  return error instanceof Error ? error.message : String(error);
}

/** Words for a polite live region: at most two a second, the newest where there are more. */
export class Announcer {
  /** Shows a text; the element that owns the live region sets it. */
  show: (text: string) => void = () => undefined;
  private next = 0;
  private pending: string | null = null;

  constructor(
    private readonly now: () => number = () => performance.now(),
    private readonly later: (run: () => void, ms: number) => void = (run, ms) => void setTimeout(run, ms),
    private readonly gap = 500,
  ) {}

  say(text: string): void {
    const now = this.now();
    if (now >= this.next && this.pending === null) {
      this.next = now + this.gap;
      this.show(text);
      return;
    }
    const waiting = this.pending !== null;
    this.pending = text;
    if (waiting) return;
    this.later(
      () => {
        const newest = this.pending;
        this.pending = null;
        this.next = this.now() + this.gap;
        if (newest !== null) this.show(newest);
      },
      Math.max(0, this.next - now),
    );
  }
}
