/** Dialogs: help and palette, made of the commands; the library; a new piece; the sound. */

import { type TemplateResult, css, html, nothing } from "lit";
import { COMMANDS, type Command } from "../commands";
import { IS_MAC, shownKey } from "../keys";
import type { PieceSummary } from "../protocol";
import { T } from "../strings";
import { Part, controls, define, icon, valueOf } from "./element";
import {
  chooseFiles,
  deletePiece,
  importFile,
  newPiece,
  renamePiece,
  useBuiltInSound,
  useLibrarySound,
  useSoundFont,
  writeNew,
} from "./files";

export class Dialogs extends Part {
  static override properties = {
    ...Part.properties,
    words: { state: true },
    at: { state: true },
    renaming: { state: true },
    busy: { state: true },
  };
  static override styles = [
    controls,
    css`
      dialog {
        border: 0;
        padding: 0;
        border-radius: var(--radius-big);
        background: var(--raised);
        color: var(--ink);
        box-shadow: var(--shadow);
        width: min(640px, calc(100vw - 24px));
        max-height: min(80vh, 720px);
      }
      dialog[open] {
        display: flex;
        flex-direction: column;
      }
      dialog::backdrop {
        background: var(--shade);
      }
      .head {
        display: flex;
        align-items: center;
        padding: 10px 8px 6px 16px;
        gap: 8px;
      }
      .head h2 {
        font-size: var(--size-big);
      }
      .body {
        padding: 0 16px 16px;
        overflow: auto;
      }
      .wrap {
        flex-wrap: wrap;
      }
      .search {
        display: flex;
        align-items: center;
        gap: 8px;
        padding: 10px 12px;
        border-bottom: 1px solid var(--line);
      }
      .search input {
        flex: 1;
        border: 0;
        background: none;
        font-size: var(--size-big);
        outline-offset: 4px;
      }
      .list {
        overflow: auto;
        padding: 6px;
        margin: 0;
        list-style: none;
      }
      .list li {
        display: flex;
        align-items: center;
        gap: 8px;
        padding: 6px 10px;
        border-radius: var(--radius);
        cursor: pointer;
      }
      .list li[aria-selected="true"] {
        background: var(--accent-soft);
      }
      .groups {
        columns: 2;
        column-gap: 28px;
      }
      .groups section {
        break-inside: avoid;
        margin-bottom: 14px;
      }
      .groups h3 {
        margin-bottom: 4px;
      }
      .groups div {
        display: flex;
        gap: 8px;
        justify-content: space-between;
        padding: 2px 0;
      }
      .tips {
        margin: 0 0 14px;
        padding: 10px 10px 10px 30px;
        background: var(--accent-soft);
        border-radius: var(--radius);
      }
      .keys {
        display: flex;
        gap: 4px;
        flex: none;
        align-items: start;
      }
      form.first {
        display: flex;
        margin-top: 12px;
      }
      .pieces {
        list-style: none;
        margin: 8px 0 0;
        padding: 0;
      }
      .pieces li {
        display: flex;
        align-items: center;
        gap: 4px;
        border-top: 1px solid var(--line);
        padding: 4px 0;
      }
      .pieces .open {
        flex: 1;
        min-width: 0;
        justify-content: flex-start;
        text-align: left;
        display: block;
        padding: 4px 8px;
      }
      .pieces .title {
        display: block;
        font-weight: 600;
      }
      form {
        display: grid;
        gap: 10px;
      }
      form label {
        display: grid;
        gap: 2px;
      }
      form label > span {
        color: var(--ink-2);
        font-size: var(--size-small);
      }
      .two {
        display: grid;
        grid-template-columns: 1fr 1fr;
        gap: 10px;
      }
      @media (max-width: 560px) {
        .groups {
          columns: 1;
        }
      }
    `,
  ];

  declare private words: string;
  declare private at: number;
  declare private renaming: string | null;
  declare private busy: boolean;
  private returnTo: Element | null = null;

  constructor() {
    super();
    this.words = "";
    this.at = 0;
    this.renaming = null;
    this.busy = false;
  }

  override updated(): void {
    const dialog = this.renderRoot.querySelector("dialog");
    if (!dialog || dialog.open) return;
    this.words = "";
    this.at = 0;
    this.returnTo = document.activeElement;
    dialog.showModal();
    dialog.querySelector<HTMLElement>("[autofocus]")?.focus();
  }

  private close = (): void => {
    this.studio.set({ dialog: null });
    if (this.returnTo instanceof HTMLElement) this.returnTo.focus();
  };

  override render(): TemplateResult | typeof nothing {
    switch (this.studio.view.dialog) {
      case "help":
        return this.frame(T.help.title, this.help());
      case "palette":
        return this.palette();
      case "library":
        return this.frame(T.library.label, this.library());
      case "new":
        return this.frame(T.library.new, this.newPiece());
      case "soundfont":
        return this.frame(T.transport.sound, this.sound());
      default:
        return nothing;
    }
  }

  private frame(title: string, body: TemplateResult): TemplateResult {
    return html`<dialog
      aria-label=${title}
      @close=${this.close}
      @click=${this.outside}
      @keydown=${(event: Event) => event.stopPropagation()}
    >
      <div class="head">
        <h2>${title}</h2>
        <span class="spread"></span>
        <button class="icon-only" aria-label=${T.help.close} title=${T.help.close} @click=${this.close}>
          ${icon("close")}
        </button>
      </div>
      <div class="body" tabindex="-1">${body}</div>
    </dialog>`;
  }

  private outside(event: MouseEvent): void {
    if (event.target === event.currentTarget) this.close();
  }

  private help(): TemplateResult {
    const groups = Object.entries(T.groups).map(([group, title]) => ({
      title,
      commands: COMMANDS.filter(
        (command) => command.group === group && command.keys.length > 0 && !/^hear[2-9]$/.test(command.id),
      ),
    }));
    return html`<h3>${T.help.three}</h3>
      <ol class="tips" tabindex="0">
        ${T.help.tips.map((tip) => html`<li>${tip}</li>`)}
      </ol>
      <div class="groups">
        ${groups.map(
          ({ title, commands }) =>
            html`<section>
              <h3>${title}</h3>
              ${commands.map((command) => html`<div><span>${command.id === "hear1" ? T.help.hearAny : command.name}</span>${command.id === "hear1" ? html`<span class="keys"><kbd>1–9</kbd></span>` : keys(command)}</div>`)}
            </section>`,
        )}
      </div>`;
  }

  private found(): Command[] {
    const wanted = this.words.toLowerCase().split(/\s+/).filter(Boolean);
    return COMMANDS.filter(({ name, group }) =>
      wanted.every((word) => `${name} ${T.groups[group]}`.toLowerCase().includes(word)),
    );
  }

  private palette(): TemplateResult {
    const found = this.found();
    return html`<dialog
      aria-label=${T.commands.palette}
      @close=${this.close}
      @click=${this.outside}
      @keydown=${this.paletteKey}
    >
      <div class="search">
        ${icon("search")}<input
          autofocus
          role="combobox"
          aria-expanded="true"
          aria-controls="found"
          aria-label=${T.help.filter}
          placeholder=${T.help.filter}
          aria-activedescendant=${found[this.at] ? `found-${this.at}` : nothing}
          .value=${this.words}
          @input=${(event: Event) => {
            this.words = valueOf(event);
            this.at = 0;
          }}
        />
      </div>
      <ul class="list" id="found" role="listbox" aria-label=${T.commands.palette}>
        ${found.map(
          (command, index) =>
            html`<li
              id=${`found-${index}`}
              role="option"
              aria-selected=${index === this.at}
              @click=${() => this.run(command)}
            >
              <span class="spread">${command.name}</span
              ><span class="muted small">${T.groups[command.group]}</span>${keys(command)}
            </li>`,
        )}
        ${found.length === 0 ? html`<li class="muted">${T.help.nothing}</li>` : nothing}
      </ul>
    </dialog>`;
  }

  private paletteKey(event: KeyboardEvent): void {
    event.stopPropagation();
    const found = this.found();
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    const command = found[this.at];
    if (step !== undefined) {
      this.at = Math.max(0, Math.min(found.length - 1, this.at + step));
      void this.updateComplete.then(() =>
        this.renderRoot.querySelector("[aria-selected='true']")?.scrollIntoView({ block: "nearest" }),
      );
    } else if (event.key === "Enter" && command) {
      this.run(command);
    } else {
      return;
    }
    event.preventDefault();
  }

  private run(command: Command): void {
    this.close();
    void command.run(this.studio);
  }

  private library(): TemplateResult {
    const { studio } = this;
    const pieces = (studio.server?.pieces ?? [])
      .filter(({ deleted }) => !deleted)
      .sort((a, b) => b.changed - a.changed);
    return html`<div class="row wrap">
        <button class="primary" autofocus @click=${() => studio.set({ dialog: "new" })}>
          ${icon("plus")}${T.library.new}
        </button>
        <button class="outlined" @click=${() => void this.openFile()}>${T.library.open}</button>
        <span class="muted small">${T.library.drop}</span>
      </div>
      ${this.writing()}
      ${pieces.length === 0 ? html`<p class="muted">${T.library.none}</p>` : nothing}
      <ul class="pieces">
        ${pieces.map((piece) => this.piece(piece))}
      </ul>
      <p class="muted small">${T.library.folder(studio.server?.library ?? "")}</p>`;
  }

  /** The first step of someone without a MIDI file. */
  private writing(): TemplateResult | typeof nothing {
    const { studio } = this;
    const { model } = studio;
    if (!model?.verbs.includes("generate")) return nothing;
    return html`<form
      class="row wrap first"
      @submit=${(event: SubmitEvent) => {
        event.preventDefault();
        void writeNew(studio, String(new FormData(event.target as HTMLFormElement).get("style") ?? ""));
      }}
    >
      <span class="muted small">${T.library.writeHint}</span>
      ${
        model.styles.length === 0
          ? nothing
          : html`<select name="style" aria-label=${T.library.style}>
              <option value="">${T.library.anyStyle}</option>
              ${model.styles.map((style) => html`<option>${style}</option>`)}
            </select>`
      }
      <button class="outlined" type="submit">${icon("pencil")}${T.library.write}</button>
    </form>`;
  }

  private piece(piece: PieceSummary): TemplateResult {
    const { studio } = this;
    const open = studio.piece?.id === piece.id;
    return html`<li>
      ${
        this.renaming === piece.id
          ? html`<input
              class="open"
              autofocus
              aria-label=${T.library.rename}
              .value=${piece.title}
              @change=${(event: Event) => void renamePiece(studio, piece.id, valueOf(event))}
              @blur=${() => {
                this.renaming = null;
              }}
              @keydown=${(event: KeyboardEvent) => {
                if (event.key === "Enter") (event.target as HTMLElement).blur();
              }}
            />`
          : html`<button
              class="open"
              @click=${() =>
                void studio.attempt(async () => {
                  await studio.openPiece(piece.id);
                  this.close();
                })}
            >
              <span class="title cut">${piece.title}</span
              ><span class="muted small"
                >${T.library.bars(piece.bars)} ·
                ${new Date(piece.changed * (piece.changed < 1e11 ? 1000 : 1)).toLocaleString()}${open ? ` · ${T.library.current}` : ""}</span
              >
            </button>`
      }
      <button
        class="small icon-only"
        aria-label=${`${T.library.rename} ${piece.title}`}
        title=${T.library.rename}
        @click=${() => this.rename(piece.id)}
      >
        ${icon("pencil")}
      </button>
      <button
        class="small icon-only"
        aria-label=${`${T.library.delete} ${piece.title}`}
        title=${T.library.delete}
        @click=${() => void deletePiece(studio, piece)}
      >
        ${icon("trash")}
      </button>
    </li>`;
  }

  private rename(id: string): void {
    this.renaming = id;
    void this.updateComplete.then(() => this.renderRoot.querySelector<HTMLInputElement>("input.open")?.select());
  }

  private async openFile(): Promise<void> {
    const [file] = await chooseFiles(".mid,.midi,.kar,.rmi,audio/midi", false, false);
    if (file) await importFile(this.studio, file);
  }

  private newPiece(): TemplateResult {
    return html`<form
      @submit=${(event: SubmitEvent) => {
        event.preventDefault();
        const data = new FormData(event.target as HTMLFormElement);
        const [numerator, denominator] = String(data.get("meter")).split("/").map(Number);
        void newPiece(this.studio, String(data.get("title") ?? ""), Number(data.get("tempo")), [
          numerator ?? 4,
          denominator ?? 4,
        ]);
      }}
    >
      <label
        ><span>${T.library.title}</span><input name="title" autofocus maxlength="200" placeholder=${T.library.untitled}
      /></label>
      <div class="two">
        <label
          ><span>${T.library.tempo}</span><input name="tempo" type="number" min="20" max="400" value="100" required
        /></label>
        <label
          ><span>${T.library.meter}</span
          ><select name="meter">
            ${["4/4", "3/4", "2/4", "2/2", "6/8"].map((meter) => html`<option>${meter}</option>`)}
          </select></label
        >
      </div>
      <div><button class="primary" type="submit">${T.library.create}</button></div>
    </form>`;
  }

  private sound(): TemplateResult {
    const { studio } = this;
    const own = studio.server?.soundfont ?? null;
    const use = (load: Promise<void>): void => {
      this.busy = true;
      void load.finally(() => {
        this.busy = false;
        this.close();
      });
    };
    return html`<p class="muted">${T.transport.soundNote}</p>
      <br />
      <div class="row">
        ${own ? html`<button class="primary" autofocus ?disabled=${this.busy} @click=${() => use(useLibrarySound(studio))}>${this.busy ? T.transport.loading : T.transport.useLibrary(own.name)}</button>` : nothing}
        <button
          class="outlined"
          ?disabled=${this.busy}
          @click=${() => void chooseFiles(".sf2,.sf3", false, false).then(([file]) => file && use(useSoundFont(studio, file.name, () => file.arrayBuffer())))}
        >
          ${T.transport.fromFile}
        </button>
        <button
          class="outlined"
          @click=${() => {
            useBuiltInSound(studio);
            this.close();
          }}
        >
          ${T.transport.builtIn}
        </button>
      </div>`;
  }
}

function keys(command: Command): TemplateResult {
  return html`<span class="keys"
    >${command.keys.slice(0, 2).map((key) => html`<kbd>${shownKey(key, IS_MAC)}</kbd>`)}</span
  >`;
}

define("toccata-dialogs", Dialogs);
