/** The controls of ideas: those that matter most, and more of them folded. */

import { type TemplateResult, css, html } from "lit";
import { live } from "lit/directives/live.js";
import { T } from "../strings";
import { Part, controls, define, held, icon, option, valueOf } from "./element";
import "./models";
import { DRUMS, instrument } from "./instruments";
import { DEFAULTS, type Options as Values } from "./requests";

const LEVELS = { density: 8, register: 8, polyphony: 6 } as const;
const MOST_IDEAS = 8;

export class Options extends Part {
  static override properties = { ...Part.properties, other: { state: true } };
  static override styles = [
    controls,
    css`
      :host {
        display: block;
        background: var(--surface);
        border-bottom: 1px solid var(--line);
        padding: 4px 12px 10px;
        max-height: 45dvh;
        overflow: auto;
      }
      .grid {
        display: flex;
        flex-wrap: wrap;
        gap: 8px 14px;
        align-items: end;
      }
      label {
        display: grid;
        gap: 2px;
      }
      label > span {
        font-size: var(--size-small);
        color: var(--ink-2);
      }
      label.check {
        display: flex;
        align-items: center;
        gap: 6px;
        min-height: var(--control);
      }
      label.check > span {
        color: var(--ink);
        font-size: var(--size);
      }
      input[type="number"] {
        width: 76px;
      }
      .chords {
        width: 190px;
      }
      .model {
        display: none;
      }
      @media (max-width: 760px) {
        .model {
          display: grid;
        }
      }
      .key {
        width: 100px;
      }
      select {
        max-width: 170px;
      }
      fieldset {
        border: 0;
        padding: 0;
        margin: 0;
        display: flex;
        gap: 8px;
        align-items: center;
        min-height: var(--control);
      }
      .programs {
        display: flex;
        flex-wrap: wrap;
        gap: 4px;
        align-items: end;
      }
      .note {
        margin-top: 8px;
        color: var(--ink-2);
        font-size: var(--size-small);
      }
      details {
        margin-top: 8px;
      }
      summary {
        cursor: pointer;
        color: var(--accent);
        width: fit-content;
        border-radius: 4px;
      }
      details .grid {
        margin-top: 6px;
      }
    `,
  ];

  /** The instrument that is chosen in the list, and not yet added. */
  declare private other: string;

  constructor() {
    super();
    this.other = "";
  }

  private get values(): Values {
    return this.studio.view.options;
  }

  private put(change: Partial<Values>): void {
    this.studio.set({ options: { ...this.values, ...change } });
  }

  override render(): TemplateResult {
    const { studio } = this;
    const { model } = studio;
    const values = this.values;
    const O = T.options;
    return html`<section aria-label=${T.strip.controls}>
      <div class="grid">
        <label class="model"
          ><span>${T.strip.model}</span><toccata-model-chooser .studio=${studio}></toccata-model-chooser
        ></label>
        ${this.number("n", O.n, 1, MOST_IDEAS, 1, T.strip.usual)}
        <label
          ><span>${O.key}</span
          ><input
            class="key"
            .value=${held(values.key)}
            placeholder=${O.keyHint}
            @change=${(e: Event) => this.put({ key: valueOf(e).trim() })}
        /></label>
        ${this.number("tempo", O.tempo, 20, 400, 1, T.strip.any)} ${this.level("density", O.density)}
        ${this.instruments()}
        <label
          ><span>${O.style}</span
          ><select @change=${(e: Event) => this.put({ style: valueOf(e) })}>
            ${option("", T.strip.any, values.style === "")}
            ${(model?.styles ?? []).map((style) => option(style, style, style === values.style))}
          </select></label
        >
        <label
          ><span>${O.chords}</span
          ><input
            class="chords"
            .value=${held(values.chords)}
            placeholder=${O.chordsHint}
            @change=${(e: Event) => this.put({ chords: valueOf(e) })}
        /></label>
        ${this.number("temperature", O.temperature, 0, 10, 0.05, T.strip.any)}
        <button class="small" @click=${() => studio.set({ options: { ...DEFAULTS } })}>${O.reset}</button>
      </div>
      <details
        ?open=${studio.view.moreOptions}
        @toggle=${(e: Event) => {
          studio.view.moreOptions = (e.target as HTMLDetailsElement).open;
        }}
      >
        <summary>${T.strip.more}</summary>
        <div class="grid">
          ${this.number("bars", O.bars, 1, 64, 1, "")} ${this.level("register", O.register)}
          ${this.level("polyphony", O.polyphony)}
          <label class="check"
            ><input
              type="checkbox"
              .checked=${live(values.end)}
              @change=${(e: Event) => this.put({ end: (e.target as HTMLInputElement).checked })}
            /><span>${O.end}</span></label
          >
          <label
            ><span>${T.verbs.vary.name}: ${O.keep.toLowerCase()}</span
            ><select @change=${(e: Event) => this.put({ keep: valueOf(e) as Values["keep"] })}>
              ${Object.entries(O.keeps).map(([keep, label]) => option(keep, label, keep === values.keep))}
            </select></label
          >
          <label
            ><span>${T.verbs.vary.name}: ${O.strength.toLowerCase()} ${Math.round(values.strength * 100)} %</span>
            <input
              type="range"
              min="0.05"
              max="1"
              step="0.05"
              .value=${live(String(values.strength))}
              @input=${(e: Event) => this.put({ strength: Number(valueOf(e)) })}
          /></label>
          <fieldset>
            <legend class="unseen">${O.voices}</legend>
            <span class="muted">${T.verbs.harmonise.name}:</span>
            ${Object.entries(O.voiceNames).map(([voice, label]) => this.voice(voice, label))}
          </fieldset>
          ${this.number("seed", O.seed, 0, 2 ** 31 - 1, 1, T.strip.any)}
        </div>
        <p class="note">${O.note}</p>
      </details>
    </section>`;
  }

  private number(
    name: "n" | "tempo" | "temperature" | "seed" | "bars",
    label: string,
    min: number,
    max: number,
    step: number,
    none: string,
  ): TemplateResult {
    const value = this.values[name];
    return html`<label
      ><span>${label}</span
      ><input
        type="number"
        min=${min}
        max=${max}
        step=${step}
        placeholder=${none}
        .value=${held(value === null ? "" : String(value))}
        @change=${(event: Event) => {
          const text = valueOf(event);
          const number = Math.max(min, Math.min(max, Number(text)));
          if (name === "bars") this.put({ bars: text === "" ? DEFAULTS.bars : number });
          else this.put({ [name]: text === "" ? null : number });
        }}
    /></label>`;
  }

  private level(name: keyof typeof LEVELS, label: string): TemplateResult {
    const value = this.values[name];
    const most = this.studio.model?.controls[name] ?? LEVELS[name];
    return html`<label
      ><span>${label}</span
      ><select @change=${(event: Event) => this.put({ [name]: valueOf(event) === "" ? null : Number(valueOf(event)) })}>
        ${option("", T.strip.any, value === null)}
        ${Array.from({ length: most }, (_, index) => option(index + 1, levelName(name, index + 1, most), value === index + 1))}
      </select></label
    >`;
  }

  /** Chosen in the list, added by the button: the list alone changes with every arrow that walks through it. */
  private instruments(): TemplateResult {
    const { programs } = this.values;
    const known = [...(this.studio.model?.programs ?? [])]
      .filter((program) => !programs.includes(program))
      .sort((a, b) => a - b);
    const chosen = known.includes(Number(this.other)) ? this.other : "";
    return html`<div class="programs">
      <label
        ><span>${T.options.programs}</span>
        <select
          @change=${(event: Event) => {
            this.other = valueOf(event);
          }}
        >
          ${option("", programs.length === 0 ? T.strip.any : T.strip.otherNone, chosen === "")}
          ${known.map((program) => option(program, instrument(program, program === DRUMS), chosen === String(program)))}
        </select></label
      >
      <button
        class="outlined"
        aria-label=${T.options.addProgram}
        ?disabled=${chosen === ""}
        @click=${() => this.put({ programs: [...programs, Number(chosen)] })}
      >
        ${T.strip.add}
      </button>
      ${programs.map((program) => this.chosen(program))}
    </div>`;
  }

  private chosen(program: number): TemplateResult {
    const name = instrument(program, program === DRUMS);
    return html`<button
      class="outlined"
      aria-label=${T.options.remove(name)}
      title=${T.options.remove(name)}
      @click=${() => this.put({ programs: this.values.programs.filter((other) => other !== program) })}
    >
      ${name}${icon("close")}
    </button>`;
  }

  private voice(voice: string, label: string): TemplateResult {
    const { voices } = this.values;
    return html`<label class="check"
      ><input
        type="checkbox"
        .checked=${live(voices.includes(voice))}
        @change=${() =>
          this.put({ voices: ["alto", "tenor", "bass"].filter((name) => (name === voice) !== voices.includes(name)) })}
      /><span>${label}</span></label
    >`;
  }
}

function levelName(name: keyof typeof LEVELS, level: number, most: number): string {
  if (name !== "density") return String(level);
  return level === 1 ? `1 ${T.options.sparse}` : level === most ? `${level} ${T.options.busy}` : String(level);
}

define("toccata-options", Options);
