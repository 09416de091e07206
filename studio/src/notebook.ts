/**
 * The roll and the player alone, for notebooks and single files: `window.toccataShow(place, song, file)` fills the
 * elements with `data-toccata="place"`. Built into src/toccata/render/notebook.js.
 */

import type { Song } from "./protocol";
import type { SongState } from "./music/music";
import { SongData } from "./music/song";
import { adoptTheme, trackColour } from "./roll/theme";
import "./roll/element";
import { StudioPlayer } from "./sound/engine";
import { PLAYER } from "./strings";

interface File {
  name: string;
  /** Base64. */
  midi: string;
}

declare global {
  interface Window {
    toccataShow?: (place: string, song: Song, file: File) => void;
  }
}

const STYLE = `
:host { display: block; }
.piece { display: flex; flex-direction: column; height: 100%; min-height: 340px; color-scheme: inherit;
  font: 13px system-ui, sans-serif; background: var(--roll-panel); color: var(--roll-text);
  border: 1px solid var(--roll-panel-line); border-radius: 6px; overflow: hidden; box-sizing: border-box; }
.bar { display: flex; flex-wrap: wrap; gap: 6px; align-items: center; padding: 6px 8px;
  border-bottom: 1px solid var(--roll-panel-line); }
toccata-roll { flex: 1; min-height: 240px; }
button, a { font: inherit; color: inherit; background: none; border: 1px solid var(--roll-panel-line);
  border-radius: 4px; padding: 3px 9px; cursor: pointer; text-decoration: none; min-height: 24px; box-sizing: border-box; }
button:hover, a:hover { background: var(--roll-black-row); }
button:focus-visible, a:focus-visible { outline: 2px solid var(--roll-focus); outline-offset: 1px; }
.play { min-width: 5.5em; font-weight: 600; }
.place { min-width: 9em; font-variant-numeric: tabular-nums; color: var(--roll-text-soft); }
.track[aria-pressed="false"] { opacity: 0.45; text-decoration: line-through; }
.track::before { content: ""; display: inline-block; width: 9px; height: 9px; border-radius: 2px; margin-right: 6px;
  background: var(--colour); }
.end { flex: 1; }
`;

/** Only one of the pieces on a page plays at a time. */
let sounding: Piece | null = null;

class Piece {
  private readonly song: SongState;
  private readonly player = new StudioPlayer();
  private readonly muted = new Set<string>();
  private readonly roll = document.createElement("toccata-roll");
  private readonly play = button("play", PLAYER.play);
  private readonly place = document.createElement("span");
  private frame = 0;

  constructor(host: HTMLElement, song: Song, file: File) {
    this.song = SongData.from(song);
    this.player.setSong(this.song);
    this.player.onstate = () => this.show();
    this.play.onclick = () => this.toggle();
    this.place.className = "place";
    const bar = document.createElement("div");
    bar.className = "bar";
    const space = document.createElement("span");
    space.className = "end";
    bar.append(this.play, this.place, ...this.tracks(), space, download(file));
    this.roll.song = this.song;
    this.roll.readonly = true;
    this.roll.addEventListener("seek", (event) => this.seek((event as CustomEvent<{ tick: number }>).detail.tick));
    this.roll.addEventListener("sound", (event) => this.touch(event as CustomEvent<Touched>));
    const piece = document.createElement("div");
    piece.className = "piece";
    piece.append(bar, this.roll);
    piece.addEventListener("keydown", (event) => this.key(event));
    const root = host.shadowRoot ?? host.attachShadow({ mode: "open" });
    const sheet = new CSSStyleSheet();
    sheet.replaceSync(STYLE);
    root.adoptedStyleSheets = [sheet];
    root.replaceChildren(piece);
    this.show();
    requestAnimationFrame(() => this.roll.zoomToFit());
  }

  stop(): void {
    this.player.stop();
  }

  /** A button for each track: heard or not. */
  private tracks(): HTMLElement[] {
    return this.song.tracks.map(({ track, name }, place) => {
      const toggle = button("track", name);
      toggle.style.setProperty("--colour", trackColour(place));
      toggle.setAttribute("aria-pressed", "true");
      toggle.title = PLAYER.heardOrNot;
      toggle.onclick = () => {
        if (!this.muted.delete(track)) this.muted.add(track);
        toggle.setAttribute("aria-pressed", String(!this.muted.has(track)));
        this.player.setMuted(this.muted, new Set());
      };
      return toggle;
    });
  }

  private toggle(): void {
    if (this.player.state.playing) return this.player.stop();
    if (sounding !== this) sounding?.stop();
    sounding = this;
    this.player.play();
  }

  private seek(tick: number): void {
    this.player.seek(tick);
    this.move();
  }

  private touch({ detail }: CustomEvent<Touched>): void {
    const track = this.song.track(detail.track);
    if (track !== undefined) this.player.touch(track.program, track.drum, detail.pitch, detail.velocity);
  }

  private key(event: KeyboardEvent): void {
    const onButton = event.composedPath().some((target) => target instanceof HTMLButtonElement);
    if (event.key !== " " || onButton || event.defaultPrevented) return;
    event.preventDefault();
    event.stopPropagation();
    this.toggle();
  }

  private show(): void {
    const { playing } = this.player.state;
    this.play.textContent = playing ? PLAYER.stop : PLAYER.play;
    this.move();
    cancelAnimationFrame(this.frame);
    if (playing) this.frame = requestAnimationFrame(() => this.step());
  }

  private step(): void {
    this.move();
    if (this.player.state.playing) this.frame = requestAnimationFrame(() => this.step());
  }

  private move(): void {
    const tick = this.player.position();
    const { bar, beat } = this.song.bars.place(tick);
    this.place.textContent = `bar ${bar} of ${this.song.bars.count}, beat ${beat}`;
    this.roll.cursorAt(tick, this.player.state.playing);
  }
}

interface Touched {
  track: string;
  pitch: number;
  velocity: number;
}

function button(kind: string, text: string): HTMLButtonElement {
  const made = document.createElement("button");
  made.type = "button";
  made.className = kind;
  made.textContent = text;
  return made;
}

function download({ name, midi }: File): HTMLAnchorElement {
  const link = document.createElement("a");
  link.textContent = PLAYER.file;
  link.download = `${name}.mid`;
  link.href = `data:audio/midi;base64,${midi}`;
  return link;
}

window.toccataShow ??= (place, song, file) => {
  adoptTheme();
  for (const host of document.querySelectorAll<HTMLElement>(`[data-toccata="${CSS.escape(place)}"]`)) {
    if (host.dataset["shown"] !== undefined) continue;
    host.dataset["shown"] = "";
    new Piece(host, song, file);
  }
};
