import { describe, expect, it } from "vitest";
import { ApiError, ServerGone } from "../src/api";
import { Outbox, type OutboxOptions } from "../src/app/outbox";
import type { Edit, Operation } from "../src/protocol";

class Memory {
  readonly values = new Map<string, string>();
  getItem = (key: string): string | null => this.values.get(key) ?? null;
  setItem = (key: string, value: string): void => void this.values.set(key, value);
  removeItem = (key: string): void => void this.values.delete(key);
}

const rename = (name: string): Edit => ({ operations: [{ type: "rename", track: "t", name }] });
const nameOf = (operations: Operation[]): string => (operations[0]?.type === "rename" ? operations[0].name : "");

function outbox(send: (name: string) => Promise<void>, store = new Memory(), more: Partial<OutboxOptions> = {}) {
  const log: string[] = [];
  const box = new Outbox("p", store, {
    send: async (edit) => {
      await send(nameOf(edit.operations));
      log.push(`sent ${nameOf(edit.operations)}`);
    },
    onConflict: async () => void log.push("reloaded"),
    onRefused: async (edit) => void log.push(`refused ${nameOf(edit.operations)}`),
    onChange: () => undefined,
    wait: async (attempt) => void log.push(`waited ${attempt}`),
    ...more,
  });
  return { box, log, store };
}

describe("Outbox", () => {
  it("sends edits in order, one at a time", async () => {
    let open = 0;
    const { box, log } = outbox(async () => {
      open += 1;
      expect(open).toBe(1);
      await Promise.resolve();
      open -= 1;
    });
    for (const name of ["a", "b", "c"]) box.push(rename(name));
    await box.flush();
    expect(log).toEqual(["sent a", "sent b", "sent c"]);
    expect(box.waiting).toEqual([]);
  });

  it("keeps trying while the server is gone, and loses nothing", async () => {
    let tries = 0;
    const { box, log } = outbox(async () => {
      tries += 1;
      if (tries < 3) throw new ServerGone("down");
    });
    box.push(rename("a"));
    await box.flush();
    expect(log).toEqual(["waited 1", "waited 2", "sent a"]);
    expect(box.offline).toBe(false);
  });

  it("sends what an earlier page left", async () => {
    const store = new Memory();
    const first = outbox(() => new Promise(() => undefined), store);
    first.box.push(rename("a"));
    first.box.push(rename("b"));
    const second = outbox(async () => undefined, store);
    await second.box.flush();
    expect(second.log).toEqual(["sent a", "sent b"]);
    expect(store.values.size).toBe(0);
  });

  it("loads the piece again after a 409, and sends the edit on top of it", async () => {
    let stale = true;
    const { box, log } = outbox(async () => {
      if (stale) {
        stale = false;
        throw new ApiError(409, "conflict", "another seq");
      }
    });
    box.push(rename("a"));
    await box.flush();
    expect(log).toEqual(["reloaded", "sent a"]);
  });

  it("gives a refused edit up and goes on with the next", async () => {
    const { box, log } = outbox(async (name) => {
      if (name === "bad") throw new ApiError(400, "argument", "no");
    });
    box.push(rename("bad"));
    box.push(rename("good"));
    await box.flush();
    expect(log).toEqual(["refused bad", "sent good"]);
  });

  it("runs other acts after the edits before them, in order", async () => {
    const { box, log } = outbox(async () => undefined);
    box.push(rename("a"));
    const act = (name: string) => box.then(async () => void log.push(name));
    const done = [act("undo"), box.then(() => Promise.reject(new Error("no"))).catch(() => undefined), act("redo")];
    await Promise.all(done);
    expect(log).toEqual(["sent a", "undo", "redo"]);
  });
});
