/** The page: what is where, and the keys. */

import { type TemplateResult, css, html, nothing } from "lit";
import { COMMANDS, keyOf } from "../commands";
import { IS_MAC, composing, shownKey } from "../keys";
import { T } from "../strings";
import "./chips";
import "./dialogs";
import { Part, controls, define, held, icon, valueOf } from "./element";
import { droppedFiles, importFiles, renamePiece, toggleTheme } from "./files";
import { onKey } from "./keyboard";
import "./messages";
import "./models";
import "./options";
import "./stage";
import "./strip";
import "./table";
import "./takes";
import "./tracks";
import "./train";
import "./transport";
import type { Tab } from "./view";

export class App extends Part {
  static override properties = { ...Part.properties, dropping: { state: true } };
  static override styles = [
    controls,
    css`
      :host {
        display: grid;
        height: 100vh;
        height: 100dvh;
        grid-template: auto auto 1fr / 208px minmax(0, 1fr) 296px;
        grid-template-areas: "bar bar bar" "strip strip strip" "tracks roll side";
      }
      .bar {
        grid-area: bar;
        display: grid;
        grid-template-columns: minmax(0, 1fr) auto minmax(0, 1fr);
        align-items: center;
        gap: 8px;
        padding: 5px 10px;
        background: var(--surface);
        border-bottom: 1px solid var(--line);
      }
      .left,
      .right {
        display: flex;
        align-items: center;
        gap: 2px;
        min-width: 0;
      }
      .right {
        justify-content: flex-end;
      }
      .title {
        font-weight: 600;
        font-size: var(--size-big);
        border-color: transparent !important;
        background: transparent !important;
        flex: 0 1 auto;
        min-width: 60px;
        width: 220px;
        text-overflow: ellipsis;
      }
      .title:hover,
      .title:focus {
        border-color: var(--line-strong) !important;
      }
      .saved {
        color: var(--ink-2);
        font-size: var(--size-small);
        white-space: nowrap;
        display: inline-flex;
        align-items: center;
        gap: 4px;
        padding: 0 4px;
      }
      .saved .icon {
        width: 12px;
        height: 12px;
      }
      .saved.waiting {
        color: var(--bad);
        font-weight: 600;
      }
      .work {
        grid-area: strip;
        min-width: 0;
      }
      .tracks {
        grid-area: tracks;
        border-right: 1px solid var(--line);
        background: var(--surface);
        min-height: 0;
        display: flex;
        flex-direction: column;
      }
      .centre {
        grid-area: roll;
        min-width: 0;
        min-height: 0;
        display: flex;
        flex-direction: column;
      }
      .centre toccata-stage {
        flex: 1;
      }
      .centre toccata-note-table {
        flex: 0 0 36%;
      }
      .side {
        grid-area: side;
        border-left: 1px solid var(--line);
        background: var(--surface);
        min-height: 0;
        display: flex;
        flex-direction: column;
      }
      .side > :last-child,
      .tracks > * {
        flex: 1;
        min-height: 0;
      }
      .tabs {
        display: flex;
        gap: 2px;
        padding: 6px 8px 2px;
      }
      .tabs button[aria-selected="true"] {
        background: var(--accent-soft);
        color: var(--accent);
        font-weight: 600;
      }
      nav.bottom {
        display: none;
      }
      .fatal {
        display: grid;
        place-content: center;
        height: 100vh;
        padding: 24px;
        text-align: center;
        gap: 8px;
        grid-column: 1 / -1;
      }
      .menu {
        inset: 44px 12px auto auto;
        margin: 0;
        padding: 4px;
        border: 1px solid var(--line);
        border-radius: var(--radius);
        background: var(--raised);
        color: var(--ink);
        box-shadow: var(--shadow);
        min-width: 240px;
      }
      .menu:popover-open {
        display: grid;
      }
      .menu button {
        text-align: left;
        justify-content: flex-start;
      }
      .dropping {
        position: fixed;
        inset: 8px;
        border: 2px dashed var(--accent);
        border-radius: var(--radius-big);
        background: var(--accent-soft);
        opacity: 0.92;
        display: grid;
        place-content: center;
        font-size: 20px;
        z-index: 30;
        pointer-events: none;
      }
      .skip {
        position: absolute;
        left: -9999px;
      }
      .skip:focus {
        left: 8px;
        top: 8px;
        z-index: 40;
        background: var(--raised);
        padding: 8px;
      }
      @media (max-width: 1100px) {
        :host {
          grid-template-columns: 204px minmax(0, 1fr) 236px;
        }
        .title {
          width: 150px;
        }
      }
      @media (max-width: 760px) {
        :host {
          grid-template: auto auto minmax(0, 1fr) auto / minmax(0, 1fr);
          grid-template-areas: "bar" "strip" "main" "nav";
        }
        .bar {
          grid-template-columns: minmax(0, 1fr) auto;
          gap: 2px 4px;
          padding: 4px 6px;
        }
        .bar toccata-transport {
          grid-row: 2;
          grid-column: 1 / -1;
          justify-content: center;
        }
        .wide {
          display: none !important;
        }
        .tracks,
        .centre,
        .side {
          grid-area: main;
          display: none;
          border: 0;
        }
        :host([data-tab="roll"]) .centre,
        :host([data-tab="tracks"]) .tracks,
        :host([data-tab="takes"]) .side,
        :host([data-tab="train"]) .side {
          display: flex;
        }
        :host(:not([data-tab="roll"])) .work {
          display: none;
        }
        .side .tabs {
          display: none;
        }
        nav.bottom {
          grid-area: nav;
          display: flex;
          border-top: 1px solid var(--line);
          background: var(--surface);
        }
        nav.bottom button {
          flex: 1;
          border-radius: 0;
          min-height: 44px;
        }
        nav.bottom button[aria-current="page"] {
          color: var(--accent);
          font-weight: 600;
          box-shadow: inset 0 2px 0 var(--accent);
        }
      }
    `,
  ];

  declare private dropping: boolean;

  constructor() {
    super();
    this.dropping = false;
  }

  override connectedCallback(): void {
    super.connectedCallback();
    window.addEventListener("keydown", this.firstKeydown, { capture: true });
    window.addEventListener("keydown", this.keydown);
    window.addEventListener("dragover", this.dragged, { capture: true });
    window.addEventListener("drop", this.dragged, { capture: true });
    window.addEventListener("dragover", this.dragover);
    window.addEventListener("dragleave", this.dragleave);
    window.addEventListener("drop", this.drop);
    window.addEventListener("dragend", this.dragleave);
    // A button that was clicked does not keep the keys: Space plays, Enter takes the idea.
    this.renderRoot.addEventListener("click", this.giveKeysBack);
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    window.removeEventListener("keydown", this.firstKeydown, { capture: true });
    window.removeEventListener("keydown", this.keydown);
    window.removeEventListener("dragover", this.dragged, { capture: true });
    window.removeEventListener("drop", this.dragged, { capture: true });
    window.removeEventListener("dragover", this.dragover);
    window.removeEventListener("dragleave", this.dragleave);
    window.removeEventListener("drop", this.drop);
    window.removeEventListener("dragend", this.dragleave);
  }

  override updated(): void {
    const { piece } = this.studio;
    document.title = piece ? `${piece.title} \u2013 ${T.app}` : T.app;
  }

  override render(): TemplateResult {
    const { studio } = this;
    const { view } = studio;
    this.dataset["tab"] = view.tab;
    if (studio.fatal !== null)
      return html`<main class="fatal">
        <h1>${T.app}</h1>
        <p>${studio.fatal}</p>
      </main>`;
    const side = view.tab === "train" || view.tab === "takes" ? view.tab : view.panel;
    return html` <header class="bar">
        <h1 class="unseen">${T.app}</h1>
        <button class="skip" @click=${this.toNotes}>${T.skip}</button>${this.bar()}
      </header>
      <div class="work">
        <toccata-strip .studio=${studio}></toccata-strip>
        ${view.optionsOpen ? html`<toccata-options .studio=${studio}></toccata-options>` : nothing}
      </div>
      <aside class="tracks" aria-label=${T.tracks.label}><toccata-tracks .studio=${studio}></toccata-tracks></aside>
      <main class="centre">
        <toccata-stage .studio=${studio}></toccata-stage>
        <toccata-chips .studio=${studio}></toccata-chips>
        ${view.table ? html`<toccata-note-table .studio=${studio}></toccata-note-table>` : nothing}
      </main>
      <aside class="side" aria-label=${T.tabs[side]}>
        <div class="tabs" role="tablist">
          ${(["takes", "train"] as const).map(
            (panel) =>
              html`<button
                role="tab"
                aria-selected=${side === panel}
                @click=${() => studio.set({ panel, tab: view.tab === "roll" || view.tab === "tracks" ? view.tab : panel })}
              >
                ${T.tabs[panel]}
              </button>`,
          )}
        </div>
        ${side === "takes" ? html`<toccata-takes .studio=${studio}></toccata-takes>` : html`<toccata-train .studio=${studio}></toccata-train>`}
      </aside>
      <nav class="bottom">${(["roll", "tracks", "takes", "train"] as const).map((tab) => this.tab(tab))}</nav>
      <toccata-dialogs .studio=${studio}></toccata-dialogs>
      <toccata-messages .studio=${studio} .behind=${view.dialog !== null}></toccata-messages>
      ${this.dropping ? html`<div class="dropping">${T.library.dropHere}</div>` : nothing}`;
  }

  private toNotes(): void {
    const roll = this.studio.roll;
    if (roll instanceof HTMLElement) roll.focus();
  }

  private bar(): TemplateResult {
    const { studio } = this;
    const { piece } = studio;
    return html`<div class="left">
        ${this.button("library", T.bar.library, "library", () => studio.set({ dialog: "library" }))}
        <input
          class="title"
          aria-label=${T.bar.title}
          .value=${held(piece?.title ?? "")}
          ?disabled=${!piece}
          maxlength="200"
          @change=${(event: Event) => piece && void renamePiece(studio, piece.id, valueOf(event))}
          @keydown=${this.titleKey}
        />
        ${this.button("undo", T.bar.undo, "undo", () => void studio.undo(), !piece?.canUndo)}
        ${this.button("redo", T.bar.redo, "redo", () => void studio.redo(), !piece?.canRedo)}
        ${piece ? html`<span class="saved ${piece.saved}" title=${piece.saved === "waiting" ? T.bar.waitingWhy : T.bar[piece.saved]}>${piece.saved === "saved" ? icon("check") : nothing}<span class=${piece.saved === "waiting" ? "" : "wide"}>${T.bar[piece.saved]}</span></span>` : nothing}
      </div>
      <toccata-transport .studio=${studio}></toccata-transport>
      <div class="right">
        <toccata-model-chooser class="wide" .studio=${studio}></toccata-model-chooser>
        <button class="icon-only" aria-label=${T.bar.menu} title=${T.bar.menu} popovertarget="files">
          ${icon("down")}
        </button>
        <div
          id="files"
          class="menu"
          popover
          @click=${(event: Event) => (event.currentTarget as HTMLElement).hidePopover()}
        >
          ${(["midi", "wav", "png", "reveal", "star"] as const).map(
            (id) =>
              html`<button @click=${() => void COMMANDS.find((command) => command.id === id)?.run(studio)}>
                <span class="spread">${T.commands[id]}</span
                >${keyOf(id) ? html`<kbd>${shownKey(keyOf(id), IS_MAC)}</kbd>` : nothing}
              </button>`,
          )}
        </div>
        <span class="wide row">${this.button("theme", T.bar.theme, "theme", () => toggleTheme(studio))}</span>
        ${this.button("more", T.bar.palette, "palette", () => studio.set({ dialog: "palette" }))}
        <button
          class="icon-only"
          aria-label=${T.bar.help}
          title=${`${T.bar.help} (?)`}
          @click=${() => studio.set({ dialog: "help" })}
        >
          <strong aria-hidden="true">?</strong>
        </button>
      </div>`;
  }

  /** Enter renames, Escape does not. */
  private titleKey(event: KeyboardEvent): void {
    const field = event.target as HTMLInputElement;
    if (composing(event) || (event.key !== "Enter" && event.key !== "Escape")) return;
    if (event.key === "Escape") field.value = this.studio.piece?.title ?? "";
    field.blur();
  }

  private button(
    image: Parameters<typeof icon>[0],
    label: string,
    id: string,
    run: () => void,
    faint = false,
  ): TemplateResult {
    return html`<button
      class="icon-only ${faint ? "unable" : ""}"
      aria-label=${label}
      title=${`${label} (${shownKey(keyOf(id), IS_MAC)})`}
      @click=${run}
    >
      ${icon(image)}
    </button>`;
  }

  private tab(tab: Tab): TemplateResult {
    const { view } = this.studio;
    return html`<button
      aria-current=${view.tab === tab ? "page" : nothing}
      @click=${() => this.studio.set({ tab, ...(tab === "takes" || tab === "train" ? { panel: tab } : {}) })}
    >
      ${T.tabs[tab]}
    </button>`;
  }

  /** While ideas or a choice are open, their keys come before the roll's: Enter takes, Esc puts away. */
  private readonly firstKeydown = (event: KeyboardEvent): void => this.key(event, true);
  private readonly keydown = (event: KeyboardEvent): void => this.key(event, false);

  private key(event: KeyboardEvent, first: boolean): void {
    // The browser closes the menu with it.
    const closes = event.key === "Escape" && this.renderRoot.querySelector(".menu:popover-open") !== null;
    if (!closes) onKey(event, this.studio, first);
  }

  private readonly giveKeysBack = (event: Event): void => {
    if (!(event instanceof PointerEvent) || event.detail === 0) return; // pressed by the keyboard
    const button = event.composedPath().find((node) => node instanceof HTMLElement && node.matches("button"));
    if (button instanceof HTMLElement && !button.closest("dialog")) button.blur();
  };

  private readonly dragover = (event: DragEvent): void => {
    if (hasFiles(event)) event.preventDefault();
  };

  /** Before anything that takes files itself: over that, and once they are dropped, the page does not offer to. */
  private readonly dragged = (event: DragEvent): void => {
    const taken = event.composedPath().some((node) => node instanceof HTMLElement && node.matches("[data-takes-files]"));
    this.dropping = event.type === "dragover" && hasFiles(event) && !taken;
  };

  private readonly dragleave = (event: DragEvent): void => {
    if (event.relatedTarget === null) this.dropping = false;
  };

  private readonly drop = (event: DragEvent): void => {
    if (!event.dataTransfer || !hasFiles(event) || event.defaultPrevented) return;
    event.preventDefault();
    const files = droppedFiles(event.dataTransfer);
    void this.studio.attempt(async () => importFiles(this.studio, await files));
  };
}

function hasFiles(event: DragEvent): boolean {
  return event.dataTransfer?.types.includes("Files") ?? false;
}

define("toccata-studio", App);
