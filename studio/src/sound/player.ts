/**
 * Sound: a look-ahead scheduler of our own over exchangeable voices. Built-in voices need no file, no worklet and no
 * secure context; a SoundFont takes over at the next bar when it is loaded.
 */

import type { IdeaLayer, SongState } from "../music/music";

/** What a note is played with. */
export interface Instrument {
  /** General MIDI, 0 to 127. */
  program: number;
  drum: boolean;
  /** 0 to 127; missing: as usual. */
  volume?: number;
  /** 0 is left, 64 the middle, 127 right; missing: anywhere. */
  pan?: number;
}

/** Something that can sound: the built-in voices, or a SoundFont. Times are seconds of the audio clock. */
export interface Voices {
  readonly label: string;
  /** Strike a key; `at` 0 is now. */
  on(channel: number, instrument: Instrument, pitch: number, velocity: number, at: number): void;
  off(channel: number, pitch: number, at: number): void;
  /** Silence everything, also what was scheduled; answers from when on it can sound again. */
  silence(): number;
}

export interface PlayerState {
  playing: boolean;
  recording: boolean;
  tick: number;
  /** "built-in sound", or the SoundFont's name. */
  sound: string;
  metronome: boolean;
}

export interface Player {
  readonly state: PlayerState;
  /** Called at every change of `state` but its tick. */
  onstate: (() => void) | null;
  setSong(song: SongState): void;
  /** The idea that is heard in place of what it removes; null: as it was. It switches at the next beat while playing. */
  setIdea(idea: IdeaLayer | null): void;
  setMuted(tracks: ReadonlySet<string>, soloed: ReadonlySet<string>): void;
  setLoop(loop: [from: number, to: number] | null): void;
  setMetronome(on: boolean): void;
  /** Within the gesture that asks for it: this starts the audio context. */
  play(from?: number): void;
  stop(): void;
  seek(tick: number): void;
  /** Where the ear is, in ticks: the audio clock minus the output's latency. Call it once a frame. */
  position(): number;
  /** A touched key, at once; it is let go by itself. */
  touch(program: number, drum: boolean, pitch: number, velocity: number): void;
  /** A key of a keyboard, at once, until `release`. */
  press(program: number, drum: boolean, pitch: number, velocity: number): void;
  release(pitch: number): void;
  /**
   * Use a SoundFont (bytes of .sf2 or .sf3); resolves when it sounds, with false where another sound was chosen
   * meanwhile; rejects with one line why not.
   */
  useSoundFont(name: string, bytes: ArrayBuffer | Promise<ArrayBuffer>): Promise<boolean>;
  /** Render the song offline, with the voices that are heard, as a WAV file. */
  wav(song: SongState): Promise<Blob>;
  /** Milliseconds from a touch to the first sound, measured on the output. */
  latency(): number | null;
  /** Stop, and give the audio device back. */
  close(): void;
}
