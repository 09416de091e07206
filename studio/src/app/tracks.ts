/** The list of tracks: colour, name, instrument, mute, solo, hide; which one is active. */

import { type TemplateResult, css, html, nothing } from "lit";
import { live } from "lit/directives/live.js";
import { repeat } from "lit/directives/repeat.js";
import { composing } from "../keys";
import type { TrackState } from "../music/music";
import { MIDDLE, USUAL_VOLUME } from "../music/song";
import { trackColour } from "../roll/theme";
import { T } from "../strings";
import { Part, controls, define, editField, icon, option, styled, valueOf } from "./element";
import { INSTRUMENTS, instrument, trackName } from "./instruments";

export class Tracks extends Part {
  static override properties = { ...Part.properties, renaming: { state: true } };
  static override styles = [
    controls,
    css`
      :host {
        display: flex;
        flex-direction: column;
        min-height: 0;
      }
      header {
        display: flex;
        align-items: center;
        padding: 8px 8px 4px 12px;
      }
      .none {
        padding: 4px 12px;
      }
      ul {
        list-style: none;
        margin: 0;
        padding: 0 6px 8px;
        overflow: auto;
        flex: 1;
      }
      li {
        position: relative;
        display: grid;
        grid-template-columns: 4px 1fr auto;
        gap: 8px;
        align-items: center;
        padding: 5px 4px 5px 0;
        border-radius: var(--radius);
      }
      li.active {
        background: var(--accent-soft);
      }
      li.silent .text {
        opacity: 0.62;
      }
      .colour {
        width: 4px;
        align-self: stretch;
        border-radius: 2px;
        background: var(--colour);
      }
      .text {
        display: block;
        text-align: left;
        min-height: 34px;
        padding: 0;
        min-width: 0;
        background: none;
      }
      .text:hover {
        background: none;
      }
      .name {
        display: -webkit-box;
        -webkit-box-orient: vertical;
        -webkit-line-clamp: 2;
        overflow: hidden;
        overflow-wrap: anywhere;
        white-space: normal;
        font-weight: 600;
        line-height: 1.25;
      }
      .instrument {
        display: block;
        color: var(--ink-2);
        font-size: var(--size-small);
      }
      .marks {
        display: flex;
        gap: 1px;
      }
      .mark {
        width: 22px;
        min-height: 24px;
        padding: 0;
        font: 700 11px / 1 var(--font);
        color: var(--ink-2);
        border-radius: 4px;
      }
      .mark[aria-pressed="true"].mute {
        background: var(--bad-soft);
        color: var(--bad);
      }
      .mark[aria-pressed="true"].solo {
        background: var(--accent);
        color: var(--accent-ink);
      }
      input,
      select {
        width: 100%;
        min-height: 26px;
        margin: 1px 0;
      }
      .mix {
        grid-column: 2 / -1;
        display: grid;
        grid-template-columns: auto 1fr;
        gap: 0 8px;
        align-items: center;
        color: var(--ink-2);
        font-size: var(--size-small);
      }
      @media (pointer: coarse) {
        .mark {
          width: 34px;
          min-height: 34px;
        }
      }
    `,
  ];

  declare private renaming: string | null;

  constructor() {
    super();
    this.renaming = null;
  }

  override render(): TemplateResult {
    const { studio } = this;
    const tracks = studio.song?.tracks ?? [];
    return html` <header>
        <h2>${T.tracks.label}</h2>
        <span class="spread"></span>
        <button class="small" @click=${() => studio.press("accompany")} title=${T.commands.accompany}>
          ${icon("plus")}${T.tracks.add}
        </button>
      </header>
      ${tracks.length === 0 ? html`<p class="muted none">${T.tracks.none}</p>` : ""}
      <ul aria-label=${T.tracks.label}>
        ${repeat(
          tracks,
          (track) => track.track,
          (track, place) => this.row(track, place),
        )}
      </ul>`;
  }

  private row(track: TrackState, place: number): TemplateResult {
    const { studio } = this;
    const { view, playing } = studio;
    const id = track.track;
    const name = trackName(track);
    const muted = playing.muted.has(id);
    const soloed = playing.soloed.has(id);
    const hidden = view.hidden.has(id);
    const silent = muted || (playing.soloed.size > 0 && !soloed) || hidden;
    const active = id === view.activeTrack;
    return html`<li class="${active ? "active" : ""} ${silent ? "silent" : ""}">
      <span class="colour" ${styled({ "--colour": trackColour(place) })}></span>
      ${
        this.renaming === id
          ? this.fields(track)
          : html` <button
              class="text"
              data-track=${id}
              aria-current=${active}
              title=${`${T.tracks.notes(track.notes.count)} – ${T.tracks.rename}: F2`}
              @click=${() => studio.set({ activeTrack: id })}
              @dblclick=${() => this.rename(id)}
              @keydown=${(event: KeyboardEvent) => event.key === "F2" && this.rename(id)}
            >
              <span class="name" title=${name}>${name}</span>
              <span class="instrument cut">${place + 1} · ${instrument(track.program, track.drum)}</span>
            </button>`
      }
      <span class="marks">
        ${this.mark("M", "mute", T.tracks.mute, name, muted, () => studio.toggleIn("muted", id))}
        ${this.mark("S", "solo", T.tracks.solo, name, soloed, () => studio.toggleIn("soloed", id))}
        <button
          class="mark"
          aria-pressed=${hidden}
          aria-label=${`${hidden ? T.tracks.show : T.tracks.hide} ${name}`}
          title=${hidden ? T.tracks.show : T.tracks.hide}
          @click=${() => studio.toggleIn("hidden", id)}
        >
          ${icon(hidden ? "eyeOff" : "eye")}
        </button>
      </span>
      ${active ? this.mix(track, name) : nothing}
    </li>`;
  }

  /** How loud the track is, and where it sits: one step of undo each time a slider is let go. */
  private mix(track: TrackState, name: string): TemplateResult {
    const slider = (what: "volume" | "pan", label: string, usual: number): TemplateResult =>
      html`<label for=${what}>${label}</label
        ><input
          id=${what}
          type="range"
          min="0"
          max="127"
          aria-label=${`${label}, ${name}`}
          title=${T.tracks.usual}
          .value=${live(String(track[what] ?? usual))}
          @change=${(event: Event) => this.set(track, { [what]: Number(valueOf(event)) })}
          @dblclick=${() => this.set(track, { [what]: usual })}
        />`;
    return html`<div class="mix">
      ${slider("volume", T.tracks.volume, USUAL_VOLUME)} ${slider("pan", T.tracks.pan, MIDDLE)}
    </div>`;
  }

  private set(track: TrackState, mix: { volume?: number; pan?: number }): void {
    this.studio.edit([{ type: "mix", track: track.track, ...mix }]);
  }

  private fields(track: TrackState): TemplateResult {
    return html`<div @focusout=${this.leave} @keydown=${(event: KeyboardEvent) => this.fieldKey(event, track)}>
      <input
        class="field"
        aria-label=${T.tracks.rename}
        .value=${trackName(track)}
        @change=${(event: Event) => this.studio.edit([{ type: "rename", track: track.track, name: valueOf(event) }])}
      />
      ${
        track.drum
          ? ""
          : html`<select
              aria-label=${T.tracks.program}
              @change=${(event: Event) => this.studio.edit([{ type: "program", track: track.track, program: Number(valueOf(event)) }])}
            >
              ${INSTRUMENTS.map((label, program) => option(program, label, program === track.program))}
            </select>`
      }
    </div>`;
  }

  private mark(
    letter: string,
    kind: string,
    label: string,
    name: string,
    on: boolean,
    run: () => void,
  ): TemplateResult {
    return html`<button
      class="mark ${kind}"
      aria-pressed=${on}
      aria-label=${`${label} ${name}`}
      title=${label}
      @click=${run}
    >
      ${letter}
    </button>`;
  }

  private rename(id: string): void {
    this.renaming = id;
    void this.updateComplete.then(() => editField(this.renderRoot.querySelector<HTMLInputElement>(".field")));
  }

  private leave(event: FocusEvent): void {
    const box = event.currentTarget as HTMLElement;
    if (!(event.relatedTarget instanceof Node && box.contains(event.relatedTarget))) this.renaming = null;
  }

  private fieldKey(event: KeyboardEvent, track: TrackState): void {
    event.stopPropagation();
    const field = event.target as HTMLInputElement | HTMLSelectElement;
    if (composing(event) || (event.key !== "Enter" && event.key !== "Escape")) return;
    if (event.key === "Escape" && field instanceof HTMLInputElement) field.value = trackName(track);
    field.blur();
    this.renaming = null;
    // Whoever came by the keyboard goes on from the track.
    void this.updateComplete.then(() => this.renderRoot.querySelector<HTMLElement>(`[data-track="${CSS.escape(track.track)}"]`)?.focus());
  }
}

define("toccata-tracks", Tracks);
