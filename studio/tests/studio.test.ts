import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { Api } from "../src/api";
import { Studio } from "../src/app/studio";
import type { PieceState, StudioEvent } from "../src/protocol";
import { StudioPlayer } from "../src/sound";
import { BAR, take } from "./takes";

function state(id: string, change: Partial<PieceState> = {}): PieceState {
  const notes = [0, 480, 60, 80, BAR, 480, 62, 80];
  return {
    id,
    title: id,
    seq: 3,
    take: "file",
    cursor: 0,
    canUndo: false,
    canRedo: false,
    locks: [],
    takes: [],
    song: {
      ticksPerQuarter: 480,
      end: 4 * BAR,
      tempos: [[0, 120]],
      meters: [[0, 4, 4]],
      keys: [],
      bars: [0, BAR, 2 * BAR, 3 * BAR, 4 * BAR],
      tracks: [{ id: "t", name: "Piano", program: 0, drum: false, channel: 0, notes }],
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

type Answer = unknown | (() => unknown);

/** A page with the piece "p" open, before a server of answers by method and path. */
function page(answers: Record<string, Answer>) {
  const requests: string[] = [];
  const bodies: unknown[] = [];
  const fetcher = async (path: RequestInfo | URL, init?: RequestInit): Promise<Response> => {
    const name = `${init?.method ?? "GET"} ${String(path).replace("/studio/", "")}`;
    requests.push(name);
    bodies.push(typeof init?.body === "string" ? JSON.parse(init.body) : null);
    const answer: unknown = answers[name];
    const body: unknown = await (typeof answer === "function" ? (answer as () => unknown)() : answer);
    if (body === undefined) return new Response(JSON.stringify({ error: { message: name } }), { status: 404 });
    return new Response(JSON.stringify(body));
  };
  const studio = new Studio(new Api("secret", fetcher), new StudioPlayer(), {
    session: new Memory(),
    local: new Memory(),
  });
  studio.show(state("p"));
  const said: string[] = [];
  studio.announcer.say = (text) => void said.push(text);
  return { studio, requests, bodies, said };
}

/** An answer that is given when the test says so. */
function held(body: unknown) {
  let give: () => void = () => undefined;
  const answer = new Promise((resolve) => (give = () => resolve(body)));
  return { answer: () => answer, give: () => give() };
}

const idle = (): Promise<void> => new Promise((resolve) => setTimeout(resolve));
const MOVED = { seq: 4, take: "one", cursor: 0, canUndo: true, canRedo: false };
const DIFF = { removed: [], added: [{ track: "t", program: 0, drum: false, name: "Piano", notes: [BAR, 480, 67, 80] }] };
const IDEAS = {
  "POST pieces/p/ideas": { ideas: [take("one"), take("two"), take("three")] },
  "GET takes/one/diff": DIFF,
  "GET takes/two/diff": DIFF,
  "POST takes/one/stop": {},
  "POST takes/two/stop": {},
  "POST takes/three/stop": {},
};
const finished = (id: string): StudioEvent => ({ type: "idea.finished", take: take(id, { state: "finished" }) });

beforeEach(() => {
  vi.stubGlobal("document", { title: "" });
  vi.stubGlobal("requestAnimationFrame", () => 1);
});
afterEach(() => vi.unstubAllGlobals());

describe("taking an idea", () => {
  it("twice, before the answer has come, takes it once", async () => {
    const accept = held({ ...MOVED, take: "merged" });
    const { studio, requests } = page({ ...IDEAS, "POST pieces/p/accept": accept.answer });
    await studio.begin("infill");
    studio.ideas.onEvent(finished("one"));
    await idle();
    const both = [studio.take(), studio.take()];
    await idle();
    accept.give();
    await Promise.all(both);
    expect(requests.filter((name) => name.endsWith("accept"))).toHaveLength(1);
    expect(studio.ideas.chips).toEqual([]);
  });

  it("again after an answer that got lost finds it on screen, and takes nothing", async () => {
    const { studio, requests } = page({
      ...IDEAS,
      "POST pieces/p/accept": () => Promise.reject(new TypeError("gone")),
      "GET pieces/p": state("p", { seq: 4, take: "one", canUndo: true }),
    });
    await studio.begin("infill");
    studio.ideas.onEvent(finished("one"));
    await idle();
    await studio.take();
    expect(studio.ideas.chips).toHaveLength(3);
    studio.notices.list.at(-1)?.action?.run();
    await idle();
    expect(requests.filter((name) => name.endsWith("accept"))).toHaveLength(1);
    expect([studio.ideas.chips.length, studio.piece?.take, studio.piece?.canUndo]).toEqual([0, "one", true]);
  });

  it("that still grows takes that one, whichever is heard meanwhile", async () => {
    const { studio, bodies, said } = page({ ...IDEAS, "POST pieces/p/accept": MOVED });
    await studio.begin("infill");
    await studio.take();
    studio.hear(2);
    studio.ideas.onEvent(finished("one"));
    await idle();
    expect(bodies).toContainEqual({ seq: 3, take: "one" });
    expect(bodies).not.toContainEqual({ seq: 3, take: "two" });
    expect(said.at(-1)).toBe("Idea 1 is in the piece.");
  });

  it("that still grows is taken without its difference, if that cannot be had", async () => {
    const answers = { ...IDEAS, "GET takes/one/diff": undefined, "POST pieces/p/accept": MOVED };
    const { studio } = page(answers);
    await studio.begin("infill");
    await studio.take();
    studio.ideas.onEvent(finished("one"));
    await idle();
    expect(studio.piece?.take).toBe("one");
  });
});

describe("ideas", () => {
  it("are requested once by a key that is pressed twice", async () => {
    const ideas = held(IDEAS["POST pieces/p/ideas"]);
    const { studio, requests } = page({ ...IDEAS, "POST pieces/p/ideas": ideas.answer });
    const both = [studio.begin("infill"), studio.begin("infill")];
    ideas.give();
    await Promise.all(both);
    expect(requests).toEqual(["POST pieces/p/ideas"]);
  });

  it("that come when another piece is shown are not shown above it", async () => {
    const ideas = held(IDEAS["POST pieces/p/ideas"]);
    const { studio } = page({ ...IDEAS, "POST pieces/p/ideas": ideas.answer });
    const begun = studio.begin("infill");
    studio.show(state("q"));
    ideas.give();
    await begun;
    expect(studio.ideas.chips).toEqual([]);
  });

  it("that there are not are not said to be heard", async () => {
    const { studio, said } = page(IDEAS);
    studio.hear(7);
    await studio.begin("infill");
    studio.hear(7);
    studio.hear(3);
    expect(said.filter((text) => text.includes("dea"))).toEqual([
      "No idea is chosen: press C, F, A, V or H.",
      "Fill: 3 ideas being written.",
      "There are only 3 ideas.",
      "Idea 3.",
    ]);
  });

  it("that were put away while they grow can be stopped", async () => {
    const { studio, requests } = page(IDEAS);
    await studio.begin("infill");
    studio.ideas.close();
    studio.piece?.put(take("two", { state: "finished" }));
    await studio.ideas.stopAll();
    expect(requests.slice(1)).toEqual(["POST takes/one/stop", "POST takes/three/stop"]);
  });
});

describe("comparing", () => {
  const other = state("p").song;

  it("silences an idea that is heard, and an idea silences the comparison", async () => {
    const { studio } = page({ ...IDEAS, "GET takes/x/song": other });
    await studio.begin("infill");
    await studio.compare("x");
    expect([studio.ideas.heard, studio.layer?.id, studio.view.compare?.heard]).toEqual([0, "x", true]);
    studio.hear(1);
    expect([studio.layer?.id, studio.view.compare?.heard]).toEqual(["one", false]);
    studio.switchCompared();
    await idle();
    expect([studio.ideas.heard, studio.layer?.id]).toEqual([0, "x"]);
  });

  it("says what it does not let hear", async () => {
    const { studio } = page({ "GET takes/x/song": other, "GET takes/y/song": { ...other, tempos: [[0, 90]] } });
    await studio.compare("x");
    expect(studio.notices.list.at(-1)?.text).toMatch(/same notes/);
    await studio.compare("y");
    expect(studio.notices.list.at(-1)?.text).toMatch(/tempo/);
  });

  it("shows the take that was asked for last, and none above another piece", async () => {
    const slow = held(other);
    const { studio } = page({ "GET takes/x/song": slow.answer, "GET takes/y/song": other });
    const first = studio.compare("x");
    await studio.compare("y");
    slow.give();
    await first;
    expect(studio.layer?.id).toBe("y");
    studio.show(state("q"));
    expect([studio.layer, studio.view.compare]).toEqual([null, null]);
  });
});

describe("another piece", () => {
  const operations = [{ type: "rename" as const, track: "t", name: "x" }];

  it("is written for with its own controls, and the same freedom", () => {
    const { studio } = page({});
    studio.set({ options: { ...studio.view.options, style: "bach", key: "D minor", seed: 3, n: 2, temperature: 0.7 } });
    studio.show(state("q"));
    expect(studio.view.options).toMatchObject({ style: "", key: "", seed: null, n: 2, temperature: 0.7 });
  });

  it("does not keep the edits of the one before from being sent", async () => {
    const edits = held({ seq: 4, take: "edit", cursor: 1 });
    const { studio, requests } = page({ "POST pieces/p/edits": edits.answer });
    studio.edit(operations);
    studio.edit(operations);
    expect(studio.unsaved).toBe(true);
    studio.show(state("q"));
    expect([studio.piece?.saved, studio.unsaved]).toEqual(["saved", true]);
    edits.give();
    await idle();
    expect(requests).toEqual(["POST pieces/p/edits", "POST pieces/p/edits"]);
    expect([studio.unsaved, studio.stores.session.getItem("toccata.unsent.p")]).toEqual([false, null]);
  });

  it("makes room for the one before with its edits, each of which is sent once", async () => {
    const edits = held({ seq: 4, take: "edit", cursor: 1 });
    const { studio, requests } = page({ "POST pieces/p/edits": edits.answer, "GET pieces/p": state("p") });
    const first = studio.piece;
    studio.edit(operations);
    studio.show(state("q"));
    await studio.openPiece("p");
    expect(studio.piece).toBe(first);
    expect(studio.song?.track("t")?.name).toBe("x");
    edits.give();
    await idle();
    expect(requests.filter((name) => name.startsWith("POST"))).toEqual(["POST pieces/p/edits"]);
    expect(studio.unsaved).toBe(false);
  });
});

describe("the loop", () => {
  it("is begun by one press after the bars were cleared", () => {
    const { studio } = page({});
    studio.chooseBars([2, 3]);
    studio.toggleLoop();
    studio.chooseBars([1, 2]);
    expect(studio.playing.loop).toEqual([0, 2 * BAR]);
    studio.chooseBars(null);
    expect(studio.playing.loop).toBeNull();
    studio.toggleLoop();
    expect(studio.playing.loop).toEqual([0, 4 * BAR]);
  });
});

describe("a recording", () => {
  interface Key {
    (data: number[], tick: number): void;
  }

  /** A page with a MIDI keyboard, whose player is wherever the test says. */
  function recording(answers: Record<string, Answer> = {}) {
    const made = page({ "POST pieces/p/edits": { seq: 4, take: "r", cursor: 1 }, ...answers });
    const { player } = made.studio.playing;
    let now = 0;
    player.tickAt = () => now;
    player.position = () => now;
    player.press = vi.fn();
    player.release = vi.fn();
    player.playAfter = vi.fn();
    const input = { id: "1", name: "Keys", manufacturer: "", state: "connected" };
    const listening: { onmidimessage?: (event: unknown) => void } = input as object;
    const allow = held({ inputs: new Map([["1", input]]), onstatechange: null });
    vi.stubGlobal("navigator", { requestMIDIAccess: vi.fn(allow.answer) });
    const key: Key = (data, tick) => {
      now = tick;
      listening.onmidimessage?.({ data: Uint8Array.from(data), timeStamp: 0 });
    };
    const begin = async (): Promise<void> => {
      allow.give();
      await made.studio.recording.toggle();
    };
    return { ...made, player, key, begin, allow };
  }

  it("ends in the piece in which it was begun, when another is shown", async () => {
    const { studio, key, begin, requests, bodies } = recording();
    await begin();
    key([0x90, 70, 90], 960);
    key([0x80, 70, 0], 1440);
    studio.show(state("q"));
    expect(studio.recording.active).toBe(false);
    await idle();
    expect(requests).toEqual(["POST pieces/p/edits"]);
    expect(bodies[0]).toMatchObject({ recorded: true, operations: [{ add: [[960, 480, 70, 90]] }] });
    expect(studio.song?.track("t")?.notes.count).toBe(2);
  });

  it("ends where playing is stopped, and lets nobody move the place", async () => {
    const { studio, key, begin, player, said } = recording();
    await begin();
    key([0x90, 70, 90], 960);
    player.seek = vi.fn();
    studio.playing.seek(0);
    expect([said.at(-1), vi.mocked(player.seek).mock.calls.length]).toEqual(["It is being recorded: stop first.", 0]);
    expect([studio.recording.active, studio.unsaved]).toEqual([true, true]);
    key([0x80, 70, 0], 1440);
    studio.playing.stop();
    studio.playing.seek(0);
    expect(studio.recording.active).toBe(false);
    expect(vi.mocked(player.seek).mock.calls).toEqual([[0], [0]]); // back to where it began, and then there
    expect(studio.song?.track("t")?.notes.count).toBe(3);
  });

  it("begins once, however often R is pressed while the browser asks", async () => {
    const { studio, player, allow } = recording();
    const presses = [studio.recording.toggle(), studio.recording.toggle()];
    allow.give();
    await Promise.all(presses);
    expect(vi.mocked(player.playAfter).mock.calls).toHaveLength(1);
    expect(studio.recording.active).toBe(true);
  });

  it("is not begun in a piece that was opened while the browser asked", async () => {
    const { studio, player, allow } = recording();
    const pressed = studio.recording.toggle();
    studio.show(state("q"));
    allow.give();
    await pressed;
    expect([vi.mocked(player.playAfter).mock.calls.length, studio.recording.active]).toEqual([0, false]);
  });

  it("puts its notes in place of those of their pitch, but for locked ones", async () => {
    const { studio, key, begin } = recording({ "PUT pieces/p/locks": {} });
    await studio.piece?.lock([{ track: "t", tick: BAR, pitch: 62 }], true);
    await begin();
    key([0x90, 60, 99], 240);
    key([0x80, 60, 0], 720);
    key([0x90, 62, 99], BAR + 10);
    key([0x80, 62, 0], BAR + 300);
    studio.playing.stop();
    const notes = studio.song?.track("t")?.notes;
    expect([...(notes?.tick ?? [])]).toEqual([0, 240, BAR]);
    expect([...(notes?.length ?? [])]).toEqual([240, 480, 480]);
  });

  it("is heard on the active track before and after it, and on its own while it goes on", async () => {
    const bass = { id: "b", name: "Bass", program: 33, drum: false, channel: 1, notes: [0, 480, 36, 80] };
    const song = state("p").song;
    const { studio, key, begin, player } = recording();
    studio.show(state("q", { song: { ...song, tracks: [...song.tracks, bass] } }));
    const heard = (): unknown => vi.mocked(player.press).mock.calls.at(-1)?.[0];
    await begin();
    studio.set({ activeTrack: "b" });
    await idle();
    key([0x90, 70, 90], 0);
    expect(heard()).toBe(0);
    studio.playing.stop();
    await idle();
    key([0x90, 70, 90], 0);
    expect(heard()).toBe(33);
  });
});
