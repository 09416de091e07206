/**
 * The look-ahead scheduler's arithmetic: which note is struck and let go when. Times are seconds of an audio clock that
 * is handed in; there is no sound API here, and no timer.
 */

import type { IdeaLayer, SongState, TempoMap } from "../music/music";
import { beatLength, beatsWithin, nextBar, nextBeat } from "./beats";
import { Source, type Onset, type Part } from "./source";

/** Who carries out what the transport finds. */
export interface Stage {
  strike(part: Part, pitch: number, velocity: number, at: number): void;
  release(part: Part, pitch: number, at: number): void;
  click(accent: boolean, at: number): void;
}

/** A stretch of the audio clock in which ticks follow a tempo map; without one, they stand still. */
interface Stretch {
  at: number;
  tick: number;
  clock: TempoMap | null;
}

interface Sounding {
  part: Part;
  pitch: number;
  tick: number;
  /** The tick where it ends. */
  end: number;
  /** When it was, or will be, struck. */
  at: number;
}

interface Happening {
  tick: number;
  /** At the same tick: what ends before what begins. */
  order: number;
  act: () => void;
}

const LATE = 0.03; // seconds: later than this, the music waits instead of being hurried
const REMEMBERED = 8;

export class Transport {
  playing = false;
  metronome = false;
  /** Go on after the end of the music, and past the loop: something is recorded. */
  endless = false;
  private source: Source | null = null;
  private pending: { source: Source; tick: number } | null = null;
  private loop: readonly [number, number] | null = null;
  private muted: ReadonlySet<string> = new Set();
  private soloed: ReadonlySet<string> = new Set();
  private stretches: Stretch[] = [];
  /** All before this tick has been handed out. */
  private next = 0;
  /** It stands at an idea's frontier. */
  private held = false;
  private readonly sounding = new Map<string, Sounding>();

  constructor(private readonly stage: Stage) {}

  /** Whether it waits for a growing idea. */
  get waiting(): boolean {
    return this.playing && this.held;
  }

  /** When the last stretch began: after the end of the music, when that was. */
  get turned(): number {
    return this.stretches.at(-1)?.at ?? 0;
  }

  get song(): SongState | null {
    return this.source?.song ?? null;
  }

  /** Where the music ends, in ticks. */
  get end(): number {
    return this.source?.end ?? 0;
  }

  get idea(): IdeaLayer | null {
    return (this.pending ?? { source: this.source }).source?.idea ?? null;
  }

  /** Begin at a tick; nothing sounds from before. */
  start(tick: number, at: number): void {
    if (this.source === null) return;
    this.sounding.clear();
    this.takePending();
    this.playing = true;
    this.held = false;
    this.next = Math.max(0, Math.round(tick));
    this.stretches = [{ at, tick: this.next, clock: this.source.song.clock }];
  }

  /** End, without a word to the stage: it silences itself. Returns where the clock was. */
  stop(at: number): number {
    const tick = this.tickAt(at);
    this.playing = false;
    this.held = false;
    this.sounding.clear();
    this.takePending();
    this.stretches = [];
    this.next = tick;
    return tick;
  }

  /** While nothing plays: where it would begin. */
  place(tick: number): void {
    if (this.playing) return;
    this.stretches = [];
    this.next = Math.max(0, Math.round(tick));
  }

  /** Where the clock is at a time, in ticks; before the start it stands, unless `early` ticks are wanted too. */
  tickAt(time: number, early = false): number {
    let found = this.stretches[0];
    if (found === undefined) return this.next;
    for (const stretch of this.stretches) if (stretch.at <= time) found = stretch;
    if (found.clock === null || (time < found.at && !early)) return found.tick;
    const tick = found.clock.tick(found.clock.seconds(found.tick) + time - found.at);
    if (time >= found.at || tick > 0) return Math.max(0, tick);
    // Before the first tick there is no tempo map: the first tempo goes on.
    const perSecond = ((this.song?.ticksPerQuarter ?? 480) * found.clock.quartersPerMinute(found.tick)) / 60;
    return found.tick + (time - found.at) * perSecond;
  }

  /** When the next bar begins that is not yet handed out. */
  nextBarTime(): number {
    if (this.source === null || this.held) return 0;
    return this.timeOf(nextBar(this.source.song.bars, this.next));
  }

  setSong(song: SongState, now: number): void {
    this.setSource(new Source(song, this.source?.idea ?? null, this.muted, this.soloed), now);
    if (this.pending !== null) {
      this.pending.source = new Source(song, this.pending.source.idea, this.muted, this.soloed);
    }
  }

  /** Another idea is heard from the next beat on; the same one, grown, at once. */
  setIdea(idea: IdeaLayer | null, now: number): void {
    if (this.source === null) return;
    const source = new Source(this.source.song, idea, this.muted, this.soloed);
    const same = (idea?.id ?? null) === (this.source.idea?.id ?? null);
    if (!this.playing || this.held || same) {
      this.pending = null;
      this.setSource(source, now);
    } else {
      this.pending = { source, tick: nextBeat(this.source.song, this.next) };
    }
  }

  setMuted(muted: ReadonlySet<string>, soloed: ReadonlySet<string>, now: number): void {
    this.muted = muted;
    this.soloed = soloed;
    if (this.source !== null) this.setSource(new Source(this.source.song, this.source.idea, muted, soloed), now);
    if (this.pending !== null) {
      const { song, idea } = this.pending.source;
      this.pending.source = new Source(song, idea, muted, soloed);
    }
  }

  setLoop(loop: readonly [number, number] | null): void {
    this.loop = loop !== null && loop[1] > loop[0] ? loop : null;
  }

  /** Hand out all that happens before the time `until`. */
  pump(now: number, until: number): void {
    if (!this.playing || this.source === null) return;
    if (this.held && !this.resume(now)) return;
    if (this.timeOf(this.next) < now - LATE) this.follow(this.source.song.clock, now);
    for (let turns = 0; this.playing && !this.held && turns < 1000; turns++) {
      const boundary = this.boundary();
      const to = Math.min(this.tickBefore(until), boundary);
      if (to > this.next) this.handOut(to);
      if (this.next < boundary || this.timeOf(boundary) >= until) return;
      this.cross();
    }
  }

  private get music(): Source {
    if (this.source === null) throw new Error("there is no song to play");
    return this.source;
  }

  private timeOf(tick: number): number {
    const last = this.stretches.at(-1);
    if (last === undefined || last.clock === null) return last?.at ?? 0;
    return last.at + last.clock.seconds(tick) - last.clock.seconds(last.tick);
  }

  /** The first tick that is not before a time. */
  private tickBefore(time: number): number {
    const last = this.stretches.at(-1);
    if (last === undefined || last.clock === null) return this.next;
    return Math.ceil(last.clock.tick(last.clock.seconds(last.tick) + time - last.at) - 1e-6);
  }

  /** The next tick where it does not simply go on. */
  private boundary(): number {
    const { music, loop, next } = this;
    const ends = [music.limit(next), this.pending?.tick ?? Infinity];
    if (!this.endless) {
      // A piece that was begun after its end ends at once.
      ends.push(loop !== null && next <= loop[1] ? loop[1] : Math.max(music.end, next));
    }
    return Math.min(...ends);
  }

  private handOut(to: number): void {
    const from = this.next;
    const happenings: Happening[] = [];
    for (const note of this.music.onsets(from, to)) {
      happenings.push({ tick: note.tick, order: 1, act: () => this.strike(note, to) });
    }
    for (const [key, note] of this.sounding) {
      if (note.end <= to) happenings.push({ tick: note.end, order: 0, act: () => this.release(key, note) });
    }
    if (this.metronome) {
      for (const { tick, accent } of beatsWithin(this.music.song, from, to)) {
        happenings.push({ tick, order: 2, act: () => this.stage.click(accent, this.timeOf(tick)) });
      }
    }
    happenings.sort((a, b) => a.tick - b.tick || a.order - b.order);
    for (const { act } of happenings) act();
    this.next = to;
  }

  private strike(note: Onset, to: number): void {
    const key = `${note.part.id} ${note.pitch}`;
    const at = this.timeOf(note.tick);
    const before = this.sounding.get(key);
    if (before !== undefined) this.stage.release(before.part, before.pitch, at);
    const end = note.tick + Math.max(1, note.length);
    this.stage.strike(note.part, note.pitch, note.velocity, at);
    this.sounding.set(key, { part: note.part, pitch: note.pitch, tick: note.tick, end, at });
    if (end <= to) this.release(key, { part: note.part, pitch: note.pitch, tick: note.tick, end, at });
  }

  private release(key: string, note: Sounding): void {
    const there = this.sounding.get(key);
    // The key may have been struck again since.
    if (there === undefined || there.tick !== note.tick) return;
    this.sounding.delete(key);
    this.stage.release(note.part, note.pitch, this.timeOf(note.end));
  }

  private releaseAll(at: number): void {
    for (const { part, pitch } of this.sounding.values()) this.stage.release(part, pitch, at);
    this.sounding.clear();
  }

  /** What happens at the boundary where it stands. */
  private cross(): void {
    const { next, loop, music } = this;
    const at = this.timeOf(next);
    if (this.pending !== null && next >= this.pending.tick) {
      const { source } = this.pending;
      this.pending = null;
      this.setSource(source, at);
      return;
    }
    const atLoopEnd = loop !== null && next === loop[1];
    const atFrontier = next >= music.limit(next);
    const short = loop !== null && next < loop[0] + beatLength(music.song, music.song.bars.at(loop[0]));
    if (loop !== null && (atLoopEnd || (atFrontier && next < loop[1] && !short))) {
      this.releaseAll(at);
      this.next = loop[0];
      this.stretch({ at, tick: loop[0], clock: music.song.clock });
    } else if (atFrontier) {
      this.releaseAll(at);
      this.held = true;
      this.stretch({ at, tick: next, clock: null });
    } else {
      this.releaseAll(at);
      this.playing = false;
      this.stretch({ at, tick: next, clock: null });
    }
  }

  /** Go on from a frontier that has moved. */
  private resume(now: number): boolean {
    const { music, next } = this;
    const limit = music.limit(next);
    if (limit < next + beatLength(music.song, music.song.bars.at(next))) return false;
    const stood = this.stretches.at(-1)?.at ?? now;
    this.held = false;
    this.stretch({ at: Math.max(now + 0.02, stood), tick: next, clock: music.song.clock });
    return true;
  }

  private takePending(): void {
    if (this.pending !== null) this.source = this.pending.source;
    this.pending = null;
  }

  /** Other music from here on: notes that are no longer there are let go, those that are go on. */
  private setSource(source: Source, now: number): void {
    const clock = this.source?.song.clock;
    this.source = source;
    if (!this.playing) return;
    const here = this.next;
    for (const [key, note] of this.sounding) {
      const end = source.endOf(note.part.id, note.tick, note.pitch);
      if (end === null || end <= here) {
        this.sounding.delete(key);
        this.stage.release(note.part, note.pitch, Math.max(now, note.at));
      } else {
        note.end = end;
      }
    }
    if (clock !== source.song.clock && !this.held) this.follow(source.song.clock, now);
  }

  /** Follow a tempo map from the next tick on, which is not before `now`. */
  private follow(clock: TempoMap, now: number): void {
    const at = this.timeOf(this.next);
    this.stretch({ at: at < now - LATE ? now + 0.01 : at, tick: this.next, clock });
  }

  private stretch(stretch: Stretch): void {
    this.stretches.push(stretch);
    // A long look-ahead over a short loop may need many of them.
    if (this.stretches.length > REMEMBERED * 32) this.stretches.splice(0, REMEMBERED);
  }
}
