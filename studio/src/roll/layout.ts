/** The roll's shadow tree and its style sheet. */

import { LANE_HEIGHT } from "./lane";
import { PIANO_WIDTH, RULER_HEIGHT } from "./ruler";
import { ROLL } from "../strings";

export const MARKUP = `
<div class="roll" tabindex="0" role="application" aria-roledescription="${ROLL.roll}" aria-label="${ROLL.notes}"
     aria-activedescendant="note">
  <div class="corner"></div>
  <div class="top"><canvas class="ruler"></canvas><div class="head"></div></div>
  <canvas class="piano"></canvas>
  <div class="port">
    <canvas class="notes"></canvas><canvas class="overlay"></canvas>
    <div class="cursor"></div>
    <div class="scroller"><div class="space"></div></div>
  </div>
  <div class="corner low">${ROLL.velocity}</div>
  <canvas class="lane"></canvas>
  <div id="note" class="spoken" role="img" aria-label="${ROLL.noNote}"></div>
  <div class="probe"></div>
</div>`;

export const LAYOUT = `
:host { display: block; position: relative; min-width: 0; min-height: 120px; contain: strict; height: 100%; }
:host([hidden]) { display: none; }
.roll {
  position: absolute; inset: 0; display: grid; overflow: hidden; outline: none;
  grid-template: ${RULER_HEIGHT}px minmax(0, 1fr) ${LANE_HEIGHT}px / ${PIANO_WIDTH}px minmax(0, 1fr);
  background: var(--roll-panel); color: var(--roll-text-soft); font: 10px system-ui, sans-serif;
  user-select: none; -webkit-user-select: none; touch-action: none;
}
:host([data-low]) .roll { grid-template-rows: ${RULER_HEIGHT}px minmax(0, 1fr) 0; }
.roll:focus-visible:not([data-pointer])::after {
  content: ""; position: absolute; inset: 0; border: 2px solid var(--roll-focus); pointer-events: none;
}
.corner { box-sizing: border-box; border: 0 solid var(--roll-panel-line); border-width: 0 1px 1px 0; }
.corner.low { border-width: 1px 1px 0 0; padding: 6px 5px; text-align: right; overflow: hidden; }
.top, .port { position: relative; overflow: hidden; }
canvas { display: block; }
.port canvas { position: absolute; left: 0; top: 0; pointer-events: none; }
.scroller { position: absolute; inset: 0; overflow: scroll; scrollbar-width: thin;
  scrollbar-color: var(--roll-line-bar) transparent; overscroll-behavior: contain; touch-action: none; }
.space { pointer-events: none; }
.piano, .ruler, .lane { touch-action: none; }
.cursor, .head { position: absolute; left: 0; top: 0; pointer-events: none; will-change: transform; }
.cursor { width: 2px; margin-left: -1px; height: 100%; background: var(--roll-cursor); }
.head { width: 0; height: 0; margin-left: -6px; top: auto; bottom: 0;
  border: 6px solid transparent; border-top-color: var(--roll-cursor); border-bottom: 0; }
.spoken { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }
.probe { display: none; forced-color-adjust: none; }
`;
