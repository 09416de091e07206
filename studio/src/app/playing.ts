/** The page's side of sound: what is heard, from where, and where the cursor is. */

import type { IdeaLayer, SongState } from "../music/music";
import type { RollMethods, RollProperties } from "../roll/roll";
import type { StudioPlayer } from "../sound";

export class Playing {
  muted: ReadonlySet<string> = new Set();
  soloed: ReadonlySet<string> = new Set();
  loop: [from: number, to: number] | null = null;
  metronome = false;
  follow = true;
  /** Where playing begins, and where it returns to. */
  tick = 0;
  roll: (RollMethods & RollProperties) | null = null;
  /** Called with the place of the ear, once a frame while it moves. */
  readonly ontick = new Set<(tick: number) => void>();
  private stopAt: number | null = null;
  private frame = 0;
  /** While it is recorded: puts what was played into the piece, and stops the player. */
  private finish: (() => void) | null = null;

  constructor(
    readonly player: StudioPlayer,
    private readonly changed: () => void,
    /** Called where nobody may move the place, as it is recorded. */
    private readonly refused: () => void = () => undefined,
  ) {
    player.onstate = () => {
      if (player.state.playing) this.run();
      this.changed();
    };
  }

  get playing(): boolean {
    return this.player.state.playing;
  }

  get recording(): boolean {
    return this.finish !== null;
  }

  /** A recording has begun; `finish` is called once, however it ends. */
  record(finish: () => void): void {
    this.finish = finish;
    this.stopAt = null;
    this.run();
    this.changed();
  }

  setSong(song: SongState): void {
    this.player.setSong(song);
  }

  setIdea(idea: IdeaLayer | null): void {
    this.player.setIdea(idea);
  }

  /** Begin at a tick, by default at the cursor; end at another, if one is given. */
  play(from = this.tick, to: number | null = null): void {
    if (this.recording) this.stop();
    this.tick = from;
    this.stopAt = to;
    this.player.play(from);
    this.run();
    this.changed();
  }

  stop(): void {
    const at = this.player.position();
    const { finish } = this;
    this.finish = null;
    finish?.();
    this.player.stop();
    this.stopAt = null;
    this.place(at);
    this.changed();
  }

  toggle(): void {
    if (this.playing || this.recording) this.stop();
    else this.play();
  }

  seek(tick: number): void {
    if (this.recording) return this.refused();
    this.stopAt = null;
    this.player.seek(tick);
    this.place(tick);
    this.changed();
  }

  setLoop(loop: [number, number] | null): void {
    this.loop = loop;
    this.player.setLoop(loop);
    this.changed();
  }

  setMetronome(on: boolean): void {
    this.metronome = on;
    this.player.setMetronome(on);
    this.changed();
  }

  setMuted(muted: ReadonlySet<string>, soloed: ReadonlySet<string>): void {
    this.muted = muted;
    this.soloed = soloed;
    this.player.setMuted(muted, soloed);
    this.changed();
  }

  private place(tick: number): void {
    this.tick = Math.max(0, tick);
    this.roll?.cursorAt(this.tick, false);
    for (const listener of this.ontick) listener(this.tick);
  }

  private run(): void {
    if (this.frame) return;
    const step = (): void => {
      this.frame = 0;
      if (!this.playing) return;
      const tick = this.player.position();
      if (this.stopAt !== null && tick >= this.stopAt) {
        this.stop();
        return;
      }
      this.tick = tick;
      this.roll?.cursorAt(tick, this.follow);
      for (const listener of this.ontick) listener(tick);
      this.frame = requestAnimationFrame(step);
    };
    this.frame = requestAnimationFrame(step);
  }
}
