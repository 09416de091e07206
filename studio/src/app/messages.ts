/** Messages: errors that stay, notices that go, and the live region for screen readers. */

import { type TemplateResult, css, html, nothing } from "lit";
import { repeat } from "lit/directives/repeat.js";
import { T } from "../strings";
import { Part, controls, define, icon } from "./element";
import type { Notice } from "./notices";

/** All that are on the page: what lies behind a dialog is not spoken, and what lies in one goes with it. */
const shown = new Set<Messages>();

export class Messages extends Part {
  static override properties = { ...Part.properties, behind: { attribute: false } };
  static override styles = [
    controls,
    css`
      section {
        display: grid;
        gap: 8px;
      }
      :host {
        position: fixed;
        right: 12px;
        bottom: 12px;
        z-index: 20;
        display: grid;
        gap: 8px;
        width: 272px;
        pointer-events: none;
      }
      .message {
        pointer-events: auto;
        display: flex;
        flex-wrap: wrap;
        align-items: center;
        justify-content: flex-end;
        gap: 4px 8px;
        padding: 8px 8px 8px 12px;
        border-radius: var(--radius);
        background: var(--raised);
        border: 1px solid var(--line);
        box-shadow: var(--shadow);
      }
      .message p {
        flex: 1 1 160px;
        overflow-wrap: anywhere;
      }
      .error {
        border-left: 4px solid var(--bad);
      }
      .gone {
        border-left: 4px solid var(--bad);
      }
      @media (max-width: 1100px) {
        :host {
          width: 226px;
        }
      }
      @media (max-width: 760px) {
        :host {
          bottom: 60px;
          width: calc(100vw - 24px);
        }
      }
    `,
  ];

  /** A dialog is in front, where nothing behind can be seen or reached: the messages are in that then. */
  declare behind: boolean;

  constructor() {
    super();
    this.behind = false;
  }

  override connectedCallback(): void {
    super.connectedCallback();
    shown.add(this);
    this.studio.announcer.show = (text) => {
      for (const one of shown) one.say(text);
    };
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    shown.delete(this);
  }

  private say(text: string): void {
    const region = this.renderRoot.querySelector(".live");
    if (region) region.textContent = text;
  }

  override render(): TemplateResult {
    // The live region stays the same: what is said while a dialog opens or closes would be lost with another.
    return html`<div class="live unseen" role="status" aria-live="polite"></div>
      ${this.behind ? nothing : this.list()}`;
  }

  private list(): TemplateResult {
    const { studio } = this;
    return html`<section aria-label=${T.notices.label}>
      ${studio.connected ? nothing : html`<div class="message gone" role="alert"><p>${studio.shutOut ? T.notices.shutOut : T.notices.goneLine}</p></div>`}
      ${repeat(
        studio.notices.list,
        ({ id }) => id,
        (notice) => this.message(notice),
      )}
    </section>`;
  }

  private message(notice: Notice): TemplateResult {
    const { notices } = this.studio;
    const { action } = notice;
    return html`<div class="message ${notice.kind}" role=${notice.kind === "error" ? "alert" : "status"}>
      <p>${notice.text}</p>
      ${
        action
          ? html`<button
              class="small outlined"
              @click=${() => {
                notices.dismiss(notice);
                void action.run();
              }}
            >
              ${action.label}
            </button>`
          : nothing
      }
      <button
        class="small icon-only"
        aria-label=${T.notices.dismiss}
        title=${T.notices.dismiss}
        @click=${() => notices.dismiss(notice)}
      >
        ${icon("close")}
      </button>
    </div>`;
  }
}

define("toccata-messages", Messages);
