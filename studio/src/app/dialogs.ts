/** Dialogs: help and palette, made of the commands; the frame around the library's; the sound. */

import { type TemplateResult, css, html, nothing } from "lit";
import { COMMANDS, type Command } from "../commands";
import { IS_MAC, composing, shownKey } from "../keys";
import { T } from "../strings";
import { Part, controls, define, focusedElement, icon, valueOf } from "./element";
import { chooseFiles, useBuiltInSound, useLibrarySound, useSoundFont } from "./files";
import "./library";
import "./messages";

export class Dialogs extends Part {
  static override properties = {
    ...Part.properties,
    words: { state: true },
    at: { state: true },
    loading: { state: true },
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
      @media (max-width: 560px) {
        .groups {
          columns: 1;
        }
      }
    `,
  ];

  declare private words: string;
  declare private at: number;
  /** The sound that is being loaded. */
  declare private loading: Promise<unknown> | null;
  private returnTo: HTMLElement | null = null;

  constructor() {
    super();
    this.words = "";
    this.at = 0;
    this.loading = null;
  }

  override willUpdate(): void {
    super.willUpdate();
    // Before it is gone: what is behind can have the focus only then.
    if (this.studio.view.dialog === null) this.renderRoot.querySelector("dialog")?.close();
  }

  override updated(): void {
    const dialog = this.renderRoot.querySelector("dialog");
    if (!dialog) {
      this.returnTo?.focus();
      this.returnTo = null;
    }
    if (!dialog || dialog.open) return;
    this.words = "";
    this.at = 0;
    this.returnTo ??= focusedElement();
    dialog.showModal();
    dialog.querySelector<HTMLElement>("[autofocus]")?.focus();
  }

  private close = (): void => {
    this.studio.set({ dialog: null });
  };

  /** Closed by the browser; one that the page has closed is gone by now, and one that it has replaced is open again. */
  private closed(event: Event): void {
    const { currentTarget: dialog } = event;
    if (dialog instanceof HTMLDialogElement && dialog.isConnected && !dialog.open) this.close();
  }

  override render(): TemplateResult | typeof nothing {
    switch (this.studio.view.dialog) {
      case "help":
        return this.frame(T.help.title, this.help());
      case "palette":
        return this.palette();
      case "library":
        return this.frame(T.library.label, html`<toccata-library .studio=${this.studio}></toccata-library>`);
      case "new":
        return this.frame(T.library.new, html`<toccata-new-piece .studio=${this.studio}></toccata-new-piece>`);
      case "soundfont":
        return this.frame(T.transport.sound, this.sound());
      default:
        return nothing;
    }
  }

  private frame(title: string, body: TemplateResult): TemplateResult {
    return html`<dialog
      aria-label=${title}
      @cancel=${this.leave}
      @close=${this.closed}
      @click=${this.leave}
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
      <toccata-messages .studio=${this.studio}></toccata-messages>
    </dialog>`;
  }

  /** A click beside the dialog; or Esc, before the browser closes it: the next key is not the dialog's any more. */
  private leave(event: Event): void {
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
      @cancel=${this.leave}
      @close=${this.closed}
      @click=${this.leave}
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
      <toccata-messages .studio=${this.studio}></toccata-messages>
    </dialog>`;
  }

  private paletteKey(event: KeyboardEvent): void {
    event.stopPropagation();
    if (composing(event)) return;
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

  private sound(): TemplateResult {
    const { studio } = this;
    const own = studio.server?.soundfont ?? null;
    const use = (load: Promise<unknown>): void => {
      this.loading = load;
      void load.finally(() => {
        if (this.loading !== load) return; // another was chosen meanwhile
        this.loading = null;
        if (studio.view.dialog === "soundfont") this.close();
      });
    };
    return html`<p class="muted">${T.transport.soundNote}</p>
      <br />
      <div class="row">
        ${own ? html`<button class="primary" autofocus @click=${() => use(useLibrarySound(studio))}>${T.transport.useLibrary(own.name)}</button>` : nothing}
        <button
          class="outlined"
          @click=${() => void chooseFiles(".sf2,.sf3", false, false).then(([file]) => file && use(useSoundFont(studio, file.name, () => file.arrayBuffer())))}
        >
          ${T.transport.fromFile}
        </button>
        <button
          class="outlined"
          @click=${() => {
            this.loading = null;
            useBuiltInSound(studio);
            this.close();
          }}
        >
          ${T.transport.builtIn}
        </button>
        ${this.loading ? html`<span class="muted" role="status">${T.transport.loading}</span>` : nothing}
      </div>`;
  }
}

function keys(command: Command): TemplateResult {
  return html`<span class="keys"
    >${command.keys.slice(0, 2).map((key) => html`<kbd>${shownKey(key, IS_MAC)}</kbd>`)}</span
  >`;
}

define("toccata-dialogs", Dialogs);
