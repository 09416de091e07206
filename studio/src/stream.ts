/** The one stream of events: read by fetch, so that it can carry the token, and resumed by the id of the last event. */

import type { StudioEvent } from "./protocol";

export interface Block {
  id: number | null;
  data: string;
}

/** Takes a stream of `id:` and `data:` lines apart, wherever it is cut into chunks. */
export class BlockParser {
  private rest = "";
  private id: number | null = null;
  private data: string[] = [];

  feed(chunk: string): Block[] {
    const blocks: Block[] = [];
    const lines = (this.rest + chunk).split("\n");
    this.rest = lines.pop() ?? "";
    for (const raw of lines) {
      const line = raw.endsWith("\r") ? raw.slice(0, -1) : raw;
      if (line === "") {
        if (this.data.length > 0) blocks.push({ id: this.id, data: this.data.join("\n") });
        this.id = null;
        this.data = [];
      } else if (line.startsWith("data:")) {
        this.data.push(line.slice(line[5] === " " ? 6 : 5));
      } else if (line.startsWith("id:")) {
        const id = Number(line.slice(3));
        this.id = Number.isFinite(id) ? id : null;
      } // lines that begin with ":" only show that the server is alive
    }
    return blocks;
  }
}

/** The server says every 10 s that it is alive; silent for longer, the line is dead, whatever the browser thinks of it. */
const SILENCE_MS = 30_000;

export interface StreamOptions {
  /** Opens the stream after an event; rejects if the server cannot be reached. */
  open(after: number, signal: AbortSignal): Promise<ReadableStream<Uint8Array>>;
  onEvent(event: StudioEvent, id: number | null): void;
  /** Called whenever the connection is there again, and when it is lost. */
  onConnected(connected: boolean): void;
  /** Waits before the next try; attempts count from 1. */
  wait(attempt: number, signal: AbortSignal): Promise<void>;
  /** Runs something later; answers how to call that off. */
  later?(run: () => void, ms: number): () => void;
}

/** Keeps one stream open for as long as the page lives. */
export class EventStream {
  /** The id of the last event that arrived. */
  last: number;
  private readonly stopper = new AbortController();

  constructor(
    after: number,
    private readonly options: StreamOptions,
  ) {
    this.last = after;
  }

  /** Ends when `close` is called; errors of the connection are tried again for ever. */
  async run(): Promise<void> {
    const signal = this.stopper.signal;
    let attempt = 0;
    while (!signal.aborted) {
      try {
        await this.follow(() => {
          attempt = 0;
          this.options.onConnected(true);
        });
      } catch {
        // What went wrong is of no interest here: the stream is opened again, after the event that came last.
      }
      if (signal.aborted) return;
      attempt += 1;
      if (attempt > 1) this.options.onConnected(false);
      await this.options.wait(attempt, signal);
    }
  }

  close(): void {
    this.stopper.abort();
  }

  /** Read one connection to its end. */
  private async follow(opened: () => void): Promise<void> {
    const line = new Line(this.stopper.signal, this.options.later ?? later);
    try {
      const body = await line.within(() => this.options.open(this.last, line.signal));
      opened();
      const reader = body.getReader();
      const decoder = new TextDecoder();
      const parser = new BlockParser();
      for (;;) {
        const { done, value } = await line.within(() => reader.read());
        if (done) return;
        for (const block of parser.feed(decoder.decode(value, { stream: true }))) this.deliver(block);
      }
    } finally {
      line.end();
    }
  }

  private deliver(block: Block): void {
    const event = JSON.parse(block.data) as StudioEvent;
    // After a reconnection the server may repeat what arrived just before the connection broke; one that was started
    // again counts from the beginning, and says so.
    if (block.id !== null && block.id <= this.last && event.type !== "reset") return;
    if (block.id !== null) this.last = block.id;
    this.options.onEvent(event, block.id);
  }
}

/** One connection: given up when nothing has come for too long, or when the stream is closed. */
class Line {
  private readonly aborter = new AbortController();
  private readonly cut: Promise<never>;

  constructor(
    private readonly whole: AbortSignal,
    private readonly later: (run: () => void, ms: number) => () => void,
  ) {
    this.cut = new Promise((_, reject) => {
      this.signal.addEventListener("abort", () => reject(new Error("the connection is silent")));
    });
    this.cut.catch(() => undefined); // nobody may be waiting
    whole.addEventListener("abort", this.end);
    if (whole.aborted) this.end();
  }

  get signal(): AbortSignal {
    return this.aborter.signal;
  }

  /** Wait for something of the connection, but not for ever. */
  async within<R>(begin: () => Promise<R>): Promise<R> {
    this.signal.throwIfAborted();
    const callOff = this.later(this.end, SILENCE_MS);
    try {
      return await Promise.race([begin(), this.cut]);
    } finally {
      callOff();
    }
  }

  readonly end = (): void => {
    this.whole.removeEventListener("abort", this.end);
    this.aborter.abort();
  };
}

function later(run: () => void, ms: number): () => void {
  const timer = setTimeout(run, ms);
  return () => clearTimeout(timer);
}

/** 0.25 s, 0.5 s, 1 s, then 2 s. */
export function backoff(attempt: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, Math.min(2000, 125 * 2 ** attempt));
    signal.addEventListener("abort", () => {
      clearTimeout(timer);
      resolve();
    });
  });
}
