/** A song as a WAV file, rendered with the built-in voices, offline. */

import type { SongState } from "../music/music";
import { BuiltInVoices } from "./builtin";
import { Output } from "./output";
import { Source } from "./source";
import { Transport, type Stage } from "./transport";
import { SOUND } from "../strings";

const RATE = 44_100;
const TAIL = 1.5; // seconds after the last bar
const STEP = 1; // seconds of music handed over at a time
const NOBODY: ReadonlySet<string> = new Set();
const LONGEST = 3600; // seconds

/** An offline context that is as long as a song, in which the song can be rendered. */
export function offline(song: SongState, rate = RATE): { context: OfflineAudioContext; seconds: number } {
  const seconds = song.clock.seconds(new Source(song, null, NOBODY, NOBODY).end) + TAIL;
  if (seconds > LONGEST) throw new Error(SOUND.tooLong(Math.round(seconds / 60), LONGEST / 60));
  return { context: new OfflineAudioContext(2, Math.ceil(seconds * rate), rate), seconds };
}

/** Render a song with the built-in voices. */
export async function renderSong(song: SongState): Promise<AudioBuffer> {
  const { context, seconds } = offline(song);
  const voices = new BuiltInVoices(context, new Output(context).input, Infinity);
  const channels = new Map(song.tracks.map(({ track }, index) => [track, index + 1]));
  const stage: Stage = {
    strike: (part, pitch, velocity, at) => voices.on(channels.get(part.id) ?? 0, part, pitch, velocity, at),
    release: ({ id }, pitch, at) => voices.off(channels.get(id) ?? 0, pitch, at),
    click: () => undefined,
  };
  const transport = new Transport(stage);
  transport.setSong(song, 0);
  transport.start(0, 0);
  if (typeof context.suspend === "function") {
    // A second at a time: nodes that wait for their turn cost time at every step.
    for (let at = STEP; at < seconds; at += STEP) {
      void context.suspend(at).then(() => {
        transport.pump(0, at + 2 * STEP);
        return context.resume();
      });
    }
    transport.pump(0, 2 * STEP);
  } else {
    transport.pump(0, seconds);
  }
  return context.startRendering();
}

/** A sound as the bytes of a 16-bit WAV file. */
export function encodeWav(sound: AudioBuffer): Blob {
  const channels = Array.from({ length: sound.numberOfChannels }, (_, n) => sound.getChannelData(n));
  return new Blob([wavBytes(channels, sound.sampleRate)], { type: "audio/wav" });
}

export function wavBytes(channels: readonly Float32Array[], rate: number): ArrayBuffer {
  const frames = channels[0]?.length ?? 0;
  const size = frames * channels.length * 2;
  const bytes = new ArrayBuffer(44 + size);
  const view = new DataView(bytes);
  const text = (at: number, value: string): void => {
    for (let n = 0; n < value.length; n++) view.setUint8(at + n, value.charCodeAt(n));
  };
  text(0, "RIFF");
  view.setUint32(4, 36 + size, true);
  text(8, "WAVEfmt ");
  view.setUint32(16, 16, true);
  view.setUint16(20, 1, true);
  view.setUint16(22, channels.length, true);
  view.setUint32(24, rate, true);
  view.setUint32(28, rate * channels.length * 2, true);
  view.setUint16(32, channels.length * 2, true);
  view.setUint16(34, 16, true);
  text(36, "data");
  view.setUint32(40, size, true);
  const samples = new Int16Array(bytes, 44);
  channels.forEach((channel, which) => {
    for (let n = 0; n < frames; n++) {
      const value = Math.max(-1, Math.min(1, channel[n] ?? 0));
      samples[n * channels.length + which] = Math.round(value * 32767);
    }
  });
  return bytes;
}
