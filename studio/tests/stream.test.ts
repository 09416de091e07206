import { describe, expect, it } from "vitest";
import type { StudioEvent } from "../src/protocol";
import { BlockParser, EventStream } from "../src/stream";

const event = (take: string): StudioEvent => ({ type: "idea.restarted", take });
const block = (id: number, take: string): string => `id: ${id}\ndata: ${JSON.stringify(event(take))}\n\n`;

describe("BlockParser", () => {
  const text = `: alive\n\n${block(1, "a")}id: 2\r\ndata: {"x":\r\ndata: 1}\r\n\r\n${block(3, "ü")}`;
  const all = new BlockParser().feed(text);

  it("reads ids and data, data of several lines, and leaves comments out", () => {
    expect(all.map(({ id }) => id)).toEqual([1, 2, 3]);
    expect(JSON.parse(all[1]?.data ?? "")).toEqual({ x: 1 });
  });

  it.each([1, 2, 3, 7])("reads the same in chunks of %i characters", (size) => {
    const parser = new BlockParser();
    const found = [];
    for (let at = 0; at < text.length; at += size) found.push(...parser.feed(text.slice(at, at + size)));
    expect(found).toEqual(all);
  });
});

/** Streams that end after what they were given; the last one stays open. */
function scripted(chunks: (string | Error)[]) {
  const asked: number[] = [];
  const connected: boolean[] = [];
  const events: string[] = [];
  const waits: number[] = [];
  const stream: EventStream = new EventStream(0, {
    open: async (after) => {
      asked.push(after);
      const chunk = chunks.shift();
      if (chunk === undefined) {
        stream.close();
        throw new Error("no more");
      }
      if (chunk instanceof Error) throw chunk;
      const bytes = new TextEncoder().encode(chunk);
      return new ReadableStream<Uint8Array>({
        start(controller) {
          for (let at = 0; at < bytes.length; at += 5) controller.enqueue(bytes.slice(at, at + 5));
          controller.close();
        },
      });
    },
    onEvent: (given) => events.push((given as { take: string }).take),
    onConnected: (is) => connected.push(is),
    wait: async (attempt) => void waits.push(attempt),
  });
  return { stream, asked, connected, events, waits };
}

describe("EventStream", () => {
  it("resumes after the last event, and gives a repeated one once", async () => {
    const run = scripted([block(1, "a") + block(2, "b"), block(2, "b") + block(3, "c"), ""]);
    await run.stream.run();
    expect(run.asked).toEqual([0, 2, 3, 3]);
    expect(run.events).toEqual(["a", "b", "c"]);
  });

  it("does not lose a block that was cut off", async () => {
    const whole = block(2, "b");
    const run = scripted([block(1, "a") + whole.slice(0, -1), whole]);
    await run.stream.run();
    expect(run.asked).toEqual([0, 1, 2]);
    expect(run.events).toEqual(["a", "b"]);
  });

  it("says that the server is gone only if it cannot be opened again, and when it is back", async () => {
    const run = scripted([block(1, "a"), new Error("gone"), new Error("gone"), block(2, "b")]);
    await run.stream.run();
    expect(run.connected).toEqual([true, false, false, true]);
    expect(run.waits).toEqual([1, 2, 3, 1]);
    expect(run.events).toEqual(["a", "b"]);
  });

  it("reads characters that are cut in the middle", async () => {
    const run = scripted([block(1, "äöü♯")]);
    await run.stream.run();
    expect(run.events).toEqual(["äöü♯"]);
  });

  it("opens again when the line has been silent for longer than the server ever is", async () => {
    const timers = new Map<() => void, number>();
    const asked: number[] = [];
    const aborted: boolean[] = [];
    const stream: EventStream = new EventStream(0, {
      open: async (after, signal) => {
        asked.push(after);
        if (asked.length === 3) stream.close();
        signal.addEventListener("abort", () => aborted.push(true));
        // The first two say something, and then nothing for ever; the browser does not notice.
        return new ReadableStream<Uint8Array>({
          start: (controller) => controller.enqueue(new TextEncoder().encode(block(asked.length, "a"))),
        });
      },
      onEvent: () => setTimeout(() => [...timers.keys()].forEach((run) => run())),
      onConnected: () => undefined,
      wait: async () => undefined,
      later: (run, ms) => {
        timers.set(run, ms);
        return () => timers.delete(run);
      },
    });
    await stream.run();
    expect(asked).toEqual([0, 1, 2]);
    expect(aborted.length).toBeGreaterThanOrEqual(2);
    expect([...timers]).toEqual([]);
  });

  it("leaves a line alone on which there are heartbeats", async () => {
    const waits: number[] = [];
    const stream: EventStream = new EventStream(0, {
      open: async () => {
        const beats = [": alive\n\n", ": alive\n\n", block(1, "a")];
        return new ReadableStream<Uint8Array>({
          pull: (controller) => controller.enqueue(new TextEncoder().encode(beats.shift() ?? "")),
        }, { highWaterMark: 0 });
      },
      onEvent: () => stream.close(),
      onConnected: () => undefined,
      wait: async () => undefined,
      later: (_, ms) => {
        waits.push(ms);
        return () => undefined;
      },
    });
    await stream.run();
    expect(stream.last).toBe(1);
    expect(new Set(waits)).toEqual(new Set([30_000]));
    expect(waits.length).toBeGreaterThanOrEqual(4); // counted anew with each sign of life
  });
});
