/** The tree of takes: where each comes from, stars, names, deleting, comparing by ear; and the notes that are locked. */

import { type TemplateResult, css, html, nothing } from "lit";
import { repeat } from "lit/directives/repeat.js";
import { composing } from "../keys";
import { pitchName } from "../music/pitch";
import type { Take } from "../protocol";
import { T } from "../strings";
import { Part, controls, define, editField, icon, styled, valueOf } from "./element";
import { changeTake, deleteTake, downloadTake } from "./files";
import { trackName } from "./instruments";
import { type TreeRow, treeRows } from "./tree";

const INDENT = 14;
const MOST_INDENT = 6;

export class Takes extends Part {
  static override properties = { ...Part.properties, renaming: { state: true }, focused: { state: true } };
  static override styles = [
    controls,
    css`
      :host {
        display: flex;
        flex-direction: column;
        min-height: 0;
      }
      .intro {
        padding: 2px 12px 6px;
        display: flex;
        gap: 8px;
        align-items: center;
        justify-content: space-between;
      }
      .tree {
        padding: 0 6px;
        flex: 1;
        min-height: 60px;
        overflow: auto;
      }
      .take {
        display: flex;
        align-items: center;
        gap: 2px;
        padding: 2px 2px 2px calc(6px + var(--indent));
        border-radius: var(--radius);
        min-height: 34px;
      }
      .take.head {
        background: var(--accent-soft);
      }
      .take.compared {
        background: var(--idea-soft);
      }
      .take .acts {
        display: none;
        flex: none;
      }
      .take:hover .acts,
      .take:focus-within .acts,
      .take.head .acts {
        display: flex;
      }
      .what {
        flex: 1;
        min-width: 0;
        text-align: left;
        display: block;
        padding: 2px 4px;
        min-height: 30px;
      }
      .what:hover {
        background: none;
      }
      .title {
        display: block;
      }
      .head .title {
        font-weight: 600;
      }
      .sub {
        display: block;
        color: var(--ink-2);
        font-size: var(--size-small);
      }
      .failed .sub {
        color: var(--bad);
      }
      .starred {
        color: var(--accent);
      }
      .compare,
      .locks {
        padding: 8px 12px;
        border-top: 1px solid var(--line);
      }
      .compare .row {
        flex-wrap: wrap;
        margin-top: 6px;
      }
      .locks ul {
        list-style: none;
        margin: 4px 0 0;
        padding: 0;
        max-height: 180px;
        overflow: auto;
      }
      .locks li {
        display: flex;
        align-items: center;
        gap: 6px;
      }
      .locks header {
        display: flex;
        align-items: center;
        justify-content: space-between;
      }
      .rename {
        width: 100%;
        min-height: 28px;
      }
      @media (hover: none) {
        .take .acts {
          display: flex;
        }
      }
    `,
  ];

  declare private renaming: string | null;
  declare private focused: string | null;
  /** The place of the take that has the focus; -1: none has. */
  private at = -1;

  constructor() {
    super();
    this.renaming = null;
    this.focused = null;
  }

  override willUpdate(): void {
    super.willUpdate();
    this.at = this.items().findIndex((item) => item.matches(":focus-within"));
  }

  /** Where the take, or the field, that had the focus is gone, its place in the tree has it. */
  override updated(): void {
    const items = this.items();
    if (this.at < 0 || this.renaming || items.some((item) => item.matches(":focus-within"))) return;
    const renamed = items.find((item) => item.dataset["take"] === this.focused);
    (renamed ?? items[Math.min(this.at, items.length - 1)])?.querySelector<HTMLElement>(".what")?.focus();
  }

  private items(): HTMLElement[] {
    return [...this.renderRoot.querySelectorAll<HTMLElement>(".take")];
  }

  override render(): TemplateResult {
    const { studio } = this;
    const { piece, view } = studio;
    const takes = [...(piece?.takes.values() ?? [])];
    const rows = treeRows(takes, piece?.take ?? null, view.starredOnly);
    // One of them can be reached by Tab: the last that had the focus, if it is still there.
    const head = piece?.take ?? null;
    const tabbed = [this.focused, head].find((id) => rows.some(({ take }) => take.id === id)) ?? rows[0]?.take.id;
    const compared = view.compare ? piece?.takes.get(view.compare.take) : undefined;
    return html` <div class="intro">
        <p class="muted small">${T.takes.help}</p>
        <button
          class="small icon-only"
          aria-pressed=${view.starredOnly}
          aria-label=${T.takes.starred}
          title=${T.takes.starred}
          @click=${() => studio.set({ starredOnly: !view.starredOnly })}
        >
          ${icon("star")}
        </button>
      </div>
      <div class="tree" role="tree" aria-label=${T.takes.label} @keydown=${this.treeKey}>
        ${repeat(
          rows,
          ({ take }) => take.id,
          (row) => this.row(row, row.take.id === tabbed),
        )}
      </div>
      ${compared && view.compare ? this.comparison(compared, view.compare.heard) : nothing} ${this.locked()}`;
  }

  private row({ take, depth }: TreeRow, tabbed: boolean): TemplateResult {
    const { studio } = this;
    const head = take.id === studio.piece?.take;
    const comparing = studio.view.compare?.take === take.id;
    const title = titleOf(take);
    const sub = [
      T.takes.kinds[take.kind],
      (take.kind === "idea" && take.state !== "growing") || take.kind === "recording" ? T.tracks.notes(take.notes) : "",
      T.takes.states[take.state],
      head ? T.takes.here : "",
    ];
    return html`<div
      class="take ${head ? "head" : ""} ${comparing ? "compared" : ""} ${take.state}"
      role="treeitem"
      aria-level=${depth + 1}
      aria-selected=${head}
      data-take=${take.id}
      ${styled({ "--indent": `${Math.min(depth, MOST_INDENT) * INDENT}px` })}
    >
      ${take.star ? html`<span class="starred" title=${T.notices.starred}>${icon("star")}</span>` : nothing}
      ${
        this.renaming === take.id
          ? html`<input
              class="rename"
              aria-label=${T.takes.rename}
              .value=${take.title}
              @keydown=${(event: KeyboardEvent) => this.renameKey(take, event)}
              @blur=${(event: Event) => this.renamed(take, event)}
            />`
          : html`<button
              class="what"
              tabindex=${tabbed ? 0 : -1}
              title=${take.error ?? T.takes.go}
              @click=${() => this.choose(take)}
              @focus=${() => {
                this.focused = take.id;
              }}
            >
              <span class="title cut">${title}</span><span class="sub cut">${sub.filter(Boolean).join(" · ")}</span>
            </button>`
      }
      <span class="acts">
        ${head ? nothing : this.act("ear", comparing ? T.takes.compareStop : T.takes.compare, () => void studio.compare(comparing ? null : take.id), comparing)}
        ${this.act("star", take.star ? T.takes.unstar : T.takes.star, () => void changeTake(studio, take, { star: !take.star }))}
        ${this.act("pencil", `${T.takes.rename} (F2)`, () => this.rename(take))}
        ${this.act("down", T.commands.midi, () => void downloadTake(studio, take.id, "mid"))}
        ${head ? nothing : this.act("trash", T.takes.delete, () => void deleteTake(studio, take))}
      </span>
    </div>`;
  }

  private act(image: Parameters<typeof icon>[0], label: string, run: () => void, on = false): TemplateResult {
    return html`<button
      class="small icon-only"
      tabindex="-1"
      aria-pressed=${on ? "true" : nothing}
      aria-label=${label}
      title=${label}
      @click=${run}
    >
      ${icon(image)}
    </button>`;
  }

  private comparison(take: Take, heard: boolean): TemplateResult {
    const { studio } = this;
    const head = studio.piece?.take;
    const rate = (better: string): void => {
      if (!head) return;
      void studio.attempt(async () => {
        await studio.api.rate(head, take.id, better);
        studio.notices.say(T.notices.rated);
      });
    };
    return html`<section class="compare" aria-label=${T.takes.comparing(titleOf(take))}>
      <h3>${T.takes.comparing(titleOf(take))}</h3>
      <p class="small muted">${T.takes.compareHow}</p>
      <div class="row">
        <button class="outlined" aria-pressed=${!heard} @click=${() => void studio.compare(take.id, false)}>
          ${T.takes.hereBetter}
        </button>
        <button class="outlined" aria-pressed=${heard} @click=${() => void studio.compare(take.id, true)}>
          ${titleOf(take)}
        </button>
      </div>
      <div class="row small">
        <span class="muted">${T.takes.better}:</span>
        <button class="small outlined" @click=${() => head && rate(head)}>${T.takes.hereBetter}</button>
        <button class="small outlined" @click=${() => rate(take.id)}>${titleOf(take)}</button>
        <button class="small" @click=${() => void studio.compare(null)}>${T.takes.compareStop}</button>
      </div>
    </section>`;
  }

  private locked(): TemplateResult | typeof nothing {
    const { piece } = this.studio;
    if (!piece) return nothing;
    // After an undo a locked note may not be there; the lock waits for it.
    const locks = piece.locks.refs.filter(
      ({ track, tick, pitch }) => (piece.song.track(track)?.notes.find(tick, pitch) ?? -1) >= 0,
    );
    if (locks.length === 0) return nothing;
    return html`<section class="locks" aria-label=${T.takes.locks}>
      <header>
        <h3>${T.takes.locks} (${locks.length})</h3>
        <button class="small" @click=${() => void this.studio.attempt(() => piece.lock(locks, false))}>
          ${T.takes.unlockAll}
        </button>
      </header>
      <ul>
        ${locks.slice(0, 200).map((note) => {
          const track = piece.song.track(note.track);
          const { bar, beat } = piece.song.bars.place(note.tick);
          return html`<li>
            ${icon("lock")}<span class="cut spread"
              >${pitchName(note.pitch)}, ${bar}.${beat}${track ? `, ${trackName(track)}` : ""}</span
            >
            <button class="small" @click=${() => void this.studio.attempt(() => piece.lock([note], false))}>
              ${T.takes.unlock}
            </button>
          </li>`;
        })}
      </ul>
    </section>`;
  }

  private choose(take: Take): void {
    if (take.state === "growing" || take.state === "failed")
      void this.studio.attempt(() => this.studio.ideas.open(take));
    else void this.studio.goto(take);
  }

  private treeKey(event: KeyboardEvent): void {
    const items = this.items();
    const at = items.findIndex((item) => item.matches(":focus-within"));
    const take = this.studio.piece?.takes.get(items[at]?.dataset["take"] ?? "");
    if (!take || this.renaming || composing(event)) return;
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step !== undefined) items[at + step]?.querySelector<HTMLElement>(".what")?.focus();
    else if (event.key === "F2") this.rename(take);
    else if (event.key === "Delete" && take.id !== this.studio.piece?.take) void deleteTake(this.studio, take);
    else if (event.key === "*") void changeTake(this.studio, take, { star: !take.star });
    else if (
      event.key.toLowerCase() === "b" &&
      take.id !== this.studio.piece?.take &&
      this.studio.view.compare?.take !== take.id
    )
      void this.studio.compare(take.id);
    else return;
    event.preventDefault();
    event.stopPropagation();
  }

  private rename(take: Take): void {
    this.renaming = take.id;
    this.focused = take.id;
    void this.updateComplete.then(() => editField(this.renderRoot.querySelector<HTMLInputElement>(".rename")));
  }

  private renameKey(take: Take, event: KeyboardEvent): void {
    event.stopPropagation();
    if (composing(event)) return;
    if (event.key === "Escape") this.renaming = null;
    if (event.key === "Enter") this.renamed(take, event);
  }

  private renamed(take: Take, event: Event): void {
    if (this.renaming !== take.id) return;
    this.renaming = null;
    const title = valueOf(event).trim();
    if (title !== take.title) void changeTake(this.studio, take, { title });
  }
}

export function titleOf(take: Take): string {
  // The server's titles begin with the verb as the API calls it, the page's buttons with what a musician calls it.
  if (take.title)
    return take.verb ? take.title.replace(new RegExp(`^${take.verb}\\b`, "i"), T.verbs[take.verb].name) : take.title;
  if (take.kind === "idea" && take.verb)
    return `${T.verbs[take.verb].name}${take.bars ? `, ${T.range.bars(...take.bars).toLowerCase()}` : ""}`;
  return T.takes.kinds[take.kind];
}

define("toccata-takes", Takes);
