/** Recording from a MIDI keyboard: what was played becomes a take of its own, on top of what was there. */

import { referenceTo } from "./layers";
import { Recorder } from "../sound";
import { T } from "../strings";
import type { Studio } from "./studio";

const COUNT_IN = 1;

export class Recording {
  active = false;
  private recorder: Recorder | null = null;

  constructor(private readonly studio: Studio) {}

  async toggle(): Promise<void> {
    if (this.active) this.finish();
    else await this.studio.attempt(() => this.begin());
  }

  private async begin(): Promise<void> {
    const { song, view, playing } = this.studio;
    const track = view.activeTrack === null ? undefined : song?.track(view.activeTrack);
    // A new piece has no tracks: what is played into it becomes a piano's.
    const into = track ? referenceTo(track) : { track: "new:0", program: 0, drum: false, name: "" };
    if (!song) throw new Error(T.why.noPiece);
    this.recorder ??= await Recorder.open(playing.player);
    if (this.recorder.inputs().length === 0) throw new Error(T.why.noMidi);
    this.recorder.start(into, Math.round(playing.tick), COUNT_IN, song.ticksPerQuarter);
    this.active = true;
    this.studio.changed();
  }

  /** Stop, and put what was played into the piece, as one step. */
  finish(): void {
    if (!this.active) return;
    this.active = false;
    const operation = this.recorder?.stop() ?? null;
    if (operation) this.studio.piece?.edit([operation], true);
    this.studio.changed();
  }
}
