/** Takes for tests. */

import type { Take } from "../src/protocol";

export const BAR = 1920;

/** A growing idea for bar 2, with some of it changed. */
export function take(id: string, change: Partial<Take> = {}): Take {
  return {
    id,
    piece: "p",
    parent: "file",
    kind: "idea",
    state: "growing",
    title: id,
    star: false,
    created: 1,
    verb: "infill",
    bars: [2, 2],
    tracks: [],
    request: {},
    model: "base",
    seed: 1,
    notes: 0,
    outsideChanged: null,
    error: null,
    deleted: false,
    ...change,
  };
}
