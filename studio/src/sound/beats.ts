/** Beats and bar lines, for the metronome and for what is to happen at the next beat. */

import type { BarLines, SongState } from "../music/music";

type Metrical = Pick<SongState, "bars" | "ticksPerQuarter">;

export interface Beat {
  tick: number;
  /** The first of a bar. */
  accent: boolean;
}

/** Ticks of a beat in a bar: the meter's denominator. */
export function beatLength(music: Metrical, bar: number): number {
  const [, denominator] = music.bars.meter(bar);
  return (music.ticksPerQuarter * 4) / denominator;
}

/** The beats in [from, to), in order. */
export function beatsWithin(music: Metrical, from: number, to: number): Beat[] {
  const { bars } = music;
  const found: Beat[] = [];
  for (let bar = bars.at(Math.max(0, from)); bars.start(bar) < to; bar++) {
    const step = beatLength(music, bar);
    const end = Math.min(to, bars.start(bar + 1));
    const start = bars.start(bar);
    for (let n = 0; start + n * step < end; n++) {
      const tick = Math.round(start + n * step);
      if (tick >= from) found.push({ tick, accent: n === 0 });
    }
  }
  return found;
}

/** The first beat at `tick` or after it. */
export function nextBeat(music: Metrical, tick: number): number {
  const bar = music.bars.at(tick);
  const step = beatLength(music, bar);
  const start = music.bars.start(bar);
  return Math.min(Math.round(start + Math.ceil((tick - start) / step) * step), music.bars.start(bar + 1));
}

/** The first bar line at `tick` or after it. */
export function nextBar(bars: BarLines, tick: number): number {
  const bar = bars.at(tick);
  return bars.start(bar) === tick ? tick : bars.start(bar + 1);
}
