import { describe, expect, it } from "vitest";
import { Api } from "../src/api";
import { Ideas, type IdeasEvents } from "../src/app/ideas";
import { OpenPiece } from "../src/app/piece";
import type { Diff, PieceState } from "../src/protocol";
import { BAR, take } from "./takes";

function state(change: Partial<PieceState> = {}): PieceState {
  return {
    id: "p",
    title: "Tune",
    seq: 3,
    take: "file",
    cursor: 0,
    canUndo: false,
    canRedo: false,
    locks: [],
    takes: [take("file", { kind: "import", state: "finished", parent: null, verb: null })],
    song: {
      ticksPerQuarter: 480,
      end: 4 * BAR,
      tempos: [[0, 120]],
      meters: [[0, 4, 4]],
      keys: [],
      bars: [0, BAR, 2 * BAR, 3 * BAR, 4 * BAR],
      tracks: [
        { id: "t", name: "Piano", program: 0, drum: false, channel: 0, notes: [0, 480, 60, 80, BAR, 480, 62, 80] },
      ],
    },
    ...change,
  };
}

class Memory implements Storage {
  private readonly values = new Map<string, string>();
  get length(): number {
    return this.values.size;
  }
  clear = (): void => this.values.clear();
  key = (index: number): string | null => [...this.values.keys()][index] ?? null;
  getItem = (key: string): string | null => this.values.get(key) ?? null;
  setItem = (key: string, value: string): void => void this.values.set(key, value);
  removeItem = (key: string): void => void this.values.delete(key);
}

/** An answer that comes when the test says so. */
class Held {
  give: (body: unknown) => void = () => undefined;
  readonly body = new Promise<unknown>((resolve) => (this.give = resolve));
}

/** A server of answers by method and path; what was requested is kept. An error among them is that of the network. */
function server(answers: Record<string, unknown>) {
  const requests: [string, unknown][] = [];
  const fetcher = async (path: RequestInfo | URL, init?: RequestInit): Promise<Response> => {
    const name = `${init?.method ?? "GET"} ${String(path).replace("/studio/", "")}`;
    requests.push([name, typeof init?.body === "string" ? (JSON.parse(init.body) as unknown) : null]);
    expect(new Headers(init?.headers).get("Authorization")).toBe("Bearer secret");
    if (!(name in answers))
      return new Response(JSON.stringify({ error: { kind: "not-found", message: name } }), { status: 404 });
    const answer = answers[name];
    if (answer instanceof Error) throw answer;
    return new Response(JSON.stringify(answer instanceof Held ? await answer.body : answer));
  };
  return { api: new Api("secret", fetcher), requests };
}

const DIFF: Diff = {
  removed: [{ track: "t", program: 0, drum: false, name: "Piano", notes: [BAR, 480, 62, 80] }],
  added: [{ track: "t", program: 0, drum: false, name: "Piano", notes: [BAR, 480, 67, 80] }],
};

function studio(answers: Record<string, unknown>) {
  const { api, requests } = server(answers);
  const log: string[] = [];
  const piece = new OpenPiece(state(), api, new Memory(), {
    changed: () => undefined,
    song: () => log.push("song"),
    refused: (error) => log.push(String(error)),
    reloaded: () => log.push("reloaded"),
    unstored: () => log.push("unstored"),
  });
  const events: IdeasEvents = {
    changed: () => undefined,
    heard: () => undefined,
    begun: (idea) => log.push(`begun ${idea.take.id}`),
    finished: (idea, number) => log.push(`finished ${idea.take.id} as ${number}`),
    failed: (idea) => log.push(`failed ${idea.take.id}`),
    error: (error) => log.push(String(error)),
  };
  const ideas = new Ideas(api, () => piece, events);
  return { piece, ideas, requests, log, answers };
}

const REQUEST = { verb: "infill", n: 2, bars: [2, 2] as [number, number], arguments: {} } as const;
const idle = (): Promise<void> => new Promise((resolve) => setTimeout(resolve));

describe("ideas", () => {
  const answers = {
    "POST pieces/p/ideas": { ideas: [take("one"), take("two")] },
    "GET takes/one/diff": DIFF,
    "GET takes/two/diff": DIFF,
  };

  it("are requested on the newest state, and the first is heard", async () => {
    const { ideas, requests } = studio(answers);
    await ideas.request(REQUEST);
    expect(requests).toEqual([["POST pieces/p/ideas", { ...REQUEST, seq: 3 }]]);
    expect(ideas.chips.map((idea) => idea.take.id)).toEqual(["one", "two"]);
    expect([ideas.heard, ideas.current?.take.id]).toEqual([1, "one"]);
  });

  it("grow with the stream, replace the old notes as far as they have come, and end as the server has them", async () => {
    const { ideas, log } = studio(answers);
    await ideas.request(REQUEST);
    ideas.onEvent({ type: "idea.notes", take: "one", notes: [["t", 0, false, BAR, 240, 70, 80]] });
    const layer = ideas.current?.layer;
    expect(layer?.added.get("t")?.notes).toEqual([[BAR, 240, 70, 80]]);
    expect(layer?.removed.get("t")).toEqual([[BAR, 480, 62, 80]]);
    ideas.onEvent({ type: "idea.bar", take: "one", bar: 2, tick: BAR });
    expect([layer?.frontier, ideas.current?.bar]).toEqual([BAR, 2]);
    ideas.onEvent({ type: "idea.removed", take: "one", notes: [["t", 0, false, BAR, 240, 70, 80]] });
    expect(layer?.added.get("t")?.notes).toEqual([]);
    ideas.onEvent({ type: "idea.restarted", take: "one" });
    expect(layer?.removed.size).toBe(0);
    ideas.onEvent({ type: "idea.finished", take: take("one", { state: "finished", notes: 1, outsideChanged: 0 }) });
    await idle();
    expect(ideas.current?.layer.added.get("t")?.notes).toEqual([[BAR, 480, 67, 80]]);
    expect(ideas.current?.layer.frontier).toBe(Infinity);
    expect(log).toContain("finished one as 1");
    expect(ideas.growing.map((idea) => idea.take.id)).toEqual(["two"]);
  });

  it("lose no event that comes before the answer to their request", async () => {
    const { ideas } = studio(answers);
    const request = ideas.request(REQUEST);
    ideas.onEvent({ type: "idea.notes", take: "two", notes: [["t", 0, false, BAR, 240, 71, 80]] });
    await request;
    expect(ideas.chips[1]?.layer.added.get("t")?.notes).toEqual([[BAR, 240, 71, 80]]);
  });

  it("of another window are forgotten when they have ended, but not those that are being asked for", async () => {
    const ended = (id: string) => ({ type: "idea.finished" as const, take: take(id, { state: "finished" }) });
    const { ideas } = studio(answers);
    const early = (ideas as unknown as { early: Map<string, unknown> }).early;
    ideas.onEvent({ type: "idea.restarted", take: "other" });
    expect(early.size).toBe(1);
    ideas.onEvent(ended("other"));
    ideas.onEvent({ type: "report", take: "other", report: { take: "other", originality: null, ranking: null } });
    expect(early.size).toBe(0);
    const request = ideas.request(REQUEST);
    ideas.onEvent({ type: "idea.notes", take: "two", notes: [["t", 0, false, BAR, 240, 71, 80]] });
    ideas.onEvent(ended("two"));
    ideas.onEvent(ended("other"));
    await request;
    await idle();
    expect(early.size).toBe(0);
    expect(ideas.growing.map((idea) => idea.take.id)).toEqual(["one"]);
  });

  it("of a piece that was left are forgotten when they have ended, and are no ideas of the piece that is shown", async () => {
    const { ideas, requests } = studio(answers);
    const known = (ideas as unknown as { known: Map<string, unknown> }).known;
    await ideas.open(take("far", { piece: "q" }));
    ideas.reset();
    ideas.onEvent({ type: "idea.notes", take: "far", notes: [["t", 0, false, BAR, 240, 71, 80]] });
    expect(known.size).toBe(1);
    ideas.onEvent({ type: "idea.finished", take: take("far", { piece: "q", state: "finished" }) });
    await idle();
    expect([known.size, requests]).toEqual([0, []]);
  });

  it("from the tree are shown with what has come so far", async () => {
    const { ideas } = studio(answers);
    ideas.onEvent({ type: "idea.notes", take: "other", notes: [["t", 0, false, BAR, 240, 71, 80]] });
    await ideas.open(take("other"));
    expect(ideas.current?.layer.added.get("t")?.notes).toEqual([[BAR, 240, 71, 80]]);
  });

  it("of an instrument that is not in the piece get a track of their own", async () => {
    const { ideas } = studio(answers);
    await ideas.request(REQUEST);
    ideas.onEvent({
      type: "idea.notes",
      take: "one",
      notes: [
        [null, 33, false, 0, 240, 40, 80],
        [null, 0, true, 0, 240, 36, 80],
      ],
    });
    expect([...(ideas.current?.layer.added.keys() ?? [])]).toEqual(["new:33", "new:drums"]);
  });

  it("are shown again after a reload, also what came while the page was away", async () => {
    const { ideas, piece } = studio(answers);
    piece.put(take("one"));
    ideas.resume(piece);
    ideas.onEvent({ type: "idea.notes", take: "one", notes: [["t", 0, false, BAR, 240, 70, 80]] });
    expect(ideas.chips.map((idea) => [idea.take.id, idea.layer.added.size])).toEqual([["one", 1]]);
    piece.put(take("one", { state: "finished" }));
    await ideas.reload();
    expect(ideas.growing).toEqual([]);
  });

  it("can be heard by number, and put away", async () => {
    const { ideas } = studio(answers);
    await ideas.request(REQUEST);
    ideas.hear(2);
    expect(ideas.current?.take.id).toBe("two");
    ideas.hear(7);
    expect(ideas.heard).toBe(2);
    ideas.hear(0);
    expect(ideas.current).toBeNull();
    ideas.close();
    expect(ideas.chips).toEqual([]);
  });
});

describe("a piece", () => {
  it("is edited at once, and says when the server has it", async () => {
    const { piece } = studio({
      "POST pieces/p/edits": { seq: 4, take: "edit", cursor: 1, canUndo: true, canRedo: false },
    });
    piece.edit([
      {
        type: "notes",
        track: "t",
        program: 0,
        drum: false,
        name: "Piano",
        remove: [[0, 480, 60, 80]],
        add: [[0, 480, 61, 80]],
      },
    ]);
    expect([piece.song.track("t")?.notes.pitch[0], piece.saved]).toEqual([61, "saving"]);
    await piece.based(async () => undefined);
    expect([piece.seq, piece.take, piece.saved]).toEqual([4, "edit", "saved"]);
  });

  it("drops the locks of notes that are gone, with the edit that removes them", async () => {
    const { piece, requests } = studio({
      "PUT pieces/p/locks": {},
      "POST pieces/p/edits": { seq: 4, take: "edit", cursor: 1 },
    });
    await piece.lock([{ track: "t", tick: 0, pitch: 60 }], true);
    piece.edit([
      { type: "notes", track: "t", program: 0, drum: false, name: "Piano", remove: [[0, 480, 60, 80]], add: [] },
    ]);
    await piece.based(async () => undefined);
    expect(requests.map(([name]) => name)).toEqual(["PUT pieces/p/locks", "POST pieces/p/edits"]);
    expect(requests[0]?.[1]).toEqual({ locks: [["t", 0, 60]] });
    expect(requests[1]?.[1]).toMatchObject({ locks: [] });
  });

  it("takes the server's song where it is another, with later edits on top", async () => {
    const other = state().song;
    other.tracks[0]?.notes.splice(0, 4, 0, 480, 50, 80);
    const { piece } = studio({
      "POST pieces/p/undo": { seq: 5, take: "file", cursor: 0, canUndo: false, canRedo: true, song: other },
    });
    piece.canUndo = true;
    await piece.undo();
    expect([piece.song.track("t")?.notes.pitch[0], piece.canRedo, piece.seq]).toEqual([50, true, 5]);
  });

  it("keeps locks that were set while the server was away, and sends them when it is back", async () => {
    const { piece, requests, answers } = studio({ "PUT pieces/p/locks": new TypeError("away") });
    void piece.lock([{ track: "t", tick: 0, pitch: 60 }], true);
    void piece.lock([{ track: "t", tick: BAR, pitch: 62 }], true);
    void piece.lock([{ track: "t", tick: 0, pitch: 60 }], false);
    await idle();
    expect(piece.saved).toBe("waiting");
    answers["GET pieces/p"] = state({ locks: [["t", 0, 60]] });
    await piece.load();
    expect(piece.locks.list()).toEqual([["t", BAR, 62]]);
    answers["PUT pieces/p/locks"] = {};
    await piece.based(async () => undefined);
    expect(requests.at(-1)).toEqual(["PUT pieces/p/locks", { locks: [["t", BAR, 62]] }]);
    expect([piece.saved, piece.canUndo]).toEqual(["saved", false]);
  });

  it("keeps an edit that was confirmed while an older state was on its way", async () => {
    const old = new Held();
    const { piece, requests, answers } = studio({
      "GET pieces/p": old,
      "POST pieces/p/edits": { seq: 4, take: "edit", cursor: 1 },
    });
    const loaded = piece.load();
    piece.edit([{ type: "rename", track: "t", name: "x" }]);
    await piece.based(async () => undefined);
    const newer = state({ seq: 4, take: "edit" });
    if (newer.song.tracks[0]) newer.song.tracks[0].name = "x";
    answers["GET pieces/p"] = newer;
    old.give(state());
    await loaded;
    expect([piece.song.track("t")?.name, piece.take, piece.seq]).toEqual(["x", "edit", 4]);
    expect(requests.filter(([name]) => name.startsWith("GET"))).toHaveLength(2);
  });

  it("keeps what was changed while the answer to an undo was on its way", async () => {
    const undone = new Held();
    const { piece } = studio({
      "POST pieces/p/undo": undone,
      "POST pieces/p/edits": new TypeError("away"),
      "PUT pieces/p/locks": new TypeError("away"),
    });
    piece.canUndo = true;
    const undo = piece.undo();
    await idle();
    piece.edit([{ type: "rename", track: "t", name: "x" }]);
    void piece.lock([{ track: "t", tick: 0, pitch: 60 }], true);
    undone.give({ seq: 5, take: "file", cursor: 0, canUndo: false, canRedo: true, song: state().song, locks: [] });
    await undo;
    expect([piece.song.track("t")?.name, piece.locks.list()]).toEqual(["x", [["t", 0, 60]]]);
  });

  it("shows nothing any more when it was left", async () => {
    const { piece, log } = studio({ "POST pieces/p/edits": { seq: 4, take: "e", cursor: 1, song: state().song } });
    piece.edit([{ type: "rename", track: "t", name: "x" }]);
    log.length = 0;
    await piece.leave();
    expect([log, piece.saved]).toEqual([[], "saved"]);
  });

  it("gives an edit up that the server refuses, and shows what the server has", async () => {
    const { piece, log } = studio({ "GET pieces/p": state() });
    piece.edit([{ type: "rename", track: "t", name: "x" }]);
    await piece.based(async () => undefined);
    expect(piece.song.track("t")?.name).toBe("Piano");
    expect(log.some((line) => line.includes("pieces/p/edits"))).toBe(true);
  });
});
