/** Training: music in, the data check, a training with its curve, its samples. */

import { type TemplateResult, css, html, nothing } from "lit";
import { repeat } from "lit/directives/repeat.js";
import type { MusicCheck } from "../api";
import type { Training } from "../protocol";
import { T } from "../strings";
import "./curve";
import { Part, controls, define, fields, icon, option, valueOf } from "./element";
import { chooseFiles, droppedFiles } from "./files";

const MIDI = ".mid,.midi,.kar,.rmi";

export class Train extends Part {
  static override properties = {
    ...Part.properties,
    over: { state: true },
    chosen: { state: true },
    kind: { state: true },
  };
  static override styles = [
    controls,
    fields,
    css`
      :host {
        display: block;
        overflow: auto;
        padding: 4px 12px 16px;
      }
      .drop {
        border: 1.5px dashed var(--line-strong);
        border-radius: var(--radius-big);
        padding: 14px 10px;
        text-align: center;
        margin: 10px 0;
      }
      .drop.over {
        border-color: var(--accent);
        background: var(--accent-soft);
      }
      .row.wrapped {
        flex-wrap: wrap;
      }
      .drop .row {
        justify-content: center;
        margin-top: 8px;
        flex-wrap: wrap;
      }
      form {
        display: grid;
        gap: 8px;
      }
      .check {
        border: 1px solid var(--line);
        border-radius: var(--radius);
        padding: 8px 10px;
        font-size: var(--size-small);
      }
      .check dl {
        display: grid;
        grid-template-columns: auto 1fr;
        gap: 2px 10px;
        margin: 4px 0 0;
      }
      .check dt {
        color: var(--ink-2);
      }
      .check dd {
        margin: 0;
        overflow-wrap: anywhere;
      }
      .training {
        border-top: 1px solid var(--line);
        padding: 10px 0;
        display: grid;
        gap: 6px;
      }
      progress {
        width: 100%;
        height: 6px;
        accent-color: var(--accent);
      }
      .error {
        color: var(--bad);
      }
      .curve {
        color: var(--ink-2);
      }
      h2 {
        margin: 12px 0 4px;
      }
    `,
  ];

  declare private over: boolean;
  declare private chosen: string;
  declare private kind: "finetune" | "train";
  private loaded = false;

  constructor() {
    super();
    this.over = false;
    this.chosen = "";
    this.kind = "finetune";
  }

  override updated(): void {
    if (this.loaded) return;
    this.loaded = true;
    void this.studio.attempt(() => this.studio.trainings.loadMusic());
  }

  override render(): TemplateResult {
    const { trainings } = this.studio;
    const up = trainings.uploading;
    return html`<p class="muted small">${T.train.intro}</p>
      <div
        class="drop ${this.over ? "over" : ""}"
        data-takes-files
        @dragover=${this.dragOver}
        @dragleave=${() => {
          this.over = false;
        }}
        @drop=${this.drop}
      >
        ${
          up
            ? html`<p role="status">${T.train.uploading(up.done, up.all)}</p>
                <progress max=${up.all} value=${up.done}></progress>`
            : html`<p>${T.train.drop}</p>
                <div class="row">
                  <button class="outlined" @click=${() => void this.choose(true)}>
                    ${icon("folder")}${T.train.folder}
                  </button>
                  <button class="outlined" @click=${() => void this.choose(false)}>${T.train.files}</button>
                </div>`
        }
      </div>
      ${this.form()} ${trainings.list.length === 0 ? nothing : html`<h2>${T.train.trainings}</h2>`}
      ${repeat(
        trainings.list,
        ({ id }) => id,
        (training) => this.training(training),
      )}`;
  }

  private form(): TemplateResult {
    const { trainings, server } = this.studio;
    const { music } = trainings;
    const chosen = music.find(({ name }) => name === this.chosen) ?? music[0];
    if (!chosen) return html`<p class="muted">${T.train.noMusic}</p>`;
    const check = trainings.checks.get(chosen.name);
    return html`<form @submit=${this.start}>
      <label
        ><span>${T.train.music}</span
        ><select
          name="music"
          @change=${(event: Event) => {
            this.chosen = valueOf(event);
          }}
        >
          ${music.map(({ name, files }) => option(name, `${name} (${T.train.filesCount(files)})`, name === chosen.name))}
        </select></label
      >
      <div class="row">
        <button
          type="button"
          class="outlined"
          ?disabled=${check === "running"}
          @click=${() => void this.studio.attempt(() => trainings.check(chosen.name))}
        >
          ${check === "running" ? T.train.checking : T.train.check}
        </button>
      </div>
      ${check && check !== "running" ? checked(check) : nothing}
      <label
        ><span>${T.train.kind}</span
        ><select
          name="kind"
          @change=${(event: Event) => {
            this.kind = valueOf(event) as "finetune" | "train";
          }}
        >
          ${option("finetune", T.train.finetune, this.kind === "finetune")}
          ${option("train", T.train.train, this.kind === "train")}
        </select></label
      >
      ${
        this.kind === "finetune"
          ? html`<label
              ><span>${T.train.base}</span
              ><select name="base">
                ${(server?.models ?? []).map(({ name, title }) => html`<option value=${name} ?selected=${name === this.studio.model?.name}>${title || name}</option>`)}
              </select></label
            >`
          : nothing
      }
      <div class="two">
        <label
          ><span>${T.train.name}</span><input name="name" required maxlength="80" .value=${`${chosen.name}-model`}
        /></label>
        <label
          ><span>${T.train.minutes}</span><input name="minutes" type="number" min="0.1" step="any" value="10" required
        /></label>
      </div>
      <div><button class="primary" type="submit">${icon("train")}${T.train.start}</button></div>
    </form>`;
  }

  private training(training: Training): TemplateResult {
    const { studio } = this;
    const running = training.state === "running" || training.state === "checking";
    const steer = (act: "pause" | "resume" | "cancel"): void =>
      void studio.attempt(() => studio.api.steer(training.id, act));
    const last = training.curve.at(-1);
    return html`<section class="training" aria-label=${training.name}>
      <div class="row">
        <strong class="cut">${training.name}</strong><span class="spread"></span
        ><span class="muted small">${T.train.states[training.state]}</span>
      </div>
      ${running || training.state === "paused" || training.state === "pausing" ? html`<progress max="1" value=${training.done} aria-label=${training.name}></progress>` : nothing}
      ${training.curve.length > 1 ? html`<toccata-curve class="curve" .curve=${training.curve}></toccata-curve>` : nothing}
      <div class="row small muted">
        ${last ? html`<span class="mono">${T.train.step} ${last[0]} · ${T.train.loss} ${(last[2] ?? last[1] ?? 0).toFixed(3)}</span>` : nothing}
        <span class="spread"></span
        >${training.secondsLeft !== null && running ? (training.secondsLeft > 0 ? T.train.left(T.minutes(training.secondsLeft)) : T.train.finishing) : nothing}
      </div>
      ${training.error ? html`<p class="error">${training.error}</p>` : nothing}
      <div class="row">
        ${running ? html`<button class="small outlined" @click=${() => steer("pause")}>${T.train.pause}</button>` : nothing}
        ${training.state === "paused" || training.state === "failed" ? html`<button class="small outlined" @click=${() => steer("resume")}>${T.train.resume}</button>` : nothing}
        ${running || training.state === "paused" || training.state === "pausing" ? html`<button class="small outlined" @click=${() => steer("cancel")}>${T.train.cancel}</button>` : nothing}
      </div>
      ${
        training.samples.length === 0
          ? nothing
          : html`<div class="row wrapped" role="group" aria-label=${T.train.listen}>
              <span class="small muted">${T.train.listen}</span>
              ${named(training).map(
                ({ url, name }) =>
                  html`<button class="small outlined" @click=${() => void this.hear(training, url, name)}>${icon("ear")}${name}</button>`,
              )}
            </div>`
      }
    </section>`;
  }

  /** A sample becomes a piece, and plays. */
  private async hear(training: Training, url: string, name: string): Promise<void> {
    const { studio } = this;
    await studio.attempt(async () => {
      const midi = await studio.api.fileAt(url);
      studio.show(await studio.api.importPiece(`${training.name}, ${name.toLowerCase()}`, midi));
      studio.set({ tab: "roll" });
      studio.playing.play(0);
      await studio.refresh();
    });
  }

  private start(event: SubmitEvent): void {
    event.preventDefault();
    const data = new FormData(event.target as HTMLFormElement);
    const text = (name: string): string => String(data.get(name) ?? "").trim();
    const base = text("base");
    const training = {
      kind: this.kind,
      music: text("music"),
      name: text("name"),
      minutes: Number(text("minutes")),
      ...(this.kind === "finetune" && base ? { base } : {}),
    };
    void this.studio.attempt(() => this.studio.trainings.begin(training));
  }

  private async choose(folder: boolean): Promise<void> {
    await this.take(await chooseFiles(MIDI, true, folder));
  }

  private dragOver(event: DragEvent): void {
    event.preventDefault();
    event.stopPropagation();
    this.over = true;
  }

  private drop(event: DragEvent): void {
    event.preventDefault();
    event.stopPropagation();
    this.over = false;
    if (event.dataTransfer) void droppedFiles(event.dataTransfer).then((files) => this.take(files));
  }

  private async take(files: File[]): Promise<void> {
    if (files.length === 0) return;
    const folder = files[0]?.webkitRelativePath.split("/")[0];
    const name = folder || this.chosen || "my-music";
    await this.studio.attempt(() => this.studio.trainings.upload(name, files));
    this.chosen = name;
  }
}

/** The samples of a training, each with what its button says. */
function named(training: Training): { url: string; name: string }[] {
  let last = 0;
  return training.samples.map(({ url, step }) => {
    if (step === null) last += 1;
    return { url, name: step === null ? T.train.sample(last) : T.train.sampleAt(step) };
  });
}

/** What the check found, in words. */
function checked(check: MusicCheck): TemplateResult {
  const C = T.train.found;
  const named = (counts: Record<string, number>): string =>
    Object.entries(counts)
      .sort((a, b) => b[1] - a[1])
      .slice(0, 8)
      .map(([name, files]) => `${name} (${files})`)
      .join(", ");
  return html`<div class="check">
    <strong>${C.usable(check.accepted, check.files)}</strong>
    <dl>
      <dt>${C.music}</dt>
      <dd>${C.amount(check.notes, check.hours)}</dd>
      <dt>${C.instruments}</dt>
      <dd>${named(check.instruments)}</dd>
      <dt>${C.meters}</dt>
      <dd>${named(check.meters)}</dd>
      <dt>${C.grid}</dt>
      <dd>${Math.round(check.quantised * 100)} %</dd>
    </dl>
    ${
      check.rejected.length === 0
        ? nothing
        : html`<details>
            <summary>${C.rejected(check.rejected.length)}</summary>
            <ul>
              ${check.rejected.map(({ path, reason, message }) => html`<li>${path}: ${message ?? reason ?? ""}</li>`)}
            </ul>
          </details>`
    }
    ${
      check.duplicates.length === 0
        ? nothing
        : html`<details>
            <summary>${C.duplicates(check.duplicates.length)}</summary>
            <ul>
              ${check.duplicates.map((group) => html`<li>${group.join(", ")}</li>`)}
            </ul>
          </details>`
    }
  </div>`;
}

define("toccata-train", Train);
