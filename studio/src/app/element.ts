/** What all elements of the page share: the studio they show, the look of controls, icons, styles set through the CSSOM. */

import { LitElement, type SVGTemplateResult, type TemplateResult, css, html, noChange, svg } from "lit";
import { Directive, type ElementPart, type PropertyPart, directive } from "lit/directive.js";
import { live } from "lit/directives/live.js";
import { composing } from "../keys";
import type { Studio } from "./studio";

/** Whether the last thing the user touched was a pointer: a control that was used by one does not keep the keys. */
let byPointer = false;
window.addEventListener(
  "pointerdown",
  () => {
    byPointer = true;
  },
  { capture: true },
);
window.addEventListener(
  "keydown",
  () => {
    byPointer = false;
  },
  { capture: true },
);

/** Whether the page was last used by a mouse or a finger. */
export const usedPointer = (): boolean => byPointer;

function giveKeysBack(event: Event): void {
  const { target } = event;
  if (target instanceof HTMLSelectElement && byPointer && !target.form) target.blur();
}

function leaveField(event: Event): void {
  const { target } = event;
  if (!(event instanceof KeyboardEvent) || composing(event) || !(target instanceof HTMLInputElement) || target.form) return;
  if (event.key === "Enter" && target.type !== "checkbox" && !target.matches("[role=combobox]")) target.blur();
}

/** An element that shows the studio's state and is drawn again whenever it changes. */
export abstract class Part extends LitElement {
  static override properties = { studio: { attribute: false } };
  declare studio: Studio;
  private unsubscribe: (() => void) | null = null;

  override connectedCallback(): void {
    super.connectedCallback();
    this.subscribe();
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    this.unsubscribe?.();
    this.unsubscribe = null;
  }

  override willUpdate(): void {
    this.subscribe();
  }

  protected override createRenderRoot(): HTMLElement | DocumentFragment {
    const root = super.createRenderRoot();
    root.addEventListener("change", giveKeysBack);
    root.addEventListener("keydown", leaveField);
    return root;
  }

  private subscribe(): void {
    if (this.unsubscribe || !this.studio || !this.isConnected) return;
    this.unsubscribe = this.studio.onChange(() => this.requestUpdate());
  }
}

class Styled extends Directive {
  private names = new Set<string>();

  override render(_values: Readonly<Record<string, string>>): undefined {
    return undefined;
  }

  override update(part: ElementPart, [values]: [Readonly<Record<string, string>>]): undefined {
    const style = (part.element as HTMLElement).style;
    for (const name of this.names) if (!(name in values)) style.removeProperty(name);
    for (const [name, value] of Object.entries(values)) style.setProperty(name, value);
    this.names = new Set(Object.keys(values));
    return undefined;
  }
}

/** Sets properties of an element's style: the page's security policy allows no style attribute. */
export const styled = directive(Styled);

class Held extends Directive {
  override render(value: string): string {
    return value;
  }

  override update(part: PropertyPart, [value]: [string]): string | typeof noChange {
    const field = part.element as HTMLInputElement;
    if (field.matches(":focus") || field.value === value) return noChange;
    field.value = value;
    return noChange;
  }
}

/** The value that holds, for a text field: shown whatever was typed into it before, but not while someone types. */
export const held = directive(Held);

/** An option of a select that shows what holds, whatever was chosen in it before. */
export function option(value: string | number, label: string, selected: boolean): TemplateResult {
  return html`<option value=${value} .selected=${live(selected)}>${label}</option>`;
}

/** Put the focus into a field that has just appeared, with its text selected. */
export function editField(field: HTMLInputElement | null): void {
  field?.focus();
  field?.select();
}

/** What has the focus, inside of all the elements around it. */
export function focusedElement(): HTMLElement | null {
  let found = document.activeElement;
  while (found?.shadowRoot?.activeElement) found = found.shadowRoot.activeElement;
  return found instanceof HTMLElement ? found : null;
}

const PATHS = {
  play: "M5 3.5v9l7.5-4.5z",
  stop: "M4 4h8v8H4z",
  start: "M3 3h1.6v10H3zM13 3.5v9L5.6 8z",
  record: "M8 3.2a4.8 4.8 0 1 1 0 9.6 4.8 4.8 0 0 1 0-9.6z",
  loop: "M4.5 4H11a3 3 0 0 1 3 3v1h-1.6V7A1.4 1.4 0 0 0 11 5.6H4.5V8L1 4.8 4.5 1.6zM11.5 12H5a3 3 0 0 1-3-3V8h1.6v1A1.4 1.4 0 0 0 5 10.4h6.5V8l3.5 3.2-3.5 3.2z",
  metronome: "M6 2h4l3 12H3zM7.2 3.6 5 12.4h6L9.9 8.2 7.4 11l-1-.9 3-3.3-.8-3.2z",
  undo: "M6.5 3v2.6H9a4 4 0 1 1 0 8H5V12h4a2.4 2.4 0 1 0 0-4.8H6.5v2.6L2 6.4z",
  redo: "M9.5 3v2.6H7a4 4 0 1 0 0 8h4V12H7a2.4 2.4 0 1 1 0-4.8h2.5v2.6L14 6.4z",
  close: "M4.2 3.1 8 6.9l3.8-3.8 1.1 1.1L9.1 8l3.8 3.8-1.1 1.1L8 9.1l-3.8 3.8-1.1-1.1L6.9 8 3.1 4.2z",
  star: "m8 1.8 1.9 4 4.3.6-3.1 3 .8 4.4L8 11.7l-3.9 2.1.8-4.4-3.1-3 4.3-.6z",
  trash: "M6 2h4l.6 1H14v1.5H2V3h3.4zM3.2 5.5h9.6l-.8 9H4zM6 7v6h1.2V7zm2.8 0v6H10V7z",
  ear: "M8 1.5a4.7 4.7 0 0 1 4.7 4.7c0 2-1 2.9-1.9 3.8-.7.8-1 1.5-1.2 2.3A2.9 2.9 0 0 1 4 12h1.6a1.3 1.3 0 0 0 2.5.1c.3-1.3.8-2.1 1.6-3 .8-.9 1.4-1.5 1.4-2.9a3.1 3.1 0 0 0-6.2 0H3.3A4.7 4.7 0 0 1 8 1.5zm0 2.6a2.1 2.1 0 0 1 2 2.1c0 1.1-.8 1.7-1.6 2l-.5-1.3c.4-.2.6-.4.6-.7a.6.6 0 0 0-1.1 0H6a2.1 2.1 0 0 1 2-2.1z",
  pencil: "m11.3 1.8 2.9 2.9L5.6 13.3l-3.9 1 1-3.9zM10 5.3 4.1 11.2l-.3 1 1-.3L10.7 6z",
  eye: "M8 3.5c3.3 0 5.7 2.2 7 4.5-1.3 2.3-3.7 4.5-7 4.5S2.3 10.3 1 8c1.3-2.3 3.7-4.5 7-4.5zm0 1.7a2.8 2.8 0 1 0 0 5.6 2.8 2.8 0 0 0 0-5.6z",
  eyeOff:
    "m2.5 1.5 12 12-1 1-2.4-2.4a8 8 0 0 1-3.1.4C4.7 12.5 2.3 10.3 1 8a10 10 0 0 1 2.6-2.9L1.5 2.5zM8 3.5c3.3 0 5.7 2.2 7 4.5a10 10 0 0 1-1.5 2L6.6 3.7A8 8 0 0 1 8 3.5z",
  more: "M3 6.7a1.3 1.3 0 1 1 0 2.6 1.3 1.3 0 0 1 0-2.6zm5 0a1.3 1.3 0 1 1 0 2.6 1.3 1.3 0 0 1 0-2.6zm5 0a1.3 1.3 0 1 1 0 2.6 1.3 1.3 0 0 1 0-2.6z",
  library: "M2 2h3v12H2zm4 0h3v12H6zm4.3.6 2.9-.8 2.9 11.6-2.9.8z",
  theme: "M8 1.5a6.5 6.5 0 1 1 0 13 6.5 6.5 0 0 1 0-13zm0 1.6v9.8a4.9 4.9 0 0 0 0-9.8z",
  plus: "M7.2 3h1.6v4.2H13v1.6H8.8V13H7.2V8.8H3V7.2h4.2z",
  minus: "M3 7.2h10v1.6H3z",
  lock: "M5 7V5a3 3 0 1 1 6 0v2h1v7H4V7zm1.5 0h3V5a1.5 1.5 0 0 0-3 0z",
  table: "M2 3h12v10H2zm1.5 3v1.7h3.7V6zm5.2 0v1.7h3.8V6zM3.5 9.2v2.3h3.7V9.2zm5.2 0v2.3h3.8V9.2z",
  down: "M3.5 5.5 8 10l4.5-4.5 1 1L8 12 2.5 6.5z",
  check: "m6.3 12.3-4-4 1.2-1.2 2.8 2.8L12.5 3.7l1.2 1.2z",
  search: "M7 2a5 5 0 0 1 4 8l3.5 3.5-1.1 1.1L9.9 11A5 5 0 1 1 7 2zm0 1.6a3.4 3.4 0 1 0 0 6.8 3.4 3.4 0 0 0 0-6.8z",
  folder: "M1.5 3h5l1.5 2h6.5v8.5h-13z",
  train: "M2 13V3h1.5v8.5H14V13zm3-3.5 3-3.6 2 2L13.5 4l1 1-4.4 5-2-2L6.2 10.5z",
} as const;

export type Icon = keyof typeof PATHS;

/** A small picture; what it means stands in text beside it or in a label. */
export function icon(name: Icon): SVGTemplateResult {
  return svg`<svg class="icon" viewBox="0 0 16 16" aria-hidden="true"><path d=${PATHS[name]}></path></svg>`;
}

/** Controls: buttons, fields, small headings. */
export const controls = css`
  :host {
    box-sizing: border-box;
  }
  *,
  *::before,
  *::after {
    box-sizing: inherit;
  }
  [hidden] {
    display: none !important;
  }
  button,
  select,
  input,
  textarea {
    font: inherit;
    color: inherit;
  }
  button {
    display: inline-flex;
    align-items: center;
    justify-content: center;
    gap: 6px;
    min-height: var(--control);
    padding: 0 10px;
    border: 1px solid transparent;
    border-radius: var(--radius);
    background: transparent;
    cursor: pointer;
    white-space: nowrap;
    transition: background var(--quick);
  }
  button:hover {
    background: var(--sunken);
  }
  button.icon-only {
    width: var(--control);
    padding: 0;
    flex: none;
  }
  button.outlined {
    border-color: var(--line);
    background: var(--raised);
  }
  button.outlined:hover {
    border-color: var(--line-strong);
  }
  button.primary {
    background: var(--accent);
    color: var(--accent-ink);
    font-weight: 600;
  }
  button.primary:hover {
    filter: brightness(1.08);
  }
  button[aria-pressed="true"],
  button[aria-expanded="true"].mark {
    background: var(--accent-soft);
    color: var(--accent);
  }
  button.unable {
    color: var(--ink-2);
  }
  button.small {
    min-height: 24px;
    padding: 0 7px;
    font-size: var(--size-small);
  }
  button.small.icon-only {
    width: 24px;
    padding: 0;
  }
  a {
    color: var(--accent);
  }
  :focus {
    outline: none;
  }
  :focus-visible {
    outline: 2px solid var(--accent);
    outline-offset: 1px;
  }
  .icon {
    width: 16px;
    height: 16px;
    flex: none;
    fill: currentColor;
    fill-rule: evenodd;
  }
  input:not([type="checkbox"], [type="range"], [type="radio"]),
  select,
  textarea {
    min-height: var(--control);
    padding: 0 8px;
    border: 1px solid var(--line-strong);
    border-radius: var(--radius);
    background: var(--raised);
    color: var(--ink);
    min-width: 0;
  }
  input[type="checkbox"],
  input[type="range"],
  input[type="radio"] {
    accent-color: var(--accent);
  }
  kbd {
    font: 600 11px / 1 var(--mono);
    padding: 3px 5px;
    border-radius: 4px;
    color: var(--ink-2);
    border: 1px solid var(--line);
    background: var(--ground);
    min-width: 18px;
    text-align: center;
  }
  h2 {
    margin: 0;
    font-size: var(--size);
    font-weight: 600;
  }
  h3 {
    margin: 0;
    font-size: var(--size-small);
    font-weight: 600;
    color: var(--ink-2);
  }
  p {
    margin: 0;
  }
  .muted {
    color: var(--ink-2);
  }
  .small {
    font-size: var(--size-small);
  }
  .row {
    display: flex;
    align-items: center;
    gap: var(--space-2);
  }
  .spread {
    flex: 1;
  }
  .cut {
    overflow: hidden;
    text-overflow: ellipsis;
    white-space: nowrap;
    min-width: 0;
  }
  .mono {
    font-family: var(--mono);
    font-variant-numeric: tabular-nums;
  }
  .unseen {
    position: absolute;
    width: 1px;
    height: 1px;
    overflow: hidden;
    clip-path: inset(50%);
    white-space: nowrap;
  }
  @media (pointer: coarse) {
    button.small {
      min-height: 36px;
    }
    button.small.icon-only {
      width: 36px;
    }
  }
`;

/** The value of the field that an event comes from. */
export function valueOf(event: Event): string {
  return (event.target as HTMLInputElement | HTMLSelectElement).value;
}

/** Labels above their fields, and two of them side by side. */
export const fields = css`
  label {
    display: grid;
    gap: 2px;
  }
  label > span {
    color: var(--ink-2);
    font-size: var(--size-small);
  }
  .two {
    display: grid;
    grid-template-columns: 1fr 1fr;
    gap: 10px;
  }
`;

export function define(name: string, element: CustomElementConstructor): void {
  if (!customElements.get(name)) customElements.define(name, element);
}
