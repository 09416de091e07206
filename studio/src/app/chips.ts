/** Ideas as chips: what state each is in, which is heard, and what is known about the heard one. */

import { type TemplateResult, css, html, nothing } from "lit";
import { keyOf } from "../commands";
import { ideaCount } from "../music/idea";
import type { Report } from "../protocol";
import { T } from "../strings";
import { Part, controls, define, icon } from "./element";
import { downloadTake, fileName } from "./files";
import type { Idea } from "./ideas";

/** A link is good for a minute; it is renewed a little before. */
const LINK_MS = 45_000;

export class Chips extends Part {
  static override styles = [
    controls,
    css`
      :host {
        display: block;
        background: var(--idea-soft);
        border-top: 1px solid var(--line);
      }
      .bar {
        display: flex;
        flex-wrap: wrap;
        gap: 6px;
        padding: 6px 10px;
      }
      .chips {
        display: flex;
        gap: 6px;
        flex: 1 0 auto;
        max-width: 100%;
        overflow-x: auto;
        scrollbar-width: none;
        padding: 2px;
      }
      .acts {
        display: flex;
        gap: 4px;
        padding: 2px 0;
      }
      .chip,
      .acts button {
        flex: none;
        padding: 0 8px;
      }
      .chip {
        border-color: var(--line-strong);
        background: var(--surface);
        position: relative;
        overflow: hidden;
      }
      .chip[aria-pressed="true"] {
        background: var(--idea);
        color: var(--surface);
        border-color: var(--idea);
        font-weight: 600;
      }
      .chip[aria-pressed="true"] kbd {
        background: transparent;
        color: inherit;
        border-color: currentColor;
      }
      .chip.growing {
        border-style: dashed;
        border-color: var(--idea);
      }
      .chip.failed:not([aria-pressed="true"]) {
        color: var(--bad);
      }
      .chip .state {
        font-size: var(--size-small);
        font-variant-numeric: tabular-nums;
      }
      .detail {
        display: flex;
        flex-wrap: wrap;
        align-items: center;
        gap: 2px 14px;
        padding: 0 10px 7px;
        font-size: var(--size-small);
      }
      .good {
        color: var(--good);
        font-weight: 600;
      }
      .bad {
        color: var(--bad);
        font-weight: 600;
      }
      .error {
        color: var(--bad);
      }
      @media (max-width: 760px) {
        .chips {
          flex: 1 0 100%;
        }
        .acts {
          flex: 1;
        }
        .acts .primary {
          flex: 1;
        }
      }
      @media (pointer: coarse) {
        kbd {
          display: none;
        }
      }
    `,
  ];

  private readonly links = new Map<string, { url: string; until: number }>();

  override render(): TemplateResult | typeof nothing {
    const { ideas } = this.studio;
    if (ideas.chips.length === 0) return nothing;
    const heard = ideas.current;
    const waiting = heard !== null && ideas.takeWhenDone === heard.take.id;
    return html`<section aria-label=${T.ideas.label}>
      <div class="bar">
        <div class="chips">
          <button class="chip" aria-pressed=${ideas.heard === 0} @click=${() => this.studio.hear(0)}>
            <kbd>0</kbd>${T.ideas.asWas}
          </button>
          ${ideas.chips.map((idea, index) => this.chip(idea, index + 1))}
        </div>
        <div class="acts">
          ${heard && heard.take.state !== "failed" ? html`<button class="primary" @click=${() => void this.studio.take()}>${icon("check")}${waiting ? T.ideas.takeWaiting : T.ideas.take}<kbd>${keyOf("take")}</kbd></button>` : nothing}
          ${ideas.growing.length > 0 ? html`<button class="outlined" @click=${() => void this.studio.attempt(() => ideas.stopAll())}>${ideas.growing.length > 1 ? T.ideas.stopAll : T.ideas.stop}<kbd>${keyOf("stopIdeas")}</kbd></button>` : nothing}
          <button class="outlined" @click=${() => this.studio.again()}>
            ${T.ideas.again}<kbd>${keyOf("again")}</kbd>
          </button>
          <button
            class="icon-only"
            aria-label=${T.commands.back}
            title=${`${T.ideas.back} (Esc)`}
            @click=${() => ideas.close()}
          >
            ${icon("close")}
          </button>
        </div>
      </div>
      ${heard ? this.detail(heard) : nothing}
    </section>`;
  }

  private chip(idea: Idea, number: number): TemplateResult {
    const { take } = idea;
    const state =
      take.state === "growing"
        ? T.ideas.growing(idea.bar)
        : take.state === "failed"
          ? T.ideas.failed
          : `${take.state === "stopped" ? `${T.ideas.stopped}, ` : ""}${T.ideas.finished(ideaCount(idea.layer))}`;
    const finished = take.state === "finished" || take.state === "stopped";
    return html`<button
      class="chip ${take.state}"
      aria-pressed=${this.studio.ideas.heard === number}
      draggable=${finished}
      title=${finished ? T.ideas.drag : ""}
      aria-label=${`${T.ideas.chip(number)}: ${state}`}
      @pointerenter=${() => finished && void this.prepareLink(take.id)}
      @dragstart=${(event: DragEvent) => this.drag(event, take.id)}
      @click=${() => this.studio.hear(number)}
    >
      <kbd>${number}</kbd><span class="state">${state}</span>
    </button>`;
  }

  private detail(idea: Idea): TemplateResult {
    const { take, report } = idea;
    if (take.state === "growing") {
      return html`<div class="detail">
        <span>${take.title}</span>
        <button class="small outlined" @click=${() => void this.studio.attempt(() => this.studio.ideas.stop(idea))}>
          ${T.ideas.stop}
        </button>
      </div>`;
    }
    if (take.state === "failed")
      return html`<div class="detail"><span class="error">${take.error ?? T.ideas.failed}</span></div>`;
    const outside = take.outsideChanged;
    return html`<div class="detail">
      <span class=${outside === 0 ? "good" : outside === null ? "muted" : "bad"}
        >${outside === null ? T.ideas.outsideUnknown : T.ideas.outside(outside)}</span
      >
      ${this.originality(report)}
      ${report?.ranking ? html`<span><strong>${T.ideas.rank(report.ranking.place, report.ranking.of)}</strong>${report.ranking.reasons.length > 0 ? html`: ${report.ranking.reasons.join("; ")}` : nothing}</span>` : nothing}
      ${take.seed === null ? nothing : html`<span class="muted">${T.ideas.seed(take.seed)}</span>`}
      <button class="small" @click=${() => void downloadTake(this.studio, take.id, "mid")}>${T.commands.midi}</button>
    </div>`;
  }

  private originality(report: Report | null): TemplateResult | typeof nothing {
    if (!report)
      return this.studio.ideas.current?.take.state === "finished"
        ? html`<span class="muted">${T.ideas.reportPending}</span>`
        : nothing;
    const found = report.originality;
    if (!found) return nothing;
    return html`<span class="row"
      ><span title=${found.source ?? ""}
        >${capital(found.verdict)}${found.source ? html`<span class="muted"> (${found.source})</span>` : nothing}</span
      >
      ${found.from === null || found.to === null ? nothing : html`<button class="small outlined" @click=${() => this.studio.hearPassage()}>${icon("ear")}${T.ideas.hearPassage}<kbd>${keyOf("passage")}</kbd></button>`}</span
    >`;
  }

  private async prepareLink(take: string): Promise<void> {
    if ((this.links.get(take)?.until ?? 0) > Date.now()) return;
    try {
      const { url } = await this.studio.api.link(take);
      this.links.set(take, { url, until: Date.now() + LINK_MS });
    } catch {
      // Without a link the chip is not dragged out; its download button is beside it.
    }
  }

  private drag(event: DragEvent, take: string): void {
    const link = this.links.get(take);
    if (!link || !event.dataTransfer) return event.preventDefault();
    const url = new URL(link.url, location.href).href;
    event.dataTransfer.effectAllowed = "copy";
    event.dataTransfer.setData(
      "DownloadURL",
      `audio/midi:${fileName(this.studio.piece?.title ?? "idea", "mid")}:${url}`,
    );
    event.dataTransfer.setData("text/uri-list", url);
  }
}

function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

define("toccata-chips", Chips);
