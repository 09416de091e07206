/** From what is chosen on the page to a request for ideas, or to the reason why there can be none. */

import { T } from "../strings";
import type { SongState } from "../music/music";
import type { IdeaRequest, ModelRow, Verb } from "../protocol";

/** What the controls beside the verbs say; null and "" are "as the model likes". */
export interface Options {
  n: number | null;
  /** Bars that Continue writes where none are chosen. */
  bars: number;
  key: string;
  tempo: number | null;
  density: number | null;
  programs: number[];
  style: string;
  chords: string;
  temperature: number | null;
  register: number | null;
  polyphony: number | null;
  end: boolean;
  keep: "rhythm" | "contour" | "melody" | "harmony";
  strength: number;
  voices: string[];
  onlyActive: boolean;
  seed: number | null;
}

export const DEFAULTS: Readonly<Options> = {
  n: null,
  bars: 8,
  key: "",
  tempo: null,
  density: null,
  programs: [],
  style: "",
  chords: "",
  temperature: null,
  register: null,
  polyphony: null,
  end: false,
  keep: "rhythm",
  strength: 0.8,
  voices: ["alto", "tenor", "bass"],
  onlyActive: false,
  seed: null,
};

/** What is chosen for one piece, and would silently change what is written for another. */
const OF_THE_PIECE = [
  "key",
  "tempo",
  "density",
  "programs",
  "style",
  "chords",
  "register",
  "polyphony",
  "end",
  "seed",
] as const satisfies readonly (keyof Options)[];

/** The controls as they are for another piece: how much and how freely it writes stays. */
export function forAnotherPiece(options: Options): Options {
  const own = new Set<string>(OF_THE_PIECE);
  const usual = Object.fromEntries(Object.entries(DEFAULTS).filter(([control]) => own.has(control)));
  return { ...options, ...usual };
}

export type Control = Exclude<keyof Options, "bars">;

const NEW_MUSIC: readonly Control[] = [
  "n",
  "key",
  "tempo",
  "density",
  "programs",
  "style",
  "chords",
  "temperature",
  "register",
  "polyphony",
  "end",
  "seed",
];

/** The controls that each verb knows. */
export const CONTROLS: Readonly<Record<Verb, readonly Control[]>> = {
  generate: NEW_MUSIC,
  continue: NEW_MUSIC,
  infill: ["n", "onlyActive", "key", "density", "style", "chords", "temperature", "register", "polyphony", "seed"],
  accompany: ["n", "key", "density", "style", "chords", "temperature", "register", "polyphony", "seed"],
  vary: ["n", "onlyActive", "keep", "strength", "key", "temperature", "seed"],
  harmonise: ["n", "onlyActive", "voices", "key", "density", "style", "chords", "temperature", "seed"],
};

export interface Situation {
  song: SongState | null;
  range: [first: number, last: number] | null;
  activeTrack: string | null;
  model: ModelRow | null;
  options: Options;
}

export const VERBS = ["continue", "infill", "accompany", "vary", "harmonise"] as const;
export type StripVerb = (typeof VERBS)[number];

/** How many ideas a verb writes if the user does not say. */
export function usual(verb: Verb): number {
  return verb === "vary" ? 4 : verb === "accompany" || verb === "harmonise" ? 2 : 3;
}

/** Nothing to go on from: Continue writes new music. */
export function isEmpty(song: SongState): boolean {
  return song.tracks.every((track) => track.notes.count === 0);
}

/** Why a verb cannot act now, in one line; null if it can. */
export function whyNot(verb: StripVerb, { song, range, model, options, activeTrack }: Situation): string | null {
  if (!song) return T.why.noPiece;
  if (!model) return T.why.noModel;
  const empty = isEmpty(song);
  const count = song.bars.count;
  const needed: Verb = verb === "continue" && empty ? "generate" : verb;
  if (!model.verbs.includes(needed)) return T.why.cannot(model.title || model.name, T.verbs[verb].name);
  if (verb === "continue") return null;
  if (empty) return T.why.empty(T.verbs[verb].name);
  if (range && range[1] > count) return T.why.beyond(count);
  if (verb === "infill") return range ? null : T.why.noBars;
  if (verb === "harmonise" && options.voices.length === 0) return T.why.noVoices;
  if (verb === "vary" && !sounds(song, range, options.onlyActive ? activeTrack : null)) return T.why.nothingToVary;
  return null;
}

/** The request of a verb; `programs` are the instruments that Accompany adds. */
export function requestFor(verb: StripVerb, situation: Situation, programs: number[] = []): Omit<IdeaRequest, "seq"> {
  const { song, range, model, options, activeTrack } = situation;
  const real: Verb = verb === "continue" && song && isEmpty(song) ? "generate" : verb;
  const known = CONTROLS[real];
  const has = (control: Control): boolean => known.includes(control);
  const request: Omit<IdeaRequest, "seq"> = { verb: real, n: options.n ?? usual(real), arguments: {} };
  if (model) request.model = model.name;
  if (range && real !== "generate") request.bars = range;
  if (options.seed !== null) request.seed = options.seed;
  if (has("onlyActive") && options.onlyActive && activeTrack) request.tracks = [activeTrack];
  const chosen = request.arguments;
  if (real === "generate") chosen["bars"] = range ? range[1] - range[0] + 1 : options.bars;
  if (real === "continue" && !range) chosen["bars"] = options.bars;
  if (real === "accompany") chosen["programs"] = programs;
  else if (has("programs") && options.programs.length > 0) chosen["programs"] = options.programs;
  if (has("key") && options.key) chosen["key"] = options.key;
  if (has("tempo") && options.tempo !== null) chosen["tempo"] = options.tempo;
  if (has("style") && options.style) chosen["style"] = [options.style];
  if (has("chords") && options.chords.trim()) chosen["chords"] = options.chords.trim();
  if (has("temperature") && options.temperature !== null) chosen["sampling"] = { temperature: options.temperature };
  if (has("end") && options.end) chosen["end"] = true;
  if (has("keep")) Object.assign(chosen, { keep: options.keep, strength: options.strength });
  if (has("voices")) chosen["voices"] = options.voices;
  const levels: Record<string, number> = {};
  for (const control of ["density", "register", "polyphony"] as const) {
    const level = options[control];
    if (has(control) && level !== null) levels[control] = level;
  }
  if (Object.keys(levels).length > 0) chosen["controls"] = levels;
  return request;
}

function sounds(song: SongState, range: [number, number] | null, only: string | null): boolean {
  const from = range ? song.bars.start(range[0]) : 0;
  const to = range ? song.bars.start(range[1] + 1) : song.end;
  return song.tracks.some((track) => {
    if (only !== null && track.track !== only) return false;
    for (const index of track.notes.within(from, to)) if ((track.notes.tick[index] ?? 0) >= from) return true;
    return false;
  });
}
