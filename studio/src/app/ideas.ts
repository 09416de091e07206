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
  /** Events of takes that this page has not heard of yet: the answer to the request is still on its way. */
  private readonly early = new Map<string, StudioEvent[]>();

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
    const { ideas } = await piece.based((seq) => this.api.ideas(piece.id, { ...request, seq }));
    return this.show(piece, ideas, []);
  }

  /** More like the heard one; they come after the chips that are there, the oldest of which make room. */
  async again(n: number, like = this.current ?? this.chips.at(-1)): Promise<Idea[]> {
    const piece = this.piece();
    if (!piece || !like) return [];
    const { ideas } = await this.api.again(like.take.id, n);
    const kept = this.chips
      .filter((idea) => idea.take.state !== "failed")
      .slice(-Math.max(1, MOST_CHIPS - ideas.length));
    return this.show(piece, ideas, kept);
  }

  /** Show an idea from the tree of takes as the only chip. */
  async open(take: Take): Promise<void> {
    const piece = this.piece();
    if (!piece) return;
    const idea = this.known.get(take.id) ?? this.begin(take, piece.song);
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

  async stopAll(): Promise<void> {
    await Promise.all(this.growing.map((idea) => this.stop(idea)));
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
    const waiting = this.early.get(id);
    if (waiting) waiting.push(event);
    else this.early.set(id, [event]);
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
        idea.bar = this.piece()?.song.bars.at(event.tick) ?? event.bar;
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
    const piece = this.piece();
    if (!piece || idea.take.state !== "growing") return;
    const { removed } = idea.layer;
    removed.clear();
    for (const [track, notes] of displaced(idea.take, idea.layer, piece.song, piece.locks)) removed.set(track, notes);
  }

  /** What the stream brought is replaced by what the server has in the end. */
  private async complete(idea: Idea, take: Take): Promise<void> {
    const song = this.piece()?.song;
    const wasGrowing = idea.take.state === "growing";
    idea.take = take;
    idea.layer.finish();
    const here = take.piece === this.piece()?.id;
    if (take.state !== "failed" && song && here)
      idea.layer = diffLayer(take.id, await this.api.diff(take.id), song, take.bars);
    if (wasGrowing) this.events.finished(idea, this.chips.indexOf(idea) + 1);
    if (idea === this.current) {
      this.events.heard();
      if (!idea.report) void this.fetchReport(idea);
    }
    this.events.changed();
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
    const fresh: Idea[] = [];
    for (const take of takes) {
      piece.put(take);
      const idea = this.known.get(take.id) ?? this.begin(take, piece.song);
      fresh.push(idea);
      const early = this.early.get(take.id) ?? [];
      this.early.delete(take.id);
      for (const event of early) this.deliver(idea, event);
    }
    this.early.clear();
    this.chips = [...kept, ...fresh];
    this.takeWhenDone = null;
    this.hear(kept.length + 1);
    return fresh;
  }

  private begin(take: Take, song: SongState): Idea {
    const idea: Idea = { take, layer: new GrowingIdea(take.id, take.bars, song), bar: null, report: null };
    this.known.set(take.id, idea);
    return idea;
  }
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
