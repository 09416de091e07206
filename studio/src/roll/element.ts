/** `<toccata-roll>`: the properties, methods and events of roll.ts over a stage, gestures, keys and commands. */

import { noteAt } from "../music/notes";
import type { IdeaLayer, Locks, NoteRef, SongState } from "../music/music";
import { NoteSet } from "../music/sets";
import { Commands } from "./commands";
import { existing, Host } from "./host";
import { Keyboard } from "./keyboard";
import { MARKUP } from "./layout";
import { Pointers } from "./pointers";
import type { RollCommand, RollMethods, RollModel, RollProperties, Tool } from "./roll";
import type { FrameRecord } from "./stage";
import { Dirty, Stage } from "./stage";
import type { RollState } from "./state";
import { emptyState, layers } from "./state";
import { noteBox, xOf, zoomed } from "./view";

/** What the choice of light or dark depends on. */
const THEME_QUERIES = ["(prefers-color-scheme: dark)", "(forced-colors: active)"];
const THEME_ATTRIBUTES = ["class", "style", "data-theme"];

export class ToccataRoll extends HTMLElement implements RollProperties, RollMethods {
  private readonly state: RollState = emptyState();
  private readonly stage: Stage;
  private readonly host: Host;
  private readonly commands: Commands;
  private readonly pointers: Pointers;
  private readonly wrapper: HTMLElement;
  private watcher: MutationObserver | null = null;
  private readonly media = THEME_QUERIES.map((query) => matchMedia(query));
  private readonly recolour = (): void => this.stage.recolour();

  constructor() {
    super();
    const root = this.attachShadow({ mode: "open" });
    root.innerHTML = MARKUP;
    this.wrapper = root.querySelector(".roll") as HTMLElement;
    this.stage = new Stage(root, this.state);
    this.host = new Host(this.state, this.stage, this);
    this.commands = new Commands(this.host, root.querySelector("#note") as HTMLElement);
    this.pointers = new Pointers(this.host, this.wrapper);
    new Keyboard(this.host, this.commands, this.pointers, this.wrapper);
  }

  connectedCallback(): void {
    this.stage.connect();
    for (const query of this.media) query.addEventListener("change", this.recolour);
    this.watcher = new MutationObserver(this.recolour);
    for (const element of [document.documentElement, document.body, this]) {
      this.watcher.observe(element, { attributes: true, attributeFilter: THEME_ATTRIBUTES });
    }
  }

  disconnectedCallback(): void {
    this.stage.disconnect();
    for (const query of this.media) query.removeEventListener("change", this.recolour);
    this.watcher?.disconnect();
  }

  override focus(options?: FocusOptions): void {
    this.wrapper.focus(options);
  }

  get song(): SongState | null {
    return this.state.song;
  }
  set song(song: SongState | null) {
    if (song === this.state.song) return;
    this.state.song = song;
    this.stage.showSong(!this.host.committing);
    this.host.forget();
  }

  get activeTrack(): string | null {
    return this.state.activeTrack;
  }
  set activeTrack(track: string | null) {
    if (track === this.state.activeTrack) return;
    this.state.activeTrack = track;
    this.stage.showTracks();
  }

  get ghosts(): ReadonlySet<string> {
    return this.state.ghosts;
  }
  set ghosts(tracks: ReadonlySet<string>) {
    if (sameSet(tracks, this.state.ghosts)) return;
    this.state.ghosts = new Set(tracks);
    this.stage.showTracks();
  }

  get hiddenTracks(): ReadonlySet<string> {
    return this.state.hidden;
  }
  set hiddenTracks(tracks: ReadonlySet<string>) {
    if (sameSet(tracks, this.state.hidden)) return;
    this.state.hidden = new Set(tracks);
    this.stage.showTracks();
  }

  get idea(): IdeaLayer | null {
    return this.state.idea;
  }
  set idea(idea: IdeaLayer | null) {
    const same = idea !== null && idea === this.state.idea;
    this.state.idea = idea;
    if (same) this.stage.grown();
    else this.stage.invalidate(Dirty.overlay);
  }

  get locks(): Locks {
    return this.state.locks;
  }
  set locks(locks: Locks) {
    if (locks === this.state.locks) return;
    this.state.locks = locks;
    this.stage.tiles.allStale();
    this.stage.invalidate(Dirty.notes);
  }

  get selection(): readonly NoteRef[] {
    return this.state.selection.refs;
  }
  set selection(refs: readonly NoteRef[]) {
    this.host.showSelection(new NoteSet(refs));
  }

  get range(): [number, number] | null {
    return this.state.range;
  }
  set range(range: [number, number] | null) {
    this.state.range = range;
    this.stage.invalidate(Dirty.ruler | Dirty.overlay);
  }

  get loop(): [number, number] | null {
    return this.state.loop;
  }
  set loop(loop: [number, number] | null) {
    this.state.loop = loop;
    this.stage.invalidate(Dirty.ruler | Dirty.overlay);
  }

  get tool(): Tool {
    return this.state.tool;
  }
  set tool(tool: Tool) {
    this.state.tool = tool;
  }

  get grid(): number {
    return this.state.grid;
  }
  set grid(ticks: number) {
    if (ticks === this.state.grid) return;
    this.state.grid = Math.max(0, ticks);
    this.stage.invalidate(Dirty.grid);
  }

  get scaleTint(): boolean {
    return this.state.scaleTint;
  }
  set scaleTint(on: boolean) {
    if (on === this.state.scaleTint) return;
    this.state.scaleTint = on;
    this.stage.invalidate(Dirty.grid);
  }

  get readonly(): boolean {
    return this.state.readonly;
  }
  set readonly(on: boolean) {
    this.state.readonly = on;
  }

  get busy(): boolean {
    return this.pointers.busy;
  }

  cursorAt(tick: number, follow: boolean): void {
    this.state.cursor = tick;
    if (follow) this.stage.follow(tick);
    this.stage.moveCursor();
  }

  reveal(tick: number, pitch?: number): void {
    this.stage.reveal(tick, pitch);
  }

  zoom(x: number, y: number): void {
    const { view } = this.stage;
    this.stage.setView(zoomed(view, x, y, view.width / 2, view.height / 2));
  }

  frame(): void {
    this.stage.frame();
  }

  zoomToFit(): void {
    this.stage.fit();
  }

  command(name: RollCommand): void {
    this.commands.run(name);
  }

  toClient({ track, tick, pitch }: NoteRef): { x: number; y: number; width: number; height: number } | null {
    const shown = layers(this.state).find((layer) => layer.track.track === track);
    const index = shown?.track.notes.find(tick, pitch) ?? -1;
    if (!shown || index < 0) return null;
    const { view, port } = this.stage;
    const [x, y, width, height] = noteBox(view, tick, noteAt(shown.track.notes, index)[1], pitch);
    const box = port.getBoundingClientRect();
    const { ratio } = view;
    return { x: box.left + x / ratio, y: box.top + y / ratio, width: width / ratio, height: height / ratio };
  }

  toClientTick(tick: number): number {
    const { view, port } = this.stage;
    return port.getBoundingClientRect().left + xOf(view, tick) / view.ratio;
  }

  model(): RollModel {
    const { song, selection, range } = this.state;
    const present = song ? existing(song, selection.refs) : [];
    return { song, selection: present, range, drawnNotes: this.stage.tiles.drawnNotes(this.stage.view) };
  }

  idle(): Promise<void> {
    return this.stage.idle();
  }

  /** For measurements: how long the last frames took, and how many tiles were drawn. */
  get frames(): FrameRecord & { tiles: number } {
    return { ...this.stage.record, tiles: this.stage.tiles.painted };
  }
}

function sameSet(a: ReadonlySet<string>, b: ReadonlySet<string>): boolean {
  return a.size === b.size && [...a].every((value) => b.has(value));
}

if (!customElements.get("toccata-roll")) customElements.define("toccata-roll", ToccataRoll);

declare global {
  interface HTMLElementTagNameMap {
    "toccata-roll": ToccataRoll;
  }
}
