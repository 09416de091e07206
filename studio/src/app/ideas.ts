/** Ideas of the open piece: what grows, what is heard, and what becomes of it. */

import type { Api } from "../api";
import { GrowingIdea } from "../music/idea";
import type { SongState } from "../music/music";
import type { IdeaNote, IdeaRequest, Report, StudioEvent, Take } from "../protocol";
import { diffLayer, displaced } from "./layers";
import type { OpenPiece } from "./piece";

export interface Idea {
  take: Take;
  layer: GrowingIdea;
  /** The last bar that is complete. */
  bar: number | null;
  report: Report | null;
}

export interface IdeasEvents {
  changed(): void;
  /** What is heard became another, or grew. */
  heard(): void;
  /** The notes of the heard idea are to be seen. */
  begun(idea: Idea): void;
  finished(idea: Idea, number: number): void;
  failed(idea: Idea, number: number): void;
  error(error: unknown): void;
}

const MOST_CHIPS = 9;

export class Ideas {
  /** Those of the last request, as chips from 1. */
  chips: Idea[] = [];
  /** Which chip is heard; 0 is the piece as it was. */
  heard = 0;
  /** The idea that is taken as soon as it is finished. */
  takeWhenDone: string | null = null;
  private readonly known = new Map<string, Idea>();
  /** Events of takes that this page does not show: those of another window, or the answer is still on its way. */
  private readonly early = new Map<string, StudioEvent[]>();
  /** Requests whose answer is on its way. */
  private requests = 0;

  constructor(
    private readonly api: Api,
    private readonly piece: () => OpenPiece | null,
    private readonly events: IdeasEvents,
  ) {}

  get current(): Idea | null {
    return this.chips[this.heard - 1] ?? null;
  }

  get growing(): Idea[] {
    return this.chips.filter((idea) => idea.take.state === "growing");
  }

  async request(request: Omit<IdeaRequest, "seq">): Promise<Idea[]> {
    const piece = this.piece();
    if (!piece) return [];
    const ask = (seq: number): Promise<{ ideas: Take[] }> => this.api.ideas(piece.id, { ...request, seq });
    return this.asked(
      piece,
      () => [],
      () => piece.based(ask),
    );
  }

  /** More like the heard one; they come after the chips that are there, the oldest of which make room. */
  async again(n: number, like = this.current ?? this.chips.at(-1)): Promise<Idea[]> {
    const piece = this.piece();
    if (!piece || !like) return [];
    return this.asked(
      piece,
      () => this.chips,
      () => this.api.again(like.take.id, n),
    );
  }

  /** Show what a request brings after chips that are there; not above another piece that was opened meanwhile. */
  private async asked(
    piece: OpenPiece,
    chips: () => readonly Idea[],
    request: () => Promise<{ ideas: Take[] }>,
  ): Promise<Idea[]> {
    this.requests += 1;
    try {
      const { ideas } = await request();
      if (piece !== this.piece()) return [];
      const kept = chips()
        .filter((idea) => idea.take.state !== "failed")
        .slice(-Math.max(1, MOST_CHIPS - ideas.length));
      return this.show(piece, ideas, kept);
    } finally {
      this.requests -= 1;
      if (this.requests === 0)
        for (const [id, events] of this.early) if (events.some(isEnd)) this.early.delete(id);
    }
  }

  /** Show an idea from the tree of takes as the only chip. */
  async open(take: Take): Promise<void> {
    const piece = this.piece();
    if (!piece) return;
    const idea = this.knownOr(take, piece.song);
    this.catchUp(idea);
    if (take.state !== "growing") await this.complete(idea, take);
    this.chips = [idea];
    this.hear(1);
  }

  /** Hear a chip from the next beat on; 0 is the piece as it was. */
  hear(number: number): void {
    if (number < 0 || number > this.chips.length) return;
    this.heard = number;
    this.events.heard();
    this.events.changed();
    const idea = this.current;
    if (idea) this.events.begun(idea);
    if (idea && idea.take.state !== "growing" && !idea.report) void this.fetchReport(idea);
  }

  /** Put the chips away; the ideas stay in the tree. */
  close(): void {
    this.chips = [];
    this.heard = 0;
    this.takeWhenDone = null;
    this.events.heard();
    this.events.changed();
  }

  async stop(idea: Idea): Promise<void> {
    await this.api.stop(idea.take.id);
  }

  /** End all that grows in this piece, also what was put away. */
  async stopAll(): Promise<void> {
    const takes = this.piece()?.takes.values() ?? [];
    const growing = [...takes].filter(({ kind, state }) => kind === "idea" && state === "growing");
    await Promise.all(growing.map(({ id }) => this.api.stop(id)));
  }

  /** Events may have been lost: see what became of the ideas that were growing. */
  async reload(): Promise<void> {
    const takes = this.piece()?.takes;
    for (const idea of this.growing) {
      const take = takes?.get(idea.take.id);
      if (take && take.state !== "growing") await this.complete(idea, take);
    }
  }

  /** Another piece is shown: what grows in the one before goes on, and is remembered. */
  reset(): void {
    for (const [id, idea] of this.known) if (idea.take.state !== "growing") this.known.delete(id);
    this.close();
  }

  /** Show ideas that are being written, after the page was loaded again or the piece was opened again. */
  resume(piece: OpenPiece): void {
    const growing = [...piece.takes.values()].filter(
      ({ state, kind, deleted }) => state === "growing" && kind === "idea" && !deleted,
    );
    if (growing.length > 0) this.show(piece, growing.slice(-MOST_CHIPS), []);
  }

  onEvent(event: StudioEvent): void {
    if (!("take" in event) || event.type === "take.changed") return;
    const id = typeof event.take === "string" ? event.take : event.take.id;
    const idea = this.known.get(id);
    if (idea) return this.deliver(idea, event);
    const early = this.early.get(id) ?? [];
    // One that has ended is loaded from the server, if it is wanted at all.
    if (isEnd(event) && this.requests === 0) this.early.delete(id);
    else this.early.set(id, [...early, event]);
  }

  private deliver(idea: Idea, event: StudioEvent): void {
    const fresh = idea.layer.added.size === 0;
    switch (event.type) {
      case "idea.notes":
        idea.layer.add(event.notes);
        if (fresh && idea === this.current) this.events.begun(idea);
        break;
      case "idea.removed":
        retract(idea.layer, event.notes);
        break;
      case "idea.bar":
        // By the page's own bars, which go on after the end of the piece.
        idea.bar = this.pieceOf(idea)?.song.bars.at(event.tick) ?? event.bar;
        idea.layer.reach(event.tick);
        break;
      case "idea.restarted":
        idea.layer.restart();
        idea.bar = null;
        break;
      case "idea.finished":
        void this.complete(idea, event.take).catch(this.events.error);
        return;
      case "idea.failed":
        idea.take = event.take;
        if (this.takeWhenDone === idea.take.id) this.takeWhenDone = null;
        if (!this.pieceOf(idea)) this.known.delete(idea.take.id);
        this.events.failed(idea, this.chips.indexOf(idea) + 1);
        break;
      case "report":
        idea.report = event.report;
        break;
      default:
        return;
    }
    if (event.type !== "report") this.displace(idea);
    if (idea === this.current) this.events.heard();
    this.events.changed();
  }

  /** While an idea grows, the stream brings its notes alone; which old ones they replace is found here. */
  private displace(idea: Idea): void {
    const piece = this.pieceOf(idea);
    if (!piece || idea.take.state !== "growing") return;
    const { removed } = idea.layer;
    removed.clear();
    for (const [track, notes] of displaced(idea.take, idea.layer, piece.song, piece.locks)) removed.set(track, notes);
  }

  /** What the stream brought is replaced by what the server has in the end. */
  private async complete(idea: Idea, take: Take): Promise<void> {
    const piece = this.pieceOf(idea);
    const wasGrowing = idea.take.state === "growing";
    idea.take = take;
    idea.layer.finish();
    if (!piece) this.known.delete(take.id);
    else if (take.state !== "failed") await this.adoptDiff(idea, piece);
    if (wasGrowing) this.events.finished(idea, this.chips.indexOf(idea) + 1);
    if (idea === this.current) {
      this.events.heard();
      if (!idea.report) void this.fetchReport(idea);
    }
    this.events.changed();
  }

  /** Without the difference what the stream brought stays; the idea is finished all the same. */
  private async adoptDiff(idea: Idea, piece: OpenPiece): Promise<void> {
    const { id, bars } = idea.take;
    try {
      idea.layer = diffLayer(id, await this.api.diff(id), piece.song, bars);
    } catch (error) {
      this.events.error(error);
    }
  }

  private async fetchReport(idea: Idea): Promise<void> {
    try {
      const report = await this.api.report(idea.take.id);
      if (report.originality || report.ranking) idea.report = report;
      this.events.changed();
    } catch {
      // The report comes over the stream when it is ready; an idea without one is still an idea.
    }
  }

  private show(piece: OpenPiece, takes: readonly Take[], kept: readonly Idea[]): Idea[] {
    const fresh = takes.map((take) => {
      piece.put(take);
      return this.knownOr(take, piece.song);
    });
    this.chips = [...kept, ...fresh];
    if (!this.chips.some(({ take }) => take.id === this.takeWhenDone)) this.takeWhenDone = null;
    this.hear(kept.length + 1);
    for (const idea of fresh) this.catchUp(idea);
    return fresh;
  }

  private knownOr(take: Take, song: SongState): Idea {
    const known = this.known.get(take.id);
    if (known) return known;
    const idea: Idea = { take, layer: new GrowingIdea(take.id, take.bars, song), bar: null, report: null };
    this.known.set(take.id, idea);
    return idea;
  }

  private catchUp(idea: Idea): void {
    const early = this.early.get(idea.take.id) ?? [];
    this.early.delete(idea.take.id);
    for (const event of early) this.deliver(idea, event);
  }

  /** The piece of an idea, if it is the one that is shown. */
  private pieceOf(idea: Idea): OpenPiece | null {
    const piece = this.piece();
    return piece?.id === idea.take.piece ? piece : null;
  }
}

/** Whether no more notes of a take come after an event. */
function isEnd({ type }: StudioEvent): boolean {
  return type === "idea.finished" || type === "idea.failed" || type === "report";
}

/** Notes of its own that an idea takes back. */
function retract(layer: GrowingIdea, notes: readonly IdeaNote[]): void {
  for (const note of notes) {
    const own = [...layer.added.values()].find(({ ref }) =>
      note[0] === null ? ref.program === note[1] && ref.drum === note[2] : ref.track === note[0],
    )?.notes;
    const index = own?.findIndex((other) => other.every((value, at) => value === note[at + 3])) ?? -1;
    if (own && index >= 0) own.splice(index, 1);
  }
}

/** Where a layer's own notes begin and end, in ticks; null if it has none. */
export function extent(idea: Idea): [from: number, to: number] | null {
  let from = Infinity;
  let to = -Infinity;
  for (const { notes } of idea.layer.added.values()) {
    for (const [tick, length] of notes) {
      from = Math.min(from, tick);
      to = Math.max(to, tick + length);
    }
  }
  return from < to ? [from, to] : null;
}
