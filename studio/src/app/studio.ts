/** The page's state and all its acts; elements show it and call it, commands name it. */

import type { Api } from "../api";
import { withIdea } from "../music/idea";
import type { IdeaLayer, SongState } from "../music/music";
import type { ModelRow, Note, Operation, PieceState, StudioState, Take } from "../protocol";
import { remember } from "../remember";
import type { StudioPlayer } from "../sound";
import { T } from "../strings";
import { Comparing } from "./comparing";
import { Connection, OPEN } from "./connection";
import { type Idea, Ideas } from "./ideas";
import { trackName } from "./instruments";
import { Announcer, Notices } from "./notices";
import { LeftPieces, OpenPiece } from "./piece";
import { type Audition, Playing } from "./playing";
import { Recording } from "./recording";
import { type Situation, type StripVerb, forAnotherPiece, requestFor, whyNot } from "./requests";
import { Trainings } from "./trainings";
import { View } from "./view";

export interface Stores {
  session: Storage;
  local: Storage;
}

export class Studio {
  server: StudioState | null = null;
  connected = true;
  /** The server is there, but refuses this page: it was started again, and has another token. */
  shutOut = false;
  /** Why the page cannot work at all. */
  fatal: string | null = null;
  piece: OpenPiece | null = null;
  /** The layer above the song that is drawn and heard: an idea, or the take that is compared. */
  layer: IdeaLayer | null = null;
  readonly view: View;
  readonly notices = new Notices(() => this.changed());
  readonly announcer = new Announcer();
  readonly ideas: Ideas;
  readonly playing: Playing;
  readonly recording: Recording;
  readonly trainings: Trainings;
  private readonly listeners = new Set<() => void>();
  private scheduled = false;
  private readonly connection: Connection = new Connection(this);
  private readonly comparing = new Comparing(this);
  private readonly leftPieces = new LeftPieces(() => this.changed());
  /** Acts that are under way, and are not begun a second time. */
  private readonly underWay = new Set<string>();

  constructor(
    readonly api: Api,
    player: StudioPlayer,
    readonly stores: Stores,
  ) {
    this.view = new View(stores.local);
    this.playing = new Playing(
      player,
      () => this.changed(),
      () => this.announcer.say(T.why.recording),
      () => this.audition,
    );
    this.ideas = new Ideas(api, () => this.piece, {
      changed: () => this.changed(),
      heard: () => this.showLayer(),
      begun: (idea) => this.reveal([...idea.layer.added.values()].flatMap(({ notes }) => notes)),
      finished: (idea, number) => {
        if (number > 0) this.announcer.say(T.ideas.done(number, idea.take.notes));
        if (this.ideas.takeWhenDone === idea.take.id) void this.take(idea);
      },
      failed: (idea, number) => {
        if (number === 0) return;
        const { verb, error } = idea.take;
        const why = T.ideas.failedSay(verb ? T.verbs[verb].name : T.ideas.chip(number), error ?? T.ideas.failed);
        // Ideas that fail together fail for the same reason: it is shown once, and tried again as a whole.
        const { chips } = this.ideas;
        this.notices.error(new Error(why), () => this.attempt(() => this.ideas.again(chips.length, idea)));
        if (chips.every(({ take }) => take.state === "failed")) this.ideas.close();
      },
      error: (error) => this.notices.error(error),
    });
    this.recording = new Recording(this);
    this.onChange(() => this.recording.follow());
    this.trainings = new Trainings(this);
  }

  get roll(): Playing["roll"] {
    return this.playing.roll;
  }

  get song(): SongState | null {
    return this.piece?.song ?? null;
  }

  get model(): ModelRow | null {
    const models = this.server?.models ?? [];
    const wanted = this.view.model ?? this.server?.defaultModel;
    return (
      models.find((model) => model.name === wanted) ??
      models.find((model) => model.name === this.server?.defaultModel) ??
      models[0] ??
      null
    );
  }

  get situation(): Situation {
    const { range, activeTrack, options } = this.view;
    return { song: this.song, range, activeTrack, options, model: this.model };
  }

  // -- changes

  onChange(listener: () => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  changed(): void {
    if (this.scheduled) return;
    this.scheduled = true;
    queueMicrotask(() => {
      this.scheduled = false;
      for (const listener of this.listeners) listener();
    });
  }

  set(change: Partial<View>): void {
    Object.assign(this.view, change);
    this.changed();
  }

  /** Run an act; what goes wrong is shown, and can be tried again. */
  async attempt<R>(act: () => Promise<R>): Promise<R | null> {
    try {
      return await act();
    } catch (error) {
      this.notices.error(error, () => this.attempt(act));
      return null;
    }
  }

  /** The same, but not while it is under way: a key pressed twice means one act. */
  private async once<R>(name: string, act: () => Promise<R>): Promise<R | null> {
    const key = `${this.piece?.id} ${name}`;
    if (this.underWay.has(key)) return null;
    this.underWay.add(key);
    try {
      return await act();
    } finally {
      this.underWay.delete(key);
    }
  }

  // -- pieces

  start = (): Promise<void> => this.connection.start();
  /** Load the lists of pieces, models and trainings again. */
  refresh = (): Promise<void> => this.connection.refresh();

  /** Whether something would be lost with the page. */
  get unsaved(): boolean {
    return this.recording.active || this.leftPieces.size > 0 || (this.piece !== null && this.piece.saved !== "saved");
  }

  async openPiece(id: string): Promise<void> {
    if (this.piece?.id === id) return this.piece.load();
    const left = this.leftPieces.get(id);
    if (!left) return this.show(await this.api.piece(id));
    await left.load();
    this.leftPieces.remove(left);
    left.comeBack();
    this.enter(left);
  }

  /** Show a piece that was just loaded or made. */
  show(state: PieceState): void {
    const piece = new OpenPiece(state, this.api, this.stores.session, {
      changed: () => this.changed(),
      song: (operations) => this.songChanged(operations),
      refused: (error) => this.notices.error(error),
      reloaded: () => this.notices.say(T.notices.conflict),
      unstored: () => this.notices.error(new Error(T.notices.unstored)),
    });
    this.enter(piece);
  }

  private enter(piece: OpenPiece): void {
    this.playing.stop(); // a recording ends in the piece in which it was begun
    if (this.piece && this.piece !== piece) this.leftPieces.add(this.piece);
    this.piece = piece;
    remember(this.stores.session, OPEN, piece.id);
    remember(this.stores.local, OPEN, piece.id);
    this.ideas.reset();
    this.comparing.end();
    Object.assign(this.view, {
      selection: [],
      range: null,
      activeTrack: piece.song.tracks[0]?.track ?? null,
      hidden: new Set(),
      loopOn: false,
      hint: null,
      picker: null,
      options: forAnotherPiece(this.view.options),
    });
    this.playing.setMuted(new Set(), new Set());
    this.playing.setLoop(null);
    this.songChanged(null);
    this.playing.seek(0);
    this.ideas.resume(piece);
    document.title = `${piece.title} – ${T.app}`;
    this.changed();
    if (this.roll) {
      this.roll.song = piece.song; // at once: what is shown first depends on it
      this.roll.frame();
    }
  }

  /** Show another piece in place of one that is gone: the one that was changed last, or none. */
  async showAnother(): Promise<void> {
    const pieces = (this.server?.pieces ?? []).filter(({ deleted }) => !deleted);
    const newest = pieces.sort((a, b) => b.changed - a.changed)[0];
    this.playing.stop();
    await this.piece?.halt(); // it is gone: what is not sent waits for its return
    this.piece = null;
    this.ideas.reset();
    this.comparing.end();
    document.title = T.app;
    this.set({ selection: [], range: null, activeTrack: null });
    if (newest) await this.openPiece(newest.id);
    else this.set({ dialog: "library" });
  }

  edit(operations: Operation[]): void {
    if (operations.length > 0) this.piece?.edit(operations);
  }

  async undo(): Promise<void> {
    if (!this.piece?.canUndo) return this.announcer.say(T.notices.nothingToUndo);
    await this.attempt(() => this.piece?.undo() ?? Promise.resolve());
    this.announcer.say(T.notices.undone);
  }

  async redo(): Promise<void> {
    if (!this.piece?.canRedo) return this.announcer.say(T.notices.nothingToRedo);
    await this.attempt(() => this.piece?.redo() ?? Promise.resolve());
    this.announcer.say(T.notices.redone);
  }

  async goto(take: Take): Promise<void> {
    this.ideas.close();
    this.comparing.end();
    await this.attempt(() => this.piece?.goto(take.id) ?? Promise.resolve());
  }

  private songChanged(moved: readonly Operation[] | null): void {
    const song = this.song;
    if (!song) return;
    this.playing.setSong(song);
    const { activeTrack, selection } = this.view;
    if (!activeTrack || !song.track(activeTrack)) this.view.activeTrack = song.tracks[0]?.track ?? null;
    this.view.selection = selection.filter(
      ({ track, tick, pitch }) => (song.track(track)?.notes.find(tick, pitch) ?? -1) >= 0,
    );
    this.comparing.again();
    if (moved)
      this.reveal(
        moved.flatMap((operation) => (operation.type === "notes" ? [...operation.add, ...operation.remove] : [])),
      );
    this.showLayer();
    this.changed();
  }

  /** Scroll to notes, if they are out of sight. */
  private reveal(notes: readonly Note[]): void {
    const first = notes.reduce<Note | undefined>(
      (early, note) => (early && early[0] <= note[0] ? early : note),
      undefined,
    );
    const pitches = notes.map((note) => note[2]).sort((a, b) => a - b);
    if (first) this.roll?.reveal(first[0], pitches[pitches.length >> 1]);
  }

  // -- ideas

  /** Press a verb: it begins, opens its choice, or says why it cannot. */
  press(verb: StripVerb): void {
    const why = whyNot(verb, this.situation);
    if (why !== null) {
      this.set({ hint: why, picker: null, tab: "roll" });
      this.announcer.say(why);
    } else if (verb === "accompany") {
      this.set({ picker: verb, hint: null, tab: "roll" });
    } else {
      void this.begin(verb);
    }
  }

  async begin(verb: StripVerb, programs: number[] = []): Promise<void> {
    this.comparing.end();
    this.set({ picker: null, hint: null, tab: "roll" });
    const request = requestFor(verb, this.situation, programs);
    const begun = await this.once(verb, () => this.attempt(() => this.ideas.request(request)));
    if (begun && begun.length > 0) this.announcer.say(T.ideas.begun(T.verbs[verb].name, begun.length));
  }

  again(): void {
    if (this.ideas.chips.length === 0) return this.announcer.say(T.why.noIdea);
    const n = Math.max(1, Math.min(4, this.view.options.n ?? 2));
    void this.once("again", () => this.attempt(() => this.ideas.again(n)));
  }

  hear(number: number): void {
    const { length } = this.ideas.chips;
    if (number > length) return this.announcer.say(length > 0 ? T.ideas.only(length) : T.why.noIdea);
    this.ideas.hear(number);
    this.announcer.say(T.ideas.hearing(number));
  }

  /** Put an idea into the piece, as one step; one that still grows is taken when it is finished. */
  async take(idea = this.ideas.current): Promise<void> {
    const { piece } = this;
    if (!piece) return;
    if (!idea) return this.ideas.close();
    if (idea.take.state === "growing") {
      this.ideas.takeWhenDone = idea.take.id;
      this.announcer.say(T.ideas.takeWaiting);
      this.changed();
      return;
    }
    await this.attempt(() => this.once("take", () => this.accept(piece, idea)));
  }

  private async accept(piece: OpenPiece, idea: Idea): Promise<void> {
    await piece.accept(idea.take.id);
    const number = this.ideas.chips.indexOf(idea) + 1;
    if (this.piece !== piece || number === 0) return; // something else is shown by now
    // The choice is made: what still grows ends, and stays in the tree as it is.
    const others = this.ideas.growing;
    this.ideas.close();
    void this.attempt(() => Promise.all(others.map((other) => this.ideas.stop(other))));
    this.announcer.say(T.ideas.taken(number));
  }

  hearPassage(): void {
    const found = this.ideas.current?.report?.originality;
    if (!found || found.from === null || found.to === null) return this.announcer.say(T.why.noReport);
    this.playing.play(found.from, found.to);
  }

  /** Compare another take with what is on screen; `heard`: which of them is heard. */
  async compare(take: string | null, heard = true): Promise<void> {
    if (take === null) this.comparing.end();
    else await this.attempt(() => this.comparing.with(take, heard));
    // Whoever wants to hear one of the two hears no idea above it.
    if (this.view.compare && this.ideas.current) this.ideas.hear(0);
    this.showLayer();
  }

  switchCompared(): void {
    const { compare } = this.view;
    if (!compare) return this.announcer.say(T.why.noCompare);
    void this.compare(compare.take, !compare.heard);
    this.announcer.say(compare.heard ? T.takes.hereBetter : (this.piece?.takes.get(compare.take)?.title ?? ""));
  }

  private showLayer(): void {
    const idea = this.ideas.current;
    const { compare } = this.view;
    if (idea && compare) this.view.compare = { ...compare, heard: false };
    this.layer = idea?.layer ?? this.comparing.layer;
    this.playing.setIdea(this.layer);
    // The same object again when it has grown: the roll then draws only what is new.
    if (this.roll) this.roll.idea = this.layer;
    this.changed();
  }

  /** The song as it is heard now. */
  get heardSong(): SongState | null {
    return this.song && this.layer ? withIdea(this.song, this.layer) : this.song;
  }

  // -- bars, tracks

  chooseBars(range: [number, number] | null): void {
    const song = this.song;
    const clamped: View["range"] = range && [Math.max(1, range[0]), Math.max(1, range[0], range[1])];
    const looped = this.view.loopOn;
    this.set({ range: clamped, hint: null, loopOn: looped && clamped !== null });
    if (looped && song)
      this.playing.setLoop(clamped ? [song.bars.start(clamped[0]), song.bars.start(clamped[1] + 1)] : null);
    if (clamped) this.announcer.say(T.range.bars(clamped[0], clamped[1]));
  }

  /** Open ideas are heard from the bars on that they were asked for; those for all the piece, from anywhere. */
  private get audition(): Audition | null {
    const { chips, current } = this.ideas;
    const bars = (current ?? chips[0])?.take.bars;
    const song = this.song;
    if (!bars || !song || (bars[0] === 1 && bars[1] >= song.bars.count)) return null;
    return { of: chips, tick: song.bars.start(bars[0]) };
  }

  /** Play or stop; `here`: the cursor stays where it stops. */
  togglePlaying(here = false): void {
    if (!this.song) return this.announcer.say(T.why.noPiece);
    this.playing.toggle(here);
  }

  toggleLoop(): void {
    const { range, loopOn } = this.view;
    const song = this.song;
    if (loopOn || this.playing.loop) {
      this.set({ loopOn: false });
      this.playing.setLoop(null);
    } else if (song) {
      const [first, last] = range ?? [1, song.bars.count];
      this.set({ loopOn: true });
      this.playing.setLoop([song.bars.start(first), song.bars.start(last + 1)]);
    }
  }

  toggleIn(which: "muted" | "soloed" | "hidden", track: string | null): void {
    const found = track === null ? undefined : this.song?.track(track);
    if (!found) return;
    const old = which === "hidden" ? this.view.hidden : this.playing[which];
    const next = new Set(old);
    const on = !next.delete(found.track);
    if (on) next.add(found.track);
    if (which === "hidden") this.set({ hidden: next });
    else
      this.playing.setMuted(
        which === "muted" ? next : this.playing.muted,
        which === "soloed" ? next : this.playing.soloed,
      );
    const name = trackName(found);
    const say = {
      muted: [T.notices.muted, T.notices.unmuted],
      soloed: [T.notices.soloed, () => T.notices.unsoloed],
      hidden: [T.notices.hidden, T.notices.shown],
    } as const;
    this.announcer.say(say[which][on ? 0 : 1](name));
  }

  stepTrack(step: number): void {
    const tracks = this.song?.tracks ?? [];
    const at = tracks.findIndex((track) => track.track === this.view.activeTrack);
    const next = tracks[Math.max(0, Math.min(tracks.length - 1, at + step))];
    if (!next) return;
    this.set({ activeTrack: next.track });
    this.announcer.say(T.notices.track(trackName(next)));
  }

  lockSelection(): void {
    const { selection } = this.view;
    const piece = this.piece;
    if (!piece) return;
    if (selection.length === 0) return this.announcer.say(T.why.noSelection);
    const lock = selection.some(({ track, tick, pitch }) => !piece.locks.has(track, tick, pitch));
    void this.attempt(() => piece.lock(selection, lock));
    this.announcer.say((lock ? T.notices.locked : T.notices.unlocked)(selection.length));
  }
}
