/** A page that gives tests the player: built by vite as the page is, served with the page's content security policy. */

import { BasicSoundBank } from "spessasynth_core";

import { BuiltInVoices } from "../../src/sound/builtin";
import { createPlayer } from "../../src/sound/index";
import type { Instrument } from "../../src/sound/player";
import { Output } from "../../src/sound/output";
import { Recorder } from "../../src/sound/record";
import { renderSong } from "../../src/sound/wav";
import { idea, song, type Given } from "../sound/fakes";

/** Strokes in one offline render: channel, program, drum, pitch, velocity, start, end in seconds. */
type Stroke = [number, number, boolean, number, number, number, number];

async function render(strokes: Stroke[], seconds: number, rate = 44_100, polyphony = 1000): Promise<AudioBuffer> {
  const context = new OfflineAudioContext(2, Math.ceil(seconds * rate), rate);
  const voices = new BuiltInVoices(context, new Output(context).input, polyphony);
  for (const [channel, program, drum, pitch, velocity, start, end] of strokes) {
    voices.on(channel, { program, drum }, pitch, velocity, start);
    voices.off(channel, pitch, end);
  }
  return context.startRendering();
}

/** What is left of a loud chord a few milliseconds after it was silenced, and the largest step on the way there. */
async function silenced(): Promise<{ before: number; after: number; step: number }> {
  const rate = 44_100;
  const context = new OfflineAudioContext(2, rate, rate);
  const voices = new BuiltInVoices(context, context.destination);
  for (const program of [0, 19, 48, 56]) voices.on(program, { program, drum: false }, 60 + (program % 7), 110, 0);
  voices.on(9, { program: 0, drum: true }, 49, 120, 0.4);
  voices.on(1, { program: 0, drum: false }, 72, 120, 0.55); // not begun: never to be heard
  void context.suspend(0.5).then(() => {
    voices.silence();
    return context.resume();
  });
  const sound = await context.startRendering();
  const part = (from: number, to: number): AudioBuffer => {
    const cut = new AudioBuffer({ length: Math.floor((to - from) * rate), sampleRate: rate, numberOfChannels: 2 });
    for (const channel of [0, 1]) {
      const start = Math.floor(from * rate);
      cut.copyToChannel(sound.getChannelData(channel).slice(start, start + cut.length), channel);
    }
    return cut;
  };
  let step = 0;
  const left = sound.getChannelData(0);
  for (let n = Math.floor(0.499 * rate); n < 0.52 * rate; n++) step = Math.max(step, Math.abs((left[n] ?? 0) - (left[n - 1] ?? 0)));
  return { before: measure(part(0.3, 0.5)).rms, after: measure(part(0.51, 1)).peak, step };
}

/** Root mean square, peak and largest step between samples. */
function measure(sound: AudioBuffer): { rms: number; peak: number; step: number; finite: boolean } {
  let sum = 0;
  let peak = 0;
  let step = 0;
  let finite = true;
  for (let channel = 0; channel < sound.numberOfChannels; channel++) {
    let before = 0;
    for (const value of sound.getChannelData(channel)) {
      sum += value * value;
      peak = Math.max(peak, Math.abs(value));
      step = Math.max(step, Math.abs(value - before));
      finite &&= Number.isFinite(value);
      before = value;
    }
  }
  return { rms: Math.sqrt(sum / sound.length / sound.numberOfChannels), peak, step, finite };
}

/** How loud a held note of an instrument is on either side. */
async function sides(instrument: Instrument): Promise<[left: number, right: number]> {
  const context = new OfflineAudioContext(2, 22_050, 44_100);
  const voices = new BuiltInVoices(context, context.destination);
  voices.on(1, instrument, instrument.drum ? 38 : 60, 90, 0);
  const sound = await context.startRendering();
  const loud = (channel: number): number =>
    Math.sqrt(sound.getChannelData(channel).reduce((sum, value) => sum + value * value, 0) / sound.length);
  return [loud(0), loud(1)];
}

/** Samples as 16-bit numbers in base64, to look at outside. */
function packed(sound: AudioBuffer): string {
  const left = sound.getChannelData(0);
  const right = sound.getChannelData(1);
  const samples = new Float32Array(sound.length * 2);
  for (let n = 0; n < sound.length; n++) {
    samples[2 * n] = left[n] ?? 0;
    samples[2 * n + 1] = right[n] ?? 0;
  }
  const bytes = new Uint8Array(samples.buffer);
  let text = "";
  for (let at = 0; at < bytes.length; at += 32_768) text += String.fromCharCode(...bytes.subarray(at, at + 32_768));
  return btoa(text);
}

const tools = {
  player: createPlayer(),
  song: (given: Given) => song(given),
  idea,
  measure: async (strokes: Stroke[], seconds: number, polyphony?: number) =>
    measure(await render(strokes, seconds, 44_100, polyphony)),
  samples: async (strokes: Stroke[], seconds: number, polyphony?: number) =>
    packed(await render(strokes, seconds, 44_100, polyphony)),
  measureSong: async (given: Given) => measure(await renderSong(song(given))),
  silenced,
  sides,
  sampleBank: () => BasicSoundBank.getSampleSoundBankFile(),
  openRecorder: () => Recorder.open(tools.player),
};

export type Tools = typeof tools;
Object.assign(window, { tools });
