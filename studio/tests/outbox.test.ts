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
    reload: async (why) => void log.push(`reloaded, ${why}`),
    onRefused: (_error, edit) => void log.push(`refused ${edit ? nameOf(edit.operations) : "to load"}`),
    onUnstored: () => void log.push("unstored"),
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
    expect(log).toEqual(["reloaded, conflict", "sent a"]);
  });

  it("gives a refused edit up and goes on with the next", async () => {
    const { box, log } = outbox(async (name) => {
      if (name === "bad") throw new ApiError(400, "argument", "no");
    });
    box.push(rename("bad"));
    box.push(rename("good"));
    await box.flush();
    expect(log).toEqual(["refused bad", "reloaded, refused", "sent good"]);
  });

  it.each([401, 403, 421, 429, 503, 507])("keeps an edit that meets a %i, and sends it later", async (status) => {
    let tries = 0;
    const { box, log, store } = outbox(
      async () => {
        tries += 1;
        if (tries < 9) throw new ApiError(status, "refused", "not now");
      },
      new Memory(),
      { wait: async () => expect([box.offline, store.values.size]).toEqual([true, 1]) },
    );
    box.push(rename("a"));
    await box.flush();
    expect(log).toEqual(["sent a"]);
  });

  it("waits as long as the server asks it to", async () => {
    const waits: (number | null)[] = [];
    let busy = true;
    const { box } = outbox(
      async () => {
        if (busy) throw new ApiError(429, "busy", "wait", 7);
      },
      new Memory(),
      {
        wait: async (_attempt, seconds) => {
          waits.push(seconds);
          busy = false;
        },
      },
    );
    box.push(rename("a"));
    await box.flush();
    expect(waits).toEqual([7]);
  });

  it("gives an edit up that fails again and again while the server does other things", async () => {
    const { box, log } = outbox(async (name) => {
      if (name === "bad") throw new ApiError(500, "fault", "a fault");
    });
    box.push(rename("bad"));
    box.push(rename("good"));
    await box.flush();
    expect(log).toEqual([
      "waited 1",
      "waited 2",
      "waited 3",
      "reloaded, refused",
      "refused bad",
      "reloaded, refused",
      "sent good",
    ]);
  });

  it("keeps an edit while the server can do nothing at all", async () => {
    let broken = true;
    const fault = new ApiError(500, "fault", "a fault");
    const { box, log } = outbox(
      async () => {
        if (broken) throw fault;
      },
      new Memory(),
      {
        reload: async () => {
          if (broken) throw fault;
        },
        wait: async (attempt) => {
          if (attempt === 12) broken = false;
        },
      },
    );
    box.push(rename("a"));
    await box.flush();
    expect(log).toEqual(["sent a"]);
  });

  it("goes on after a server that went away while the piece was loaded again", async () => {
    let loads = 0;
    let stale = true;
    const { box, log } = outbox(
      async () => {
        if (stale) throw new ApiError(409, "conflict", "another seq");
      },
      new Memory(),
      {
        reload: async () => {
          loads += 1;
          if (loads < 3) throw new ServerGone("down");
          stale = false;
        },
      },
    );
    box.push(rename("a"));
    await box.flush();
    expect(log).toEqual(["waited 1", "waited 2", "sent a"]);
  });

  it("refuses what waits for a piece that is gone, and ends", async () => {
    const gone = new ApiError(404, "not-found", "no such piece");
    const { box, log } = outbox(() => Promise.reject(gone), new Memory(), { reload: () => Promise.reject(gone) });
    for (const name of ["a", "b"]) box.push(rename(name));
    await box.flush();
    expect(log).toEqual(["refused a", "refused to load", "refused b", "refused to load"]);
  });

  it("sends an edit that is made in the moment in which the one before has arrived", async () => {
    const { box, log } = outbox(async () => undefined, new Memory(), {
      onChange: () => {
        if (log.length === 1 && box.waiting.length === 0) box.push(rename("b"));
      },
    });
    box.push(rename("a"));
    await box.then(async () => undefined);
    expect(log).toEqual(["sent a", "sent b"]);
  });

  it("stops where it is, and leaves what is not sent in the store", async () => {
    let answer: () => void = () => undefined;
    const { box, log, store } = outbox(() => new Promise((resolve) => (answer = resolve)));
    for (const name of ["a", "b"]) box.push(rename(name));
    const halted = box.halt();
    answer();
    await halted;
    expect(log).toEqual(["sent a"]);
    expect(JSON.parse(store.getItem("toccata.unsent.p") ?? "")).toMatchObject([rename("b")]);
  });

  it("says once that the browser has no room, and sends all the same", async () => {
    const store = new Memory();
    store.values.set("toccata.unsent.p", JSON.stringify([{ id: "0", ...rename("a") }]));
    store.setItem = () => {
      throw new DOMException("full", "QuotaExceededError");
    };
    const { box, log } = outbox(async () => undefined, store);
    for (const name of ["b", "c"]) box.push(rename(name));
    expect(store.values.size).toBe(0); // an older list would be sent again
    await box.flush();
    expect(log).toEqual(["unstored", "sent a", "sent b", "sent c"]);
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
