import { describe, expect, it } from "vitest";

import {
  FIRST_VIEW, noteBox, pitchAt, tickAt, viewWith, wheelPixels, wheelZoom, xOf, yOf, zoomed,
} from "../../src/roll/view";
import { generator } from "../music/random";

const view = viewWith(FIRST_VIEW, { width: 1000, height: 500, end: 480 * 400, left: 3000, top: 600 });

describe("the view", () => {
  it("keeps the tick under the pointer when it zooms", () => {
    const random = generator(1);
    let now = view;
    for (let step = 0; step < 200; step++) {
      const x = 200 + random() * 600;
      const before = tickAt(now, x);
      const next = zoomed(now, random() < 0.5 ? 1.1 : 1 / 1.1, 1, x, 0);
      const atEdge = next.left === 0 || next.left + next.width >= next.end * next.tickWidth - 1;
      if (!atEdge) expect(Math.abs(tickAt(next, x) - before) * next.tickWidth).toBeLessThanOrEqual(0.51);
      now = next;
    }
  });

  it("never shows what is before the first tick or above the highest key", () => {
    const far = viewWith(view, { left: -500, top: -20 });
    expect([far.left, far.top]).toEqual([0, 0]);
    expect(viewWith(view, { left: 1e9 }).left).toBe(Math.ceil(view.end * view.tickWidth) - 1000);
    expect(pitchAt(viewWith(view, { top: 1e9 }), 499)).toBe(0);
  });

  it("puts keys on whole device pixels at any zoom and ratio", () => {
    for (const ratio of [1, 1.25, 1.5, 2, 3]) {
      for (const key of [4, 7.3, 16, 31.9]) {
        const some = viewWith(view, { ratio, key });
        expect(Number.isInteger(some.keyHeight)).toBe(true);
        expect(Number.isInteger(yOf(some, 60))).toBe(true);
        expect(Number.isInteger(xOf(some, 1237))).toBe(true);
      }
    }
  });

  it("draws notes that follow each other apart, and none narrower than a pixel", () => {
    const [x, , width] = noteBox(view, 480, 480, 60);
    expect(x + width).toBe(xOf(view, 960) - 1);
    expect(noteBox(zoomed(view, 0.01, 1, 0, 0), 480, 10, 60)[2]).toBe(1);
  });
});

describe("a wheel", () => {
  it("moves by pixels whatever its mode", () => {
    expect(wheelPixels({ deltaX: 0, deltaY: 100, deltaMode: 0 }, 600)).toEqual({ x: 0, y: 100 });
    expect(wheelPixels({ deltaX: 0, deltaY: 3, deltaMode: 1 }, 600)).toEqual({ x: 0, y: 48 });
    expect(wheelPixels({ deltaX: 1, deltaY: 0, deltaMode: 2 }, 600)).toEqual({ x: 600, y: 0 });
  });

  it("zooms by fifteen per cent an event at most", () => {
    for (const pixels of [-10_000, -100, -3, 3, 100, 10_000]) {
      expect(wheelZoom(pixels)).toBeLessThanOrEqual(1.15);
      expect(wheelZoom(pixels)).toBeGreaterThanOrEqual(1 / 1.15);
    }
    expect(wheelZoom(-100)).toBeGreaterThan(1);
    expect(wheelZoom(100) * wheelZoom(-100)).toBeCloseTo(1);
  });
});
