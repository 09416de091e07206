/** What the library's dialogs hold: the pieces, the first steps, and the form of a new piece. */

import { type TemplateResult, css, html, nothing } from "lit";
import { composing } from "../keys";
import type { PieceSummary } from "../protocol";
import { T } from "../strings";
import { Part, controls, define, editField, fields, icon, valueOf } from "./element";
import { deletePiece, newPiece, openFiles, renamePiece, writeNew } from "./files";

/** A part that has the focus as soon as it is shown. */
class Focused extends Part {
  override firstUpdated(): void {
    this.renderRoot.querySelector<HTMLElement>("[autofocus]")?.focus();
  }
}

export class Library extends Focused {
  static override properties = { ...Part.properties, renaming: { state: true } };
  static override styles = [
    controls,
    css`
      .wrap {
        flex-wrap: wrap;
      }
      form {
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
    `,
  ];

  declare private renaming: string | null;

  constructor() {
    super();
    this.renaming = null;
  }

  override firstUpdated(): void {
    super.firstUpdated();
    // Other windows and programs may have changed it; where the server cannot be reached, the page says so anyway.
    this.studio.refresh().catch(() => undefined);
  }

  override render(): TemplateResult {
    const { studio } = this;
    const pieces = (studio.server?.pieces ?? [])
      .filter(({ deleted }) => !deleted)
      .sort((a, b) => b.changed - a.changed);
    return html`<div class="row wrap">
        <button class="primary" autofocus @click=${() => studio.set({ dialog: "new" })}>
          ${icon("plus")}${T.library.new}
        </button>
        <button class="outlined" @click=${() => void openFiles(studio)}>${T.library.open}</button>
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
      class="row wrap"
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
              aria-label=${T.library.rename}
              .value=${piece.title}
              @change=${(event: Event) => void renamePiece(studio, piece.id, valueOf(event))}
              @blur=${() => {
                this.renaming = null;
              }}
              @keydown=${(event: KeyboardEvent) => this.renameKey(event, piece)}
            />`
          : html`<button
              class="open"
              data-piece=${piece.id}
              @click=${() =>
                void studio.attempt(async () => {
                  await studio.openPiece(piece.id);
                  studio.set({ dialog: null });
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

  /** Enter renames; Escape does not, and leaves the dialog open. */
  private renameKey(event: KeyboardEvent, piece: PieceSummary): void {
    const field = event.target as HTMLInputElement;
    if (composing(event) || (event.key !== "Enter" && event.key !== "Escape")) return;
    event.preventDefault();
    if (event.key === "Escape") field.value = piece.title;
    field.blur();
    void this.updateComplete.then(() =>
      this.renderRoot.querySelector<HTMLElement>(`[data-piece="${CSS.escape(piece.id)}"]`)?.focus(),
    );
  }

  private rename(id: string): void {
    this.renaming = id;
    void this.updateComplete.then(() => editField(this.renderRoot.querySelector<HTMLInputElement>("input.open")));
  }
}

export class NewPiece extends Focused {
  static override styles = [
    controls,
    fields,
    css`
      form {
        display: grid;
        gap: 10px;
      }
    `,
  ];

  override render(): TemplateResult {
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
}

define("toccata-library", Library);
define("toccata-new-piece", NewPiece);
