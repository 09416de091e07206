/** The notes of the active track as a table that can be edited; only the rows in sight exist. */

import { type TemplateResult, css, html } from "lit";
import { noteAt } from "../music/notes";
import { pitchName } from "../music/pitch";
import type { BarLines, TrackState } from "../music/music";
import type { Note } from "../protocol";
import { T } from "../strings";
import { Part, controls, define, icon, styled, valueOf } from "./element";
import { trackName } from "./instruments";
import { type Field, changedNote, placeText, replaced } from "./notetext";

const ROW = 32;
const BEYOND = 6;

export class NoteTableView extends Part {
  static override properties = { ...Part.properties, top: { state: true } };
  static override styles = [
    controls,
    css`
      :host {
        display: flex;
        flex-direction: column;
        min-height: 0;
        background: var(--surface);
        border-top: 1px solid var(--line);
      }
      header {
        display: flex;
        align-items: center;
        padding: 4px 8px 4px 12px;
        gap: 8px;
      }
      .scroller {
        overflow: auto;
        flex: 1;
        position: relative;
      }
      .row {
        display: grid;
        grid-template-columns: 1.4fr 1fr 1fr 1fr 56px 40px;
        gap: 4px;
        padding: 0 12px;
        height: ${ROW}px;
        align-items: center;
        max-width: 640px;
      }
      .head {
        position: sticky;
        top: 0;
        background: var(--surface);
        color: var(--ink-2);
        font-size: var(--size-small);
        z-index: 1;
        border-bottom: 1px solid var(--line);
      }
      .head > span {
        position: relative;
        padding-left: 9px;
      }
      .body {
        position: relative;
        height: var(--height);
      }
      .body .row {
        position: absolute;
        left: 0;
        right: 0;
        top: var(--top);
      }
      .body .row.selected {
        background: var(--accent-soft);
      }
      input:not([type="checkbox"]) {
        width: 100%;
        min-height: 26px;
        border-color: transparent;
        background: transparent;
        font-family: var(--mono);
        font-size: var(--size-small);
      }
      input:not([type="checkbox"]):hover,
      input:focus {
        border-color: var(--line-strong);
        background: var(--raised);
      }
      input[aria-invalid="true"] {
        border-color: var(--bad) !important;
      }
    `,
  ];

  declare private top: number;

  constructor() {
    super();
    this.top = 0;
  }

  override render(): TemplateResult {
    const { studio } = this;
    const { song, view } = studio;
    const track = view.activeTrack === null ? undefined : song?.track(view.activeTrack);
    return html`<header>
        <h2>${T.table.label}${track ? `: ${trackName(track)}` : ""}</h2>
        <span class="spread"></span>
        <button
          class="small icon-only"
          aria-label=${T.table.close}
          title=${T.table.close}
          @click=${() => studio.set({ table: false })}
        >
          ${icon("close")}
        </button>
      </header>
      ${!song || !track || track.notes.count === 0 ? html`<p class="muted row">${T.table.none}</p>` : this.table(track, song.bars, song.ticksPerQuarter)}`;
  }

  private table(track: TrackState, bars: BarLines, quarter: number): TemplateResult {
    const { notes } = track;
    const height = this.renderRoot.querySelector(".scroller")?.clientHeight ?? 240;
    const first = Math.max(0, Math.floor(this.top / ROW) - BEYOND);
    const last = Math.min(notes.count, Math.ceil((this.top + height) / ROW) + BEYOND);
    const rows = Array.from({ length: Math.max(0, last - first) }, (_, index) => first + index);
    return html`<div
      class="scroller"
      role="table"
      aria-label=${T.table.label}
      aria-rowcount=${notes.count + 1}
      tabindex="0"
      @scroll=${(event: Event) => {
        this.top = (event.currentTarget as HTMLElement).scrollTop;
      }}
    >
      <div class="row head" role="row" aria-rowindex="1">
        ${[T.table.bar, T.table.length, T.table.pitch, T.table.velocity, T.table.lock, T.table.delete].map(
          (label) =>
            html`<span role="columnheader"
              ><span class=${label === T.table.delete ? "unseen" : ""}>${label}</span></span
            >`,
        )}
      </div>
      <div class="body" role="rowgroup" ${styled({ "--height": `${notes.count * ROW}px` })}>
        ${rows.map((index) => this.row(track, index, bars, quarter))}
      </div>
    </div>`;
  }

  private row(track: TrackState, index: number, bars: BarLines, quarter: number): TemplateResult {
    const { studio } = this;
    const note = noteAt(track.notes, index);
    const ref = { track: track.track, tick: note[0], pitch: note[2] };
    const locked = studio.piece?.locks.has(ref.track, ref.tick, ref.pitch) ?? false;
    const selected = studio.view.selection.some(
      ({ track: id, tick, pitch }) => id === ref.track && tick === ref.tick && pitch === ref.pitch,
    );
    const place = placeText(bars, note[0]);
    return html`<div
      class="row ${selected ? "selected" : ""}"
      role="row"
      aria-rowindex=${index + 2}
      ${styled({ "--top": `${index * ROW}px` })}
      @focusin=${() => !selected && studio.set({ selection: [ref] })}
    >
      ${this.field(track, note, "place", T.table.bar, place, locked)}
      ${this.field(track, note, "length", T.table.length, trimmed(note[1] / quarter), locked)}
      ${this.field(track, note, "pitch", T.table.pitch, pitchName(note[2]), locked)}
      ${this.field(track, note, "velocity", T.table.velocity, String(note[3]), locked)}
      <span role="cell"
        ><input
          type="checkbox"
          aria-label=${T.table.lock}
          .checked=${locked}
          @change=${() => void studio.attempt(() => studio.piece?.lock([ref], !locked) ?? Promise.resolve())}
      /></span>
      <span role="cell"
        ><button
          class="small icon-only"
          aria-label=${`${T.table.delete} ${pitchName(note[2])} ${place}`}
          title=${T.table.delete}
          ?disabled=${locked}
          @click=${() => this.put(track, note, null)}
        >
          ${icon("trash")}
        </button></span
      >
    </div>`;
  }

  private field(
    track: TrackState,
    note: Note,
    field: Field,
    label: string,
    text: string,
    locked: boolean,
  ): TemplateResult {
    return html`<span role="cell"
      ><input
        aria-label=${label}
        .value=${text}
        ?readonly=${locked}
        @change=${(event: Event) => this.change(track, note, field, event)}
    /></span>`;
  }

  private change(track: TrackState, note: Note, field: Field, event: Event): void {
    const { song } = this.studio;
    const input = event.target as HTMLInputElement;
    const changed = song ? changedNote(note, field, valueOf(event), song.bars, song.ticksPerQuarter) : null;
    input.setAttribute("aria-invalid", String(changed === null));
    if (!changed) return this.studio.announcer.say(T.table.bad(input.value));
    if (this.put(track, note, changed)) return;
    input.setAttribute("aria-invalid", "true");
    this.studio.announcer.say(T.table.lockedThere);
  }

  /** Put a note in place of another; false where a locked note does not let it be there. */
  private put(track: TrackState, old: Note, next: Note | null): boolean {
    const { piece } = this.studio;
    const operations = piece ? replaced(piece.song, piece.locks, track, old, next) : null;
    if (operations) this.studio.edit(operations);
    return operations !== null;
  }
}

function trimmed(value: number): string {
  return String(Math.round(value * 1000) / 1000);
}

define("toccata-note-table", NoteTableView);
