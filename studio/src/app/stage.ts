/** The roll with its small toolbar: tool, grid, scale, other tracks, follow, zoom. */

import { type TemplateResult, css, html, nothing } from "lit";
import { commandFor, keyOf } from "../commands";
import { IS_MAC, shownKey } from "../keys";
import type { NoteRef } from "../music/music";
import "../roll/element";
import type { RollEvents } from "../roll/roll";
import { T } from "../strings";
import { Part, controls, define, icon, option, valueOf } from "./element";
import { isEmpty } from "./requests";
import { GRIDS } from "./view";

export class Stage extends Part {
  static override styles = [
    controls,
    css`
      :host {
        display: flex;
        flex-direction: column;
        min-height: 0;
        min-width: 0;
        background: var(--surface);
      }
      .tools {
        display: flex;
        align-items: center;
        gap: 4px;
        padding: 3px 8px;
        border-bottom: 1px solid var(--line);
        color: var(--ink-2);
        overflow-x: auto;
        scrollbar-width: none;
      }
      .tools button {
        min-height: 26px;
        padding: 0 8px;
        font-size: var(--size-small);
        flex: none;
      }
      .tools select {
        min-height: 26px;
        font-size: var(--size-small);
      }
      .tools .icon-only {
        width: 28px;
        padding: 0;
      }
      toccata-roll {
        flex: 1;
        min-height: 0;
        display: block;
      }
      .empty {
        position: absolute;
        inset: auto 0 40% 0;
        text-align: center;
        pointer-events: none;
        color: var(--ink-2);
        font-size: var(--size-big);
      }
      .roll {
        position: relative;
        flex: 1;
        min-height: 0;
        display: flex;
      }
      @media (max-width: 760px) {
        .wide {
          display: none !important;
        }
      }
    `,
  ];

  override render(): TemplateResult {
    const { studio } = this;
    const { view, piece, playing } = studio;
    const song = piece?.song ?? null;
    const quarters = GRIDS[view.grid]?.[1] ?? 0;
    const ghosts =
      view.ghosts && song
        ? new Set(song.tracks.map(({ track }) => track).filter((id) => id !== view.activeTrack))
        : new Set<string>();
    return html`<div class="tools" role="toolbar" aria-label=${T.roll.tools}>
        ${this.tool("select", T.roll.select)}${this.tool("draw", T.roll.draw)}
        <label class="row"
          ><span class="wide">${T.roll.grid}</span
          ><select aria-label=${T.roll.grid} @change=${(event: Event) => studio.set({ grid: Number(valueOf(event)) })}>
            ${GRIDS.map(([name], index) => option(index, name || T.roll.off, index === view.grid))}
          </select></label
        >
        ${this.flag(T.roll.scale, "scale", view.scale, () => studio.set({ scale: !view.scale }))}
        ${this.flag(T.roll.ghosts, "ghosts", view.ghosts, () => studio.set({ ghosts: !view.ghosts }))}
        ${this.flag(T.roll.follow, "follow", playing.follow, () => {
          playing.follow = !playing.follow;
          studio.changed();
        })}
        <span class="spread"></span>
        ${this.flag(T.roll.table, "table", view.table, () => studio.set({ table: !view.table }))}
        <button
          class="icon-only"
          aria-label=${T.commands.zoomOut}
          title=${this.tip("zoomOut")}
          @click=${() => studio.roll?.zoom(0.8, 1)}
        >
          ${icon("minus")}
        </button>
        <button class="wide" title=${this.tip("fit")} @click=${() => studio.roll?.zoomToFit()}>${T.roll.fit}</button>
        <button
          class="icon-only"
          aria-label=${T.commands.zoomIn}
          title=${this.tip("zoomIn")}
          @click=${() => studio.roll?.zoom(1.25, 1)}
        >
          ${icon("plus")}
        </button>
      </div>
      <div class="roll">
        <toccata-roll
          .song=${song}
          .activeTrack=${view.activeTrack}
          .ghosts=${ghosts}
          .hiddenTracks=${view.hidden}
          .locks=${piece?.locks ?? NOTHING_LOCKED}
          .selection=${view.selection}
          .range=${view.range}
          .loop=${playing.loop}
          .tool=${view.tool}
          .grid=${song ? Math.round(quarters * song.ticksPerQuarter) : 0}
          .scaleTint=${view.scale}
          .readonly=${!piece}
          @edit=${this.on("edit", ({ operations, selection }) => this.edited(operations, selection))}
          @select=${this.on("select", ({ selection }) => studio.set({ selection }))}
          @range=${this.on("range", ({ range }) => studio.chooseBars(range))}
          @lock=${this.on("lock", ({ notes, locked }) => void studio.attempt(() => piece?.lock(notes, locked) ?? Promise.resolve()))}
          @sound=${this.on("sound", ({ track, pitch, velocity }) => this.touch(track, pitch, velocity))}
          @seek=${this.on("seek", ({ tick }) => playing.seek(tick))}
          @loop=${this.on("loop", ({ loop }) => {
            view.loopOn = false;
            playing.setLoop(loop);
          })}
          @describe=${this.on("describe", ({ text }) => studio.announcer.say(text))}
        ></toccata-roll>
        ${song && isEmpty(song) && !studio.layer ? html`<p class="empty">${T.roll.empty}</p>` : nothing}
      </div>`;
  }

  override firstUpdated(): void {
    this.studio.playing.roll = this.renderRoot.querySelector("toccata-roll");
  }

  private edited(operations: RollEvents["edit"]["operations"], selection: readonly NoteRef[]): void {
    this.studio.view.selection = selection;
    this.studio.edit(operations);
    // At once, so that the notes are drawn where they were dropped.
    if (this.studio.roll) this.studio.roll.song = this.studio.song;
  }

  private touch(track: string, pitch: number, velocity: number): void {
    const found = this.studio.song?.track(track);
    this.studio.playing.player.touch(found?.program ?? 0, found?.drum ?? false, pitch, velocity);
  }

  private on<Name extends keyof RollEvents>(
    _name: Name,
    run: (detail: RollEvents[Name]) => void,
  ): (event: CustomEvent<RollEvents[Name]>) => void {
    return (event) => run(event.detail);
  }

  private tool(tool: "select" | "draw", label: string): TemplateResult {
    return html`<button
      aria-pressed=${this.studio.view.tool === tool}
      title=${this.tip(tool)}
      @click=${() => this.studio.set({ tool })}
    >
      ${label}
    </button>`;
  }

  private flag(label: string, id: string, on: boolean, run: () => void): TemplateResult {
    return html`<button aria-pressed=${on} title=${this.tip(id)} @click=${run}>${label}</button>`;
  }

  private tip(id: string): string {
    const key = keyOf(id);
    const name = commandFor(key, "plain")?.name ?? "";
    return `${name} (${shownKey(key, IS_MAC)})`;
  }
}

const NOTHING_LOCKED = { has: () => false, list: () => [] };

define("toccata-stage", Stage);
