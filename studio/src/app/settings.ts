/** The controls that are set, each in a few words, and how it is taken away again. */

import { T } from "../strings";
import { instrument } from "./instruments";
import { DEFAULTS, type Options } from "./requests";

export interface Setting {
  name: keyof Options;
  text: string;
  /** The controls without it. */
  without: Partial<Options>;
}

/** In the order in which they are shown. */
const SHOWN = [
  "style",
  "key",
  "tempo",
  "chords",
  "programs",
  "density",
  "register",
  "polyphony",
  "temperature",
  "end",
  "n",
  "bars",
  "keep",
  "strength",
  "voices",
  "seed",
] as const satisfies readonly (keyof Options)[];

/** What differs from what holds if nobody touches the controls; the active track alone is shown beside the verbs. */
export function settingsOf(options: Options): Setting[] {
  return SHOWN.filter((name) => String(options[name]) !== String(DEFAULTS[name])).map((name) => ({
    name,
    text: words(name, options),
    without: { [name]: DEFAULTS[name] },
  }));
}

function words(name: (typeof SHOWN)[number], options: Options): string {
  const value = options[name];
  if (name === "programs") return options.programs.map((program) => instrument(program)).join(", ");
  if (name === "keep") return T.settings.keep(T.options.keeps[options.keep]);
  if (name === "strength") return T.settings.strength(Math.round(options.strength * 100));
  if (name === "end") return T.settings.end;
  return `${T.settings[name]} ${Array.isArray(value) ? value.join(", ") : String(value)}`.trim();
}
