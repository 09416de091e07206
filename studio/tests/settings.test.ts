import { describe, expect, it } from "vitest";
import { importFiles } from "../src/app/files";
import { DEFAULTS } from "../src/app/requests";
import { settingsOf } from "../src/app/settings";
import type { Studio } from "../src/app/studio";

describe("the controls that are set", () => {
  it("are none at first", () => {
    expect(settingsOf({ ...DEFAULTS })).toEqual([]);
  });

  it("are named, and taken away one by one", () => {
    let options = { ...DEFAULTS, style: "jazz", key: "D minor", programs: [33, -1], end: true, strength: 0.5 };
    expect(settingsOf(options).map(({ text }) => text)).toEqual([
      "style jazz",
      "key D minor",
      "Fingered bass, Drums",
      "comes to an end",
      "Vary changes 50 %",
    ]);
    for (const left of [4, 3, 2, 1, 0]) {
      options = { ...options, ...settingsOf(options)[0]?.without };
      expect(settingsOf(options)).toHaveLength(left);
    }
    expect(options).toEqual(DEFAULTS);
  });
});

describe("many files at once", () => {
  it("are opened as far as there is a bound, and the page says that there are more", async () => {
    const said: string[] = [];
    let opened = 0;
    const studio = {
      attempt: (act: () => Promise<unknown>) => act(),
      refresh: async () => undefined,
      show: () => undefined,
      set: () => undefined,
      announcer: { say: () => undefined },
      notices: { say: (text: string) => said.push(text), error: ({ message }: Error) => said.push(message) },
      api: { importPiece: async () => void (opened += 1) },
    };
    const files = Array.from({ length: 103 }, (_, n) => new File(["x"], `${n}.mid`));
    await importFiles(studio as unknown as Studio, [...files, new File(["x"], "cover.png")]);
    expect(opened).toBe(100);
    expect(said).toContain("Only the first 100 of 103 MIDI files are opened: open the others in a second go.");
  });
});
