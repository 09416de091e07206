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

export interface StreamOptions {
  /** Opens the stream after an event; rejects if the server cannot be reached. */
  open(after: number, signal: AbortSignal): Promise<ReadableStream<Uint8Array>>;
  onEvent(event: StudioEvent, id: number | null): void;
  /** Called whenever the connection is there again, and when it is lost. */
  onConnected(connected: boolean): void;
  /** Waits before the next try; attempts count from 1. */
  wait(attempt: number, signal: AbortSignal): Promise<void>;
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
        const body = await this.options.open(this.last, signal);
        attempt = 0;
        this.options.onConnected(true);
        await this.read(body);
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

  private async read(body: ReadableStream<Uint8Array>): Promise<void> {
    const reader = body.getReader();
    const decoder = new TextDecoder();
    const parser = new BlockParser();
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      for (const block of parser.feed(decoder.decode(value, { stream: true }))) this.deliver(block);
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
