/** Recording from a MIDI keyboard: what was played becomes one edit of the active track. */

import type { Note } from "../protocol";
import { T } from "../strings";
import type { Studio } from "./studio";

export class Recording {
  active = false;
  private inputs: MIDIInput[] = [];
  private readonly held = new Map<number, { tick: number; velocity: number }>();
  private notes: Note[] = [];

  constructor(private readonly studio: Studio) {}

  async toggle(): Promise<void> {
    if (this.active) this.finish();
    else await this.begin();
  }

  private async begin(): Promise<void> {
    if (!this.studio.song || !this.studio.view.activeTrack) return;
    const access = "requestMIDIAccess" in navigator ? await navigator.requestMIDIAccess().catch(() => null) : null;
    this.inputs = access ? [...access.inputs.values()] : [];
    if (this.inputs.length === 0) {
      this.studio.notices.error(new Error(T.why.noMidi), () => this.toggle());
      return;
    }
    for (const input of this.inputs) input.onmidimessage = (event) => this.receive(event.data);
    this.notes = [];
    this.held.clear();
    this.active = true;
    if (!this.studio.playing.playing) this.studio.playing.play();
    this.studio.changed();
  }

  /** Stop, and put what was played into the piece, as one step. */
  finish(): void {
    if (!this.active) return;
    this.active = false;
    for (const input of this.inputs) input.onmidimessage = null;
    for (const pitch of [...this.held.keys()]) this.release(pitch);
    const { song, view } = this.studio;
    const track = view.activeTrack === null ? undefined : song?.track(view.activeTrack);
    if (track && this.notes.length > 0) {
      const { program, drum, name } = track;
      this.studio.edit([{ type: "notes", track: track.track, program, drum, name, remove: [], add: this.notes }]);
    }
    this.studio.changed();
  }

  private receive(data: Uint8Array | null): void {
    const [status = 0, pitch = 0, velocity = 0] = data ?? [];
    const kind = status & 0xf0;
    const { song, view, playing } = this.studio;
    const track = view.activeTrack === null ? undefined : song?.track(view.activeTrack);
    if (kind === 0x90 && velocity > 0) {
      playing.player.press(track?.program ?? 0, track?.drum ?? false, pitch, velocity);
      this.held.set(pitch, { tick: Math.max(0, Math.round(playing.player.position())), velocity });
    } else if (kind === 0x80 || kind === 0x90) {
      playing.player.release(pitch);
      this.release(pitch);
    }
  }

  private release(pitch: number): void {
    const begun = this.held.get(pitch);
    if (!begun) return;
    this.held.delete(pitch);
    const end = Math.round(this.studio.playing.player.position());
    // A loop that began again while the key was down: the note ends where it can.
    const length = end > begun.tick ? end - begun.tick : Math.round((this.studio.song?.ticksPerQuarter ?? 480) / 4);
    this.notes.push([begun.tick, length, pitch, begun.velocity]);
  }
}
