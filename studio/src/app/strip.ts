/** The strip above the roll: the chosen bars, what the model can do with them, and its controls. */

import { type TemplateResult, css, html, nothing } from "lit";
import { keyOf } from "../commands";
import { T } from "../strings";
import { Part, controls, define, focusedElement, icon, option, usedPointer, valueOf } from "./element";
import { DRUMS, INSTRUMENTS, instrument, quickInstruments, trackName } from "./instruments";
import { type Options, VERBS, type StripVerb, isEmpty, whyNot } from "./requests";
import { settingsOf } from "./settings";

export class Strip extends Part {
  static override properties = { ...Part.properties, other: { state: true } };
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
      .acting {
        display: flex;
        align-items: center;
        gap: 6px;
        padding: 0 10px 6px;
        overflow-x: auto;
        scrollbar-width: none;
        white-space: nowrap;
        color: var(--ink-2);
        font-size: var(--size-small);
      }
      .acting > * {
        flex: none;
      }
      .dot {
        display: none;
        width: 8px;
        height: 8px;
        border-radius: 50%;
        background: var(--accent);
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
        .where,
        .acting {
          display: none;
        }
        .dot {
          display: inline-block;
        }
        .strip > .mark {
          position: sticky;
          right: 0;
          flex: none;
        }
        .strip > .mark:not([aria-expanded="true"]) {
          background: var(--surface);
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

  /** The instrument that is chosen in the list of all, and added by the button beside it. */
  declare private other: string;
  private picking = false;
  private returnTo: HTMLElement | null = null;

  constructor() {
    super();
    this.other = "";
  }

  /** The choice of an instrument has the keys as soon as it is there, if keys asked for it. */
  override updated(): void {
    const picking = this.studio.view.picker !== null;
    if (picking === this.picking) return;
    this.picking = picking;
    this.other = "";
    if (!picking) {
      if (focusedElement() === null || focusedElement() === document.body) this.returnTo?.focus();
      this.returnTo = null;
      return;
    }
    this.studio.announcer.say(T.strip.pick(quickInstruments(this.studio.model?.programs ?? []).map(({ label }) => label)));
    if (usedPointer()) return;
    this.returnTo = focusedElement();
    this.renderRoot.querySelector<HTMLElement>(".picker button")?.focus();
  }

  override render(): TemplateResult {
    const { studio } = this;
    const { view, song } = studio;
    const active = view.activeTrack === null ? undefined : song?.track(view.activeTrack);
    const set = settingsOf(view.options).length;
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
            ${option("all", T.strip.all, !view.options.onlyActive)}
            ${active ? option("active", trackName(active), view.options.onlyActive) : nothing}
          </select></label
        >
        <span class="spread"></span>
        <button
          class="mark"
          aria-expanded=${view.optionsOpen}
          @click=${() => studio.set({ optionsOpen: !view.optionsOpen })}
        >
          ${T.strip.controls}${set > 0 ? html`<span class="dot" role="img" aria-label=${T.settings.set(set)}></span>` : nothing}<kbd>${keyOf("options")}</kbd>
        </button>
      </div>
      ${this.acting()} ${view.hint === null ? nothing : html`<p class="hint" role="status">${view.hint}</p>`}
      ${view.picker ? this.picker() : nothing}
    </section>`;
  }

  /** What the verbs will act on, and how; only where something is set that one may have forgotten. */
  private acting(): TemplateResult | typeof nothing {
    const { studio } = this;
    const { options, range, activeTrack } = studio.view;
    const settings = settingsOf(options);
    const locked = this.locked();
    if (settings.length === 0 && locked === 0) return nothing;
    const active = options.onlyActive && activeTrack !== null ? studio.song?.track(activeTrack) : undefined;
    const put = (change: Partial<Options>): void => studio.set({ options: { ...options, ...change } });
    return html`<div class="acting" role="group" aria-label=${T.settings.label}>
      ${range ? this.removable(T.range.bars(...range).toLowerCase(), () => studio.chooseBars(null)) : html`<span>${T.settings.all}</span>`}
      ${active ? this.removable(T.settings.active(trackName(active)), () => put({ onlyActive: false })) : html`<span>${T.settings.tracks}</span>`}
      ${locked > 0 ? html`<span>${T.settings.locked(locked)}</span>` : nothing}
      ${settings.map(({ text, without }) => this.removable(text, () => put(without)))}
    </div>`;
  }

  private removable(text: string, remove: () => void): TemplateResult {
    return html`<button class="small outlined" aria-label=${T.options.remove(text)} title=${T.options.remove(text)} @click=${remove}>
      ${text}${icon("close")}
    </button>`;
  }

  /** Locked notes among those that the verbs act on. */
  private locked(): number {
    const { piece, view, song } = this.studio;
    if (!piece || !song) return 0;
    const [from, to] = view.range
      ? [song.bars.start(view.range[0]), song.bars.start(view.range[1] + 1)]
      : [0, Infinity];
    const only = view.options.onlyActive ? view.activeTrack : null;
    return piece.locks.refs.filter(
      ({ track, tick, pitch }) =>
        tick >= from && tick < to && (only === null || track === only) && (song.track(track)?.notes.find(tick, pitch) ?? -1) >= 0,
    ).length;
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
    return html`<div class="picker" role="group" aria-label=${T.strip.add} @keydown=${this.pickerKey}>
      <strong>${T.strip.add}</strong>
      ${quickInstruments(known).map(
        ({ label, program }, index) =>
          html` <button class="outlined" @click=${() => this.add(program)}>${label}<kbd>${index + 1}</kbd></button>`,
      )}
      <select
        aria-label=${T.strip.other}
        @change=${(event: Event) => {
          this.other = valueOf(event);
        }}
      >
        ${option("", T.strip.otherNone, this.other === "")}
        ${all.map((program) => option(program, instrument(program, program === DRUMS), this.other === String(program)))}
      </select>
      <button class="outlined" ?disabled=${this.other === ""} @click=${() => this.add(Number(this.other))}>
        ${T.strip.add}
      </button>
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

  /** Esc in the list, too, which has its other keys for itself. */
  private pickerKey(event: KeyboardEvent): void {
    if (event.key !== "Escape" || event.defaultPrevented) return;
    event.preventDefault();
    this.studio.set({ picker: null });
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
