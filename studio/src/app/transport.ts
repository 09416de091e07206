/** Play, stop, record, loop, metronome; the position, the tempo and the sound. */

import { type TemplateResult, css, html } from "lit";
import { keyOf, placeText } from "../commands";
import { IS_MAC, shownKey } from "../keys";
import { T } from "../strings";
import { Part, controls, define, held, icon, type Icon, valueOf } from "./element";

const MOST_TEMPO = 400;
const LEAST_TEMPO = 20;

export class Transport extends Part {
  static override styles = [
    controls,
    css`
      :host {
        display: flex;
        align-items: center;
        gap: 2px;
      }
      .position {
        font: 600 15px / 1 var(--mono);
        font-variant-numeric: tabular-nums;
        min-width: 72px;
        text-align: center;
        padding: 0 6px;
      }
      .tempo {
        display: flex;
        align-items: center;
        gap: 4px;
        color: var(--ink-2);
        padding: 0 6px;
      }
      .tempo input {
        width: 58px;
        min-height: 28px;
        border-color: transparent;
        background: transparent;
        padding: 0 4px;
        color: var(--ink);
        font-variant-numeric: tabular-nums;
      }
      .tempo input:hover,
      .tempo input:focus {
        border-color: var(--line-strong);
        background: var(--raised);
      }
      .play {
        border-radius: 50%;
        background: var(--accent);
        color: var(--accent-ink);
      }
      .play:hover {
        background: var(--accent);
        filter: brightness(1.1);
      }
      .play[aria-pressed="true"] {
        background: var(--accent);
        color: var(--accent-ink);
      }
      .record {
        color: var(--record);
      }
      .record[aria-pressed="true"] {
        background: var(--record);
        color: var(--surface);
      }
      .sound {
        max-width: 250px;
        color: var(--ink-2);
        font-size: var(--size-small);
      }
      .sound u {
        color: var(--accent);
        text-underline-offset: 2px;
      }
      @media (max-width: 1100px) {
        .sound u {
          display: none;
        }
        .sound .dash {
          display: none;
        }
      }
      @media (max-width: 760px) {
        .sound,
        .start {
          display: none;
        }
        .position {
          min-width: 58px;
          padding: 0 2px;
        }
        .tempo {
          padding: 0;
        }
        .tempo input {
          width: 48px;
        }
      }
    `,
  ];

  private readonly ontick = (tick: number): void => this.showPosition(tick);

  override connectedCallback(): void {
    super.connectedCallback();
    this.studio?.playing.ontick.add(this.ontick);
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    this.studio?.playing.ontick.delete(this.ontick);
  }

  override updated(): void {
    this.studio.playing.ontick.add(this.ontick);
    this.showPosition(this.studio.playing.tick);
  }

  private showPosition(tick: number): void {
    const label = this.renderRoot.querySelector(".position");
    const place = this.studio.song?.bars.place(Math.max(0, tick));
    const text = place ? `${place.bar}.${place.beat}` : "1.1";
    if (label && label.textContent !== text) label.textContent = text;
    // For screen readers where it stands; while it plays, a key says where it is.
    const { playing } = this.studio.playing;
    label?.setAttribute("aria-label", playing ? T.transport.position : `${T.transport.position}: ${placeText(this.studio, tick)}`);
  }

  override render(): TemplateResult {
    const { studio } = this;
    const { playing, song, recording } = studio;
    const tempo = song ? Math.round(song.clock.quartersPerMinute(playing.tick) * 100) / 100 : 120;
    const loop = playing.loop !== null;
    return html` <button
        class="icon-only start"
        aria-label=${T.transport.start}
        title=${this.tip(T.transport.start, "start")}
        @click=${() => studio.playing.seek(0)}
      >
        ${icon("start")}
      </button>
      <button
        class="icon-only play"
        aria-label=${playing.playing ? T.transport.stop : T.transport.play}
        title=${this.tip(playing.playing ? T.transport.stop : T.transport.play, "play")}
        @click=${() => studio.togglePlaying()}
      >
        ${icon(playing.playing ? "stop" : "play")}
      </button>
      ${this.toggle("record", T.transport.record, recording.active, () => void recording.toggle(), "record", "record")}
      ${this.toggle("loop", T.transport.loop, loop, () => studio.toggleLoop(), "loop")}
      ${this.toggle("metronome", T.transport.metronome, playing.metronome, () => playing.setMetronome(!playing.metronome), "metronome")}
      <span class="position" role="img" title=${this.tip(T.transport.position, "where")}></span>
      <label class="tempo" title=${T.transport.tempo}
        ><span aria-hidden="true">${T.transport.bpm}</span>
        <input
          type="number"
          min=${LEAST_TEMPO}
          max=${MOST_TEMPO}
          step="any"
          inputmode="decimal"
          aria-label=${T.transport.tempo}
          .value=${held(String(tempo))}
          ?disabled=${!song}
          @change=${this.setTempo}
      /></label>
      <button class="sound cut" title=${T.transport.soundNote} @click=${() => studio.set({ dialog: "soundfont" })}>
        <span class="cut">${this.soundName()}</span>${
          this.builtIn ? html`<span class="dash" aria-hidden="true">–</span><u>${T.transport.choose}</u>` : ""
        }
      </button>`;
  }

  private get builtIn(): boolean {
    return this.soundName() === T.transport.builtIn;
  }

  private soundName(): string {
    return this.studio.playing.player.state.sound || T.transport.builtIn;
  }

  private toggle(image: Icon, label: string, on: boolean, run: () => void, id: string, kind = ""): TemplateResult {
    return html`<button
      class="icon-only ${kind}"
      aria-pressed=${on}
      aria-label=${label}
      title=${this.tip(label, id)}
      @click=${run}
    >
      ${icon(image)}
    </button>`;
  }

  private tip(label: string, id: string): string {
    return `${label} (${shownKey(keyOf(id), IS_MAC)})`;
  }

  private setTempo(event: Event): void {
    const { piece, playing } = this.studio;
    const tempo = Number(valueOf(event));
    if (!piece || !(tempo >= LEAST_TEMPO && tempo <= MOST_TEMPO)) return this.requestUpdate();
    // The change of tempo that holds at the cursor becomes another; no new one is put into the piece.
    const before = piece.song.clock.changes.filter(([tick]) => tick <= playing.tick);
    this.studio.edit([{ type: "tempo", tick: before.at(-1)?.[0] ?? 0, quartersPerMinute: tempo }]);
  }
}

define("toccata-transport", Transport);
