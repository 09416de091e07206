/** Ticks, seconds, bars and beats. */

import type { Song } from "../protocol";
import type { BarLines, TempoMap } from "./music";
import { lowerBound } from "./notes";

const DEFAULT_TEMPO = 120;

/** The index of the last of ascending `values` that is not above `value`; at least 0. */
function lastNotAbove(values: ArrayLike<number>, value: number): number {
  let index = lowerBound(values, value);
  if (index >= values.length || (values[index] as number) > value) index--;
  return Math.max(0, index);
}

/** Tempo changes as a map between ticks and seconds; binary search both ways. */
export class Tempos implements TempoMap {
  private readonly ticks: number[] = [];
  private readonly times: number[] = [];
  private readonly tempos: number[] = [];

  constructor(
    readonly changes: Song["tempos"],
    private readonly ticksPerQuarter: number,
  ) {
    const sorted = [...changes].filter(([, tempo]) => tempo > 0).sort((a, b) => a[0] - b[0]);
    if ((sorted[0]?.[0] ?? 1) > 0) sorted.unshift([0, DEFAULT_TEMPO]);
    for (const [tick, tempo] of sorted) {
      const before = this.ticks.length - 1;
      if (before >= 0 && this.ticks[before] === tick) this.tempos[before] = tempo;
      else {
        this.times.push(before < 0 ? 0 : this.seconds(tick));
        this.ticks.push(tick);
        this.tempos.push(tempo);
      }
    }
  }

  seconds(tick: number): number {
    const at = lastNotAbove(this.ticks, tick);
    return (this.times[at] as number) + ((tick - (this.ticks[at] as number)) * 60) / this.ticksPerSixty(at);
  }

  tick(seconds: number): number {
    const at = lastNotAbove(this.times, seconds);
    return (this.ticks[at] as number) + ((seconds - (this.times[at] as number)) / 60) * this.ticksPerSixty(at);
  }

  quartersPerMinute(tick: number): number {
    return this.tempos[lastNotAbove(this.ticks, tick)] as number;
  }

  /** A map with the tempo from `tick` to the next change set. */
  with(tick: number, quartersPerMinute: number): Tempos {
    const others = this.changes.filter(([at]) => at !== tick);
    const changes = [...others, [tick, quartersPerMinute] as [number, number]].sort((a, b) => a[0] - b[0]);
    return new Tempos(changes, this.ticksPerQuarter);
  }

  private ticksPerSixty(at: number): number {
    return (this.tempos[at] as number) * this.ticksPerQuarter;
  }
}

/** Bar lines of a song, going on after its end with the last meter. */
export class Bars implements BarLines {
  readonly count: number;
  private readonly starts: number[];
  private readonly meterTicks: number[];
  private readonly meters: [number, number][];

  constructor(
    lines: readonly number[],
    meters: Song["meters"],
    private readonly ticksPerQuarter: number,
  ) {
    const sorted = [...meters].sort((a, b) => a[0] - b[0]);
    if ((sorted[0]?.[0] ?? 1) > 0) sorted.unshift([0, 4, 4]);
    this.meterTicks = sorted.map((meter) => meter[0]);
    this.meters = sorted.map(([, numerator, denominator]) => [numerator, denominator]);
    this.starts = lines.length >= 2 ? [...lines] : [0, this.barLength(this.meterAt(0))];
    this.count = this.starts.length - 1;
  }

  start(number: number): number {
    const last = this.starts[this.count] as number;
    if (number <= 1) return this.starts[0] as number;
    if (number <= this.count + 1) return this.starts[number - 1] as number;
    return last + (number - this.count - 1) * this.barLength(this.meterAt(last));
  }

  at(tick: number): number {
    const last = this.starts[this.count] as number;
    if (tick >= last) return this.count + 1 + Math.floor((tick - last) / this.barLength(this.meterAt(last)));
    return lastNotAbove(this.starts, tick) + 1;
  }

  place(tick: number): { bar: number; beat: number; rest: number } {
    const bar = this.at(tick);
    const beats = (tick - this.start(bar)) / this.beatLength(bar);
    const whole = Math.floor(beats);
    return { bar, beat: whole + 1, rest: beats - whole };
  }

  meter(bar: number): [number, number] {
    return this.meterAt(this.start(bar));
  }

  /** Ticks of a beat (the meter's denominator) in a bar. */
  beatLength(bar: number): number {
    return (this.ticksPerQuarter * 4) / (this.meter(bar)[1] || 4);
  }

  /** The first bar line at or after `tick`. */
  lineFrom(tick: number): number {
    const bar = this.at(tick);
    const start = this.start(bar);
    return start >= tick ? start : this.start(bar + 1);
  }

  private meterAt(tick: number): [number, number] {
    return this.meters[lastNotAbove(this.meterTicks, tick)] as [number, number];
  }

  private barLength([numerator, denominator]: [number, number]): number {
    return Math.max(1, Math.round((this.ticksPerQuarter * 4 * numerator) / (denominator || 4)));
  }
}
