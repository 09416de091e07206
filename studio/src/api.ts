/** Calls of the studio's server. Each carries the token that the page's address brought. */

import type {
  Diff,
  Edit,
  IdeaRequest,
  LockedNote,
  Moved,
  PieceState,
  PieceSummary,
  Report,
  Song,
  StudioState,
  Take,
  Training,
} from "./protocol";
import { remember } from "./remember";

const TOKEN = "toccata.token";

/** The server's answer to a request that it cannot carry out. */
export class ApiError extends Error {
  constructor(
    readonly status: number,
    readonly kind: string,
    message: string,
    /** Seconds after which to try again, where the server says so. */
    readonly retryAfter: number | null = null,
  ) {
    super(message);
  }
}

/** The server cannot be reached at all. */
export class ServerGone extends Error {}

/** Moves the token from the address's fragment into the session, so that it is neither shown nor shared by a link. */
export function takeToken(address: Location, session: Storage, history: History): string | null {
  const token = new URLSearchParams(address.hash.slice(1)).get("token");
  if (token) {
    remember(session, TOKEN, token);
    history.replaceState(null, "", address.pathname + address.search);
  }
  return token ?? session.getItem(TOKEN);
}

export interface EditAnswer {
  seq: number;
  take: string;
  cursor: number;
  song?: Song;
}

export interface NewTraining {
  kind: "train" | "finetune";
  music: string;
  name: string;
  minutes: number;
  base?: string;
}

/** The data check of a folder of music. */
export interface MusicCheck {
  files: number;
  accepted: number;
  notes: number;
  hours: number;
  /** The share of files whose notes are on a grid. */
  quantised: number;
  instruments: Record<string, number>;
  meters: Record<string, number>;
  rejected: { path: string; reason?: string; message?: string }[];
  duplicates: string[][];
}

export interface MusicFolder {
  name: string;
  files: number;
  bytes: number;
}

const of = (...parts: string[]): string => `/studio/${parts.map(encodeURIComponent).join("/")}`;

export class Api {
  constructor(
    private token: string | null,
    private readonly fetcher: typeof fetch = (...request) => fetch(...request),
  ) {}

  /** The server was started again, and has another token. */
  use(token: string | null): void {
    this.token = token;
  }

  state = (): Promise<StudioState> => this.json("GET", of("state"));

  newPiece = (title: string, tempo: number, meter: [number, number]): Promise<PieceState> =>
    this.json("POST", of("pieces"), { title, tempo, meter });
  importPiece = (title: string, midi: Blob): Promise<PieceState> =>
    this.json("POST", `${of("pieces")}?title=${encodeURIComponent(title)}`, midi, "audio/midi");
  piece = (id: string): Promise<PieceState> => this.json("GET", of("pieces", id));
  renamePiece = (id: string, title: string): Promise<PieceSummary> => this.json("PATCH", of("pieces", id), { title });
  deletePiece = (id: string): Promise<unknown> => this.json("DELETE", of("pieces", id));
  restorePiece = (id: string): Promise<unknown> => this.json("POST", of("pieces", id, "restore"));

  edit = (id: string, seq: number, edit: Edit): Promise<EditAnswer> =>
    this.json("POST", of("pieces", id, "edits"), { seq, ...edit });
  undo = (id: string, seq: number): Promise<Moved> => this.json("POST", of("pieces", id, "undo"), { seq });
  redo = (id: string, seq: number): Promise<Moved> => this.json("POST", of("pieces", id, "redo"), { seq });
  goto = (id: string, seq: number, take: string): Promise<Moved> =>
    this.json("POST", of("pieces", id, "goto"), { seq, take });
  accept = (id: string, seq: number, take: string): Promise<Moved> =>
    this.json("POST", of("pieces", id, "accept"), { seq, take });
  locks = (id: string, locks: LockedNote[]): Promise<unknown> => this.json("PUT", of("pieces", id, "locks"), { locks });
  ideas = (id: string, request: IdeaRequest): Promise<{ ideas: Take[] }> =>
    this.json("POST", of("pieces", id, "ideas"), request);

  stop = (take: string): Promise<unknown> => this.json("POST", of("takes", take, "stop"));
  again = (take: string, n: number): Promise<{ ideas: Take[] }> => this.json("POST", of("takes", take, "again"), { n });
  changeTake = (take: string, change: { title?: string; star?: boolean }): Promise<Take> =>
    this.json("PATCH", of("takes", take), change);
  deleteTake = (take: string): Promise<unknown> => this.json("DELETE", of("takes", take));
  restoreTake = (take: string): Promise<unknown> => this.json("POST", of("takes", take, "restore"));
  song = (take: string): Promise<Song> => this.json("GET", of("takes", take, "song"));
  diff = (take: string): Promise<Diff> => this.json("GET", of("takes", take, "diff"));
  report = (take: string): Promise<Report> => this.json("GET", of("takes", take, "report"));
  link = (take: string): Promise<{ url: string }> => this.json("POST", of("takes", take, "link"));
  reveal = (take: string): Promise<unknown> => this.json("POST", of("takes", take, "reveal"));
  file = (take: string, kind: "mid" | "wav" | "png"): Promise<Blob> => this.blob(of("takes", take, `file.${kind}`));
  rate = (a: string, b: string, better: string): Promise<unknown> => this.json("POST", of("ratings"), { a, b, better });

  soundFont = async (): Promise<ArrayBuffer> => (await this.blob(of("soundfont"))).arrayBuffer();

  upload = (music: string, name: string, file: Blob): Promise<unknown> =>
    this.json("POST", `${of("music", music, "files")}?name=${encodeURIComponent(name)}`, file, "audio/midi");
  music = (): Promise<MusicFolder[]> => this.json("GET", of("music"));
  check = (name: string): Promise<MusicCheck> => this.json("GET", of("music", name, "check"));
  train = (training: NewTraining): Promise<Training> => this.json("POST", of("trainings"), training);
  training = (id: string): Promise<Training> => this.json("GET", of("trainings", id));
  steer = (id: string, act: "pause" | "resume" | "cancel"): Promise<unknown> =>
    this.json("POST", of("trainings", id, act));

  /** A file of the server, by its path. */
  fileAt = (path: string): Promise<Blob> => this.blob(path);

  /** The stream of events after the event `after`. */
  async stream(after: number, signal: AbortSignal): Promise<ReadableStream<Uint8Array>> {
    const answer = await this.send("GET", `/studio/stream?after=${after}`, undefined, undefined, signal);
    if (!answer.body) throw new ServerGone("the stream of events is empty");
    return answer.body;
  }

  private async json<T>(method: string, path: string, body?: unknown, type = "application/json"): Promise<T> {
    const answer = await this.send(method, path, body, type);
    const text = await answer.text();
    return (text === "" ? {} : JSON.parse(text)) as T;
  }

  private async blob(path: string): Promise<Blob> {
    return (await this.send("GET", path)).blob();
  }

  private async send(
    method: string,
    path: string,
    body?: unknown,
    type?: string,
    signal?: AbortSignal,
  ): Promise<Response> {
    const headers = new Headers();
    if (this.token) headers.set("Authorization", `Bearer ${this.token}`);
    const request: RequestInit = { method, headers, cache: "no-store" };
    if (signal) request.signal = signal;
    if (body !== undefined) {
      headers.set("Content-Type", type ?? "application/json");
      request.body = body instanceof Blob ? body : JSON.stringify(body);
    }
    let answer: Response;
    try {
      answer = await this.fetcher(path, request);
    } catch (error) {
      throw new ServerGone(error instanceof Error ? error.message : String(error));
    }
    if (!answer.ok) throw await refusal(answer);
    return answer;
  }
}

async function refusal(answer: Response): Promise<ApiError> {
  const after = Number(answer.headers.get("Retry-After") ?? NaN);
  let kind = "error";
  let message = `${answer.status} ${answer.statusText}`.trim();
  try {
    const body = (await answer.json()) as { error?: { kind?: string; message?: string } };
    kind = body.error?.kind ?? kind;
    message = body.error?.message ?? message;
  } catch {
    // An answer that is not ours, from something between page and server: its status has to do.
  }
  return new ApiError(answer.status, kind, message, Number.isFinite(after) ? after : null);
}
