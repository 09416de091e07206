/** The page's line to its server: the first state, the stream of events, what is loaded again after a break. */

import { ApiError, ServerGone } from "../api";
import type { StudioEvent, StudioState } from "../protocol";
import { EventStream, backoff } from "../stream";
import { T } from "../strings";
import { errorText } from "./notices";
import type { Studio } from "./studio";

/** Where the piece is remembered that was open last. */
export const OPEN = "toccata.piece";
/** Another token, another site, another name. */
const REFUSALS: ReadonlySet<number> = new Set([401, 403, 421]);

export class Connection {
  private stream: EventStream | null = null;

  constructor(private readonly studio: Studio) {}

  /** Load the server's state, show the piece that was open last, and follow what happens from then on. */
  async start(): Promise<void> {
    const { studio } = this;
    const server = await this.first();
    if (server === null) return;
    studio.connected = true;
    studio.server = server;
    studio.trainings.adopt(server.trainings);
    await this.openLast();
    void studio.recording.listen();
    // The number is that of the event before the first of an idea that is being written: all its notes are sent again.
    this.stream = new EventStream(server.lastEvent, {
      open: (after, signal) => this.open(after, signal),
      onEvent: (event) => this.onEvent(event),
      onConnected: (connected) => this.onConnected(connected),
      wait: backoff,
    });
    void this.stream.run();
  }

  /** Open the stream; a server that refuses it was started again, and waits for the page with its new token. */
  private async open(after: number, signal: AbortSignal): Promise<ReadableStream<Uint8Array>> {
    const { studio } = this;
    try {
      return await studio.api.stream(after, signal);
    } catch (error) {
      const shutOut = error instanceof ApiError && REFUSALS.has(error.status);
      if (shutOut !== studio.shutOut) {
        studio.shutOut = shutOut;
        studio.changed();
      }
      throw error;
    }
  }

  async refresh(): Promise<void> {
    const { studio } = this;
    studio.server = await studio.api.state();
    studio.trainings.adopt(studio.server.trainings);
    studio.changed();
  }

  /** The server's state, however long that takes; null: it refuses this page. */
  private async first(): Promise<StudioState | null> {
    const { studio } = this;
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await studio.api.state();
      } catch (error) {
        if (!(error instanceof ServerGone)) {
          studio.fatal = errorText(error);
          studio.changed();
          return null;
        }
        studio.connected = false;
        studio.changed();
        await backoff(attempt, new AbortController().signal);
      }
    }
  }

  private async openLast(): Promise<void> {
    const { studio } = this;
    const pieces = (studio.server?.pieces ?? []).filter((piece) => !piece.deleted);
    const last = studio.stores.session.getItem(OPEN) ?? studio.stores.local.getItem(OPEN);
    const newest = [...pieces].sort((a, b) => b.changed - a.changed)[0];
    const open = pieces.find((piece) => piece.id === last) ?? newest;
    if (open) await studio.attempt(() => studio.openPiece(open.id));
    else if (studio.view.dialog === null) studio.set({ dialog: "library" }); // not over what a key has opened meanwhile
  }

  private onConnected(connected: boolean): void {
    const { studio } = this;
    if (connected === studio.connected) return;
    studio.connected = connected;
    if (connected) studio.shutOut = false;
    studio.changed();
    if (!connected) return;
    studio.announcer.say(T.notices.back);
    void studio.attempt(() => this.reload());
  }

  /** Load what the server knows again, without losing unsent edits. */
  private async reload(): Promise<void> {
    await this.refresh();
    await this.studio.piece?.load();
    await this.studio.ideas.reload();
  }

  private onEvent(event: StudioEvent): void {
    const { studio } = this;
    const { piece } = studio;
    if ("take" in event && typeof event.take !== "string" && event.take.piece === piece?.id) piece.put(event.take);
    if (event.type === "piece.changed") {
      if (event.piece === piece?.id) void piece.changedElsewhere(event.seq).catch(() => undefined);
    } else if (event.type === "training") {
      studio.trainings.onEvent(event.training);
    } else if (event.type === "reset") {
      void studio.attempt(() => this.reload());
    } else {
      studio.ideas.onEvent(event);
    }
  }
}
