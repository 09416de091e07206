/** What the page and its server send each other; docs/studio-design.md is the contract. */

/** A note: tick, length in ticks, pitch, velocity. */
export type Note = [tick: number, length: number, pitch: number, velocity: number];

export interface Track {
  /** Stable while the piece is edited. */
  id: string;
  name: string;
  /** General MIDI program, 0 to 127. */
  program: number;
  drum: boolean;
  channel: number;
  /** 0 to 127, and from left to right; missing: the file says nothing. */
  volume?: number;
  pan?: number;
  /** Four numbers a note, by tick: tick, length, pitch, velocity. */
  notes: number[];
}

export interface Song {
  ticksPerQuarter: number;
  /** The tick where the last bar ends. */
  end: number;
  tempos: [tick: number, quartersPerMinute: number][];
  meters: [tick: number, numerator: number, denominator: number][];
  keys: [tick: number, fifths: number, minor: number][];
  /** The tick of each bar line, the end of the last bar included. */
  bars: number[];
  tracks: Track[];
}

/** Where notes belong; a track that is not in the song is made. */
export interface TrackRef {
  track: string;
  program: number;
  drum: boolean;
  name: string;
}

export type Operation =
  | (TrackRef & { type: "notes"; remove: Note[]; add: Note[] })
  | { type: "program"; track: string; program: number }
  | { type: "mix"; track: string; volume?: number; pan?: number }
  | { type: "rename"; track: string; name: string }
  | { type: "tempo"; tick: number; quartersPerMinute: number };

/** One gesture: one step of undo. */
export interface Edit {
  operations: Operation[];
  /** All that is locked after it, where that has changed. */
  locks?: LockedNote[];
  /** It was played: then it is a take of its own. */
  recorded?: true;
}

export type Verb = "continue" | "infill" | "accompany" | "vary" | "harmonise" | "generate";
export type TakeState = "growing" | "finished" | "stopped" | "failed";

export interface Take {
  id: string;
  piece: string;
  parent: string | null;
  kind: "import" | "edit" | "idea" | "recording";
  state: TakeState;
  title: string;
  star: boolean;
  created: number;
  verb: Verb | null;
  /** First and last bar of what was requested, counted from 1. */
  bars: [number, number] | null;
  tracks: string[];
  request: Record<string, unknown> | null;
  model: string | null;
  seed: number | null;
  /** New notes so far. */
  notes: number;
  /** Notes changed outside what was requested: 0, or there is a fault. */
  outsideChanged: number | null;
  error: string | null;
  deleted: boolean;
}

/** The notes by which a take differs from its parent, by track. */
export interface Diff {
  removed: (TrackRef & { notes: number[] })[];
  added: (TrackRef & { notes: number[] })[];
}

export interface Report {
  take: string;
  originality: null | {
    verdict: string;
    /** The longest passage known from the training music, in notes. */
    longest: number;
    source: string | null;
    /** Ticks in the take, to listen to it. */
    from: number | null;
    to: number | null;
  };
  ranking: null | { place: number; of: number; reasons: string[] };
}

/** A locked note: track, tick, pitch. */
export type LockedNote = [track: string, tick: number, pitch: number];

export interface PieceState {
  id: string;
  title: string;
  seq: number;
  take: string;
  cursor: number;
  canUndo: boolean;
  canRedo: boolean;
  song: Song;
  takes: Take[];
  locks: LockedNote[];
}

export interface PieceSummary {
  id: string;
  title: string;
  created: number;
  changed: number;
  bars: number;
  deleted: boolean;
}

export interface Moved {
  seq: number;
  take: string;
  cursor: number;
  canUndo: boolean;
  canRedo: boolean;
  operations?: Operation[];
  song?: Song;
  /** All that is locked now, where that has changed with it. */
  locks?: LockedNote[];
}

export interface ModelRow {
  /** What requests call it. */
  name: string;
  title: string;
  bundled: boolean;
  verbs: Verb[];
  programs: number[];
  styles: string[];
  controls: Record<string, number>;
  bytes: number;
}

export interface Training {
  id: string;
  name: string;
  kind: "train" | "finetune";
  music: string;
  state: "checking" | "running" | "pausing" | "paused" | "finished" | "failed" | "cancelling" | "cancelled";
  /** 0 to 1. */
  done: number;
  secondsLeft: number | null;
  /** Step, loss of training, loss on held-out pieces or null. */
  curve: [step: number, train: number | null, held: number | null][];
  /** Music of its own: with the step after which it was written; null: by the finished model. */
  samples: { url: string; step: number | null }[];
  error: string | null;
}

export interface StudioState {
  version: string;
  library: string;
  models: ModelRow[];
  defaultModel: string | null;
  soundfont: { name: string; bytes: number } | null;
  pieces: PieceSummary[];
  trainings: Training[];
  lastEvent: number;
}

/** A note of a growing idea. */
export type IdeaNote = [
  track: string | null,
  program: number,
  drum: boolean,
  tick: number,
  length: number,
  pitch: number,
  velocity: number,
];

export type StudioEvent =
  | { type: "idea.notes" | "idea.removed"; take: string; notes: IdeaNote[] }
  | { type: "idea.bar"; take: string; bar: number; tick: number }
  | { type: "idea.restarted"; take: string }
  | { type: "idea.finished" | "idea.failed" | "take.changed"; take: Take }
  | { type: "piece.changed"; piece: string; seq: number }
  | { type: "training"; training: Training }
  | { type: "report"; take: string; report: Report }
  /** Events that were missed are not kept any more: load everything again. */
  | { type: "reset" };

export interface IdeaRequest {
  seq: number;
  verb: Verb;
  model?: string;
  bars?: [number, number];
  tracks?: string[];
  n: number;
  seed?: number;
  arguments: Record<string, unknown>;
}
