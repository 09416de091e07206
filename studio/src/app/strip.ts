/** The strip above the roll: the chosen bars, what the model can do with them, and its controls. */

import { type TemplateResult, css, html, nothing } from "lit";
import { keyOf } from "../commands";
import { T } from "../strings";
import { Part, controls, define, icon, valueOf } from "./element";
import { DRUMS, INSTRUMENTS, instrument, quickInstruments, trackName } from "./instruments";
import { VERBS, type StripVerb, isEmpty, whyNot } from "./requests";

export class Strip extends Part {
  static override styles = [
    controls,
    css`
      :host {
        display: block;
        background: var(--surface);
        border-bottom: 1px solid var(--line);
      }
      .strip {
        display: flex;
        align-items: center;
        gap: 6px;
        padding: 6px 10px;
        min-height: 46px;
        overflow-x: auto;
        scrollbar-width: none;
      }
      .range {
        display: flex;
        align-items: center;
        min-width: 216px;
        font-weight: 600;
        flex: none;
      }
      .range.none {
        color: var(--ink-2);
        font-weight: 400;
      }
      .verbs {
        display: flex;
        gap: 6px;
      }
      .verbs button {
        flex: none;
      }
      .verbs button:not(.unable) kbd {
        color: var(--accent);
        border-color: var(--accent-soft);
        background: var(--accent-soft);
      }
      .hint {
        color: var(--bad);
        padding: 0 10px 8px;
      }
      .picker {
        display: flex;
        align-items: center;
        gap: 6px;
        padding: 0 10px 8px;
        flex-wrap: wrap;
      }
      select.scope {
        max-width: 150px;
      }
      @media (max-width: 760px) {
        .range {
          min-width: 0;
        }
        .range .how {
          display: none;
        }
        .verbs button {
          padding: 0 8px;
        }
        .where {
          display: none;
        }
      }
      @media (pointer: coarse) {
        .verbs kbd,
        .picker kbd {
          display: none;
        }
      }
    `,
  ];

  override render(): TemplateResult {
    const { studio } = this;
    const { view, song } = studio;
    const active = view.activeTrack === null ? undefined : song?.track(view.activeTrack);
    return html`<section aria-label=${T.strip.label}>
      <div class="strip">
        ${this.range()}
        <div class="verbs">${VERBS.map((verb) => this.verb(verb))}</div>
        <label class="row where"
          ><span class="muted">${T.strip.where}</span>
          <select
            class="scope"
            @change=${(event: Event) =>
              studio.set({ options: { ...view.options, onlyActive: valueOf(event) === "active" } })}
          >
            <option value="all" ?selected=${!view.options.onlyActive}>${T.strip.all}</option>
            ${active ? html`<option value="active" ?selected=${view.options.onlyActive}>${trackName(active)}</option>` : nothing}
          </select></label
        >
        <span class="spread"></span>
        <button
          class="mark"
          aria-expanded=${view.optionsOpen}
          @click=${() => studio.set({ optionsOpen: !view.optionsOpen })}
        >
          ${T.strip.controls}<kbd>${keyOf("options")}</kbd>
        </button>
      </div>
      ${view.hint === null ? nothing : html`<p class="hint" role="status">${view.hint}</p>`}
      ${view.picker ? this.picker() : nothing}
    </section>`;
  }

  private range(): TemplateResult {
    const { range } = this.studio.view;
    if (!range)
      return html`<span class="range none"
        ><span>${T.range.none}<span class="how">: ${T.range.how}</span></span></span
      >`;
    return html`<span class="range"
      >${T.range.bars(range[0], range[1])}
      <button
        class="small icon-only"
        aria-label=${T.range.clear}
        title=${T.range.clear}
        @click=${() => this.studio.chooseBars(null)}
      >
        ${icon("close")}
      </button></span
    >`;
  }

  private verb(verb: StripVerb): TemplateResult {
    const { studio } = this;
    const why = whyNot(verb, studio.situation);
    const fresh = verb === "continue" && studio.song && isEmpty(studio.song);
    const { name, hint } = T.verbs[fresh ? "generate" : verb];
    return html`<button
      class="outlined ${why === null ? "" : "unable"}"
      title=${why ?? hint}
      aria-expanded=${verb === "accompany" ? studio.view.picker === verb : nothing}
      @click=${() => studio.press(verb)}
    >
      ${name}<kbd>${keyOf(verb)}</kbd>
    </button>`;
  }

  private picker(): TemplateResult {
    const { studio } = this;
    const known = studio.model?.programs ?? [];
    const all = (known.length > 0 ? [...known] : [...INSTRUMENTS.keys()]).sort((a, b) => a - b);
    return html`<div class="picker" role="group" aria-label=${T.strip.add}>
      <strong>${T.strip.add}</strong>
      ${quickInstruments(known).map(
        ({ label, program }, index) =>
          html` <button class="outlined" @click=${() => this.add(program)}>${label}<kbd>${index + 1}</kbd></button>`,
      )}
      <select aria-label=${T.strip.other} @change=${(event: Event) => this.add(Number(valueOf(event)))}>
        <option value="" selected disabled>${T.strip.other}</option>
        ${all.map((program) => html`<option value=${program}>${instrument(program, program === DRUMS)}</option>`)}
      </select>
      <button
        class="small icon-only"
        aria-label=${T.strip.cancel}
        title=${T.strip.cancel}
        @click=${() => studio.set({ picker: null })}
      >
        ${icon("close")}
      </button>
    </div>`;
  }

  private add(program: number): void {
    void this.studio.begin("accompany", [program]);
  }
}

/** Choose the instrument at a place of the picker, from 1. */
export function pickInstrument(strip: Strip["studio"], place: number): boolean {
  const found = quickInstruments(strip.model?.programs ?? [])[place - 1];
  if (found) void strip.begin("accompany", [found.program]);
  return found !== undefined;
}

define("toccata-strip", Strip);
