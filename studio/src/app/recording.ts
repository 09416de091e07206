/** Recording from a MIDI keyboard: what was played becomes a take of its own, on top of what was there. */

import { type Edit, operationsOf } from "../music/edits";
import type { Operation, TrackRef } from "../protocol";
import { Recorder } from "../sound";
import { T } from "../strings";
import { referenceTo } from "./layers";
import type { OpenPiece } from "./piece";
import type { Studio } from "./studio";

const COUNT_IN = 1;
/** A new piece has no tracks: what is played into it becomes a piano's. */
const PIANO: TrackRef = { track: "new:0", program: 0, drum: false, name: "" };

export class Recording {
  private recorder: Recorder | null = null;
  /** The browser asks whether the page may use MIDI keyboards. */
  private asking: Promise<Recorder> | null = null;
  private beginning = false;
  private heard: TrackRef | null = null;

  constructor(private readonly studio: Studio) {}

  get active(): boolean {
    return this.studio.playing.recording;
  }

  async toggle(): Promise<void> {
    if (this.active) this.studio.playing.stop();
    else await this.studio.attempt(() => this.begin());
  }

  /** Play the active track's instrument from the beginning, where keyboards are permitted already. */
  async listen(): Promise<void> {
    try {
      const { state } = await navigator.permissions.query({ name: "midi" as PermissionName });
      if (state === "granted") await this.open();
    } catch {
      // No permissions, or no keyboards: R asks, and says why not.
    }
  }

  /** The keyboard sounds as the active track. */
  follow(): void {
    if (!this.recorder || this.active) return;
    const track = this.into();
    const { heard } = this;
    if (heard?.track === track.track && heard.program === track.program && heard.drum === track.drum) return;
    this.heard = track;
    this.recorder.setTrack(track);
  }

  private async open(): Promise<Recorder> {
    if (this.recorder) return this.recorder;
    this.asking ??= Recorder.open(this.studio.playing.player).finally(() => (this.asking = null));
    this.recorder = await this.asking;
    this.follow();
    return this.recorder;
  }

  private into(): TrackRef {
    const { song, view } = this.studio;
    const track = view.activeTrack === null ? undefined : song?.track(view.activeTrack);
    return track ? referenceTo(track) : PIANO;
  }

  private async begin(): Promise<void> {
    const { piece, playing } = this.studio;
    if (!piece) throw new Error(T.why.noPiece);
    if (this.beginning || this.active) return;
    this.beginning = true;
    const recorder = await this.open().finally(() => (this.beginning = false));
    if (recorder.inputs().length === 0) throw new Error(T.why.noMidi);
    // While the browser asked, another piece may have been opened.
    if (this.studio.piece !== piece) return;
    const into = this.into();
    this.heard = into;
    recorder.start(into, Math.round(playing.tick), COUNT_IN, piece.song.ticksPerQuarter);
    playing.record(() => this.finish(recorder, piece));
  }

  /** Put what was played into the piece in which it was begun, as one step. */
  private finish(recorder: Recorder, piece: OpenPiece): void {
    const played = recorder.stop();
    const operations = played ? settled(played, piece) : [];
    if (operations.length > 0) piece.edit(operations, true);
    this.studio.changed();
  }
}

/** What was played replaces or shortens notes of its pitch, as a note that is drawn does. */
function settled(played: Operation, piece: OpenPiece): Operation[] {
  if (played.type !== "notes") return [];
  const { track, program, drum, name, add } = played;
  const edit: Edit = new Map([[track, { remove: [], add, into: { track, program, drum, name } }]]);
  return operationsOf(piece.song, edit, piece.locks).operations;
}
