/** The player of the page: with a timer of its own, and SoundFonts that are loaded when they are needed. */

import { StudioPlayer } from "./engine";

export { StudioPlayer } from "./engine";
export { Recorder } from "./record";
export type { Player, PlayerState, Voices } from "./player";

/** A player; it makes no sound, and no audio context, before the first `play` or `touch`. */
export function createPlayer(): StudioPlayer {
  return new StudioPlayer({
    timer: () => new Worker(new URL("./timer.worker.ts", import.meta.url), { type: "module" }),
    soundFont: async (context, output, name, bytes) => {
      const { soundFontVoices } = await import("./soundfont");
      return soundFontVoices(context, output, name, bytes);
    },
  });
}
