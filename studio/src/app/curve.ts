/** The curve of a training's loss, on a small canvas. */

import { type PropertyValues, LitElement, css, html } from "lit";
import type { Training } from "../protocol";
import { T } from "../strings";
import { define } from "./element";

const HEIGHT = 90;
const EDGE = 4;

export class Curve extends LitElement {
  static override properties = { curve: { attribute: false } };
  static override styles = css`
    :host {
      display: block;
    }
    canvas {
      display: block;
      width: 100%;
      height: ${HEIGHT}px;
    }
  `;

  declare curve: Training["curve"];
  private observer: ResizeObserver | null = null;

  constructor() {
    super();
    this.curve = [];
  }

  override connectedCallback(): void {
    super.connectedCallback();
    this.observer = new ResizeObserver(() => this.draw());
    this.observer.observe(this);
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    this.observer?.disconnect();
  }

  override render(): unknown {
    const last = this.curve.at(-1);
    const text = last
      ? `${T.train.curve}. ${T.train.step} ${last[0]}, ${T.train.loss} ${(last[2] ?? last[1] ?? 0).toFixed(3)}`
      : T.train.curve;
    return html`<canvas role="img" aria-label=${text}></canvas>`;
  }

  override updated(_changed: PropertyValues): void {
    this.draw();
  }

  private draw(): void {
    const canvas = this.renderRoot.querySelector("canvas");
    const brush = canvas?.getContext("2d");
    const width = this.clientWidth;
    if (!canvas || !brush || width === 0) return;
    const scale = devicePixelRatio || 1;
    canvas.width = Math.round(width * scale);
    canvas.height = Math.round(HEIGHT * scale);
    brush.scale(scale, scale);
    brush.clearRect(0, 0, width, HEIGHT);
    const values = this.curve
      .flatMap(([, train, held]) => [train, held])
      .filter((value): value is number => value !== null);
    const [low, high] = [Math.min(...values), Math.max(...values)];
    const steps = Math.max(1, this.curve.at(-1)?.[0] ?? 1);
    if (values.length === 0) return;
    const x = (step: number): number => EDGE + (step / steps) * (width - 2 * EDGE);
    const y = (value: number): number =>
      EDGE + (1 - (high > low ? (value - low) / (high - low) : 0.5)) * (HEIGHT - 2 * EDGE);
    const style = getComputedStyle(this);
    brush.lineJoin = "round";
    this.line(brush, 1, x, y, style.getPropertyValue("color"), 1);
    const accent = this.colour("--accent");
    this.line(brush, 2, x, y, accent, 2);
    brush.fillStyle = accent;
    for (const point of this.curve) {
      if (point[2] === null) continue;
      brush.beginPath();
      brush.arc(x(point[0]), y(point[2]), 2.5, 0, 2 * Math.PI);
      brush.fill();
    }
  }

  private line(
    brush: CanvasRenderingContext2D,
    column: 1 | 2,
    x: (step: number) => number,
    y: (value: number) => number,
    colour: string,
    width: number,
  ): void {
    brush.beginPath();
    let begun = false;
    for (const point of this.curve) {
      const value = point[column];
      if (value === null) continue;
      if (begun) brush.lineTo(x(point[0]), y(value));
      else brush.moveTo(x(point[0]), y(value));
      begun = true;
    }
    brush.strokeStyle = colour;
    brush.lineWidth = width;
    brush.stroke();
  }

  /** A token's colour as the canvas can use it: light-dark() is resolved where it is a colour, not in the token. */
  private colour(token: string): string {
    const canvas = this.renderRoot.querySelector("canvas");
    if (!canvas) return "gray";
    canvas.style.color = `var(${token})`;
    return getComputedStyle(canvas).color;
  }
}

define("toccata-curve", Curve);
