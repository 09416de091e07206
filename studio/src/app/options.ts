/** The controls of ideas: those that matter most, and more of them folded. */

import { type TemplateResult, css, html, nothing } from "lit";
import { T } from "../strings";
import { Part, controls, define, valueOf } from "./element";
import "./models";
import { DRUMS, instrument } from "./instruments";
import { DEFAULTS, type Options as Values } from "./requests";

const LEVELS = { density: 8, register: 8, polyphony: 6 } as const;
const MOST_IDEAS = 8;

export class Options extends Part {
  static override styles = [
    controls,
    css`
      :host {
        display: block;
        background: var(--surface);
        border-bottom: 1px solid var(--line);
        padding: 4px 12px 10px;
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
            .value=${values.key}
            placeholder=${O.keyHint}
            @change=${(e: Event) => this.put({ key: valueOf(e).trim() })}
        /></label>
        ${this.number("tempo", O.tempo, 20, 400, 1, T.strip.any)} ${this.level("density", O.density)}
        <label><span>${O.programs}</span>${this.instruments()}</label>
        <label
          ><span>${O.style}</span
          ><select @change=${(e: Event) => this.put({ style: valueOf(e) })}>
            <option value="">${T.strip.any}</option>
            ${(model?.styles ?? []).map((style) => html`<option ?selected=${style === values.style}>${style}</option>`)}
          </select></label
        >
        <label
          ><span>${O.chords}</span
          ><input
            class="chords"
            .value=${values.chords}
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
              .checked=${values.end}
              @change=${(e: Event) => this.put({ end: (e.target as HTMLInputElement).checked })}
            /><span>${O.end}</span></label
          >
          <label
            ><span>${T.verbs.vary.name}: ${O.keep.toLowerCase()}</span
            ><select @change=${(e: Event) => this.put({ keep: valueOf(e) as Values["keep"] })}>
              ${Object.entries(O.keeps).map(([keep, label]) => html`<option value=${keep} ?selected=${keep === values.keep}>${label}</option>`)}
            </select></label
          >
          <label
            ><span>${T.verbs.vary.name}: ${O.strength.toLowerCase()} ${Math.round(values.strength * 100)} %</span>
            <input
              type="range"
              min="0.05"
              max="1"
              step="0.05"
              .value=${String(values.strength)}
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
        .value=${value === null ? "" : String(value)}
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
        <option value="" ?selected=${value === null}>${T.strip.any}</option>
        ${Array.from({ length: most }, (_, index) => html`<option value=${index + 1} ?selected=${value === index + 1}>${levelName(name, index + 1, most)}</option>`)}
      </select></label
    >`;
  }

  private instruments(): TemplateResult {
    const { programs } = this.values;
    const known = [...(this.studio.model?.programs ?? [])].sort((a, b) => a - b);
    const label =
      programs.length === 0
        ? T.strip.any
        : programs.map((program) => instrument(program, program === DRUMS)).join(", ");
    return html`<select
      @change=${(event: Event) => {
        const value = valueOf(event);
        const program = Number(value);
        if (value === "none") this.put({ programs: [] });
        else if (value !== "")
          this.put({
            programs: programs.includes(program)
              ? programs.filter((other) => other !== program)
              : [...programs, program],
          });
        (event.target as HTMLSelectElement).value = "";
      }}
    >
      <option value="" selected>${label}</option>
      ${programs.length > 0 ? html`<option value="none">${T.strip.any}</option>` : nothing}
      ${known.map((program) => html`<option value=${program}>${programs.includes(program) ? "✓ " : ""}${instrument(program, program === DRUMS)}</option>`)}
    </select>`;
  }

  private voice(voice: string, label: string): TemplateResult {
    const { voices } = this.values;
    return html`<label class="check"
      ><input
        type="checkbox"
        .checked=${voices.includes(voice)}
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
