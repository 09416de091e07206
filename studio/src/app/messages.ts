/** Messages: errors that stay, notices that go, and the live region for screen readers. */

import { type TemplateResult, css, html, nothing } from "lit";
import { repeat } from "lit/directives/repeat.js";
import { T } from "../strings";
import { Part, controls, define, icon } from "./element";
import type { Notice } from "./notices";

export class Messages extends Part {
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

  override connectedCallback(): void {
    super.connectedCallback();
    this.studio.announcer.show = (text) => {
      const region = this.renderRoot.querySelector(".live");
      if (region) region.textContent = text;
    };
  }

  override render(): TemplateResult {
    const { studio } = this;
    return html`<div class="live unseen" role="status" aria-live="polite"></div>
      <section aria-label=${T.notices.label}>
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
