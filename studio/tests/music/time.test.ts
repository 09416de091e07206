import { describe, expect, it } from "vitest";

import { Bars, Tempos } from "../../src/music/time";
import { generator, whole } from "./random";

describe("the tempo map", () => {
  it("goes from ticks to seconds and back", () => {
    const clock = new Tempos([[0, 120], [960, 60], [1920, 200]], 480);
    expect(clock.seconds(480)).toBeCloseTo(0.5);
    expect(clock.seconds(1920)).toBeCloseTo(3);
    expect(clock.seconds(1920 + 480)).toBeCloseTo(3.3);
    const random = generator(1);
    for (let trial = 0; trial < 200; trial++) {
      const tick = whole(random, 5000);
      expect(clock.tick(clock.seconds(tick))).toBeCloseTo(tick, 6);
    }
  });

  it("is 120 where the song names no tempo", () => {
    expect(new Tempos([], 480).quartersPerMinute(0)).toBe(120);
    expect(new Tempos([[480, 60]], 480).seconds(960)).toBeCloseTo(1.5);
  });
});

describe("bar lines", () => {
  const bars = new Bars([0, 1920, 3840, 5280, 6720], [[0, 4, 4], [3840, 3, 4]], 480);

  it("names the bar and beat of a tick", () => {
    expect(bars.place(0)).toEqual({ bar: 1, beat: 1, rest: 0 });
    expect(bars.place(2400)).toEqual({ bar: 2, beat: 2, rest: 0 });
    expect(bars.place(3840 + 720)).toEqual({ bar: 3, beat: 2, rest: 0.5 });
  });

  it("goes on after the end with the last meter", () => {
    expect(bars.count).toBe(4);
    expect(bars.start(5)).toBe(6720);
    expect(bars.start(7)).toBe(6720 + 2 * 1440);
    expect(bars.at(6720 + 2 * 1440 - 1)).toBe(6);
    expect(bars.at(6720 + 2 * 1440)).toBe(7);
    expect(bars.meter(9)).toEqual([3, 4]);
  });

  it("holds each tick in the bar that begins before it", () => {
    const ticks = Array.from({ length: 12_000 }, (_, tick) => tick);
    expect(ticks.filter((tick) => bars.start(bars.at(tick)) > tick || bars.start(bars.at(tick) + 1) <= tick)).toEqual([]);
  });

  it("rounds up to a bar line", () => {
    expect(bars.lineFrom(1920)).toBe(1920);
    expect(bars.lineFrom(1921)).toBe(3840);
  });
});
