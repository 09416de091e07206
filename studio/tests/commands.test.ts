import { describe, expect, it, vi } from "vitest";
import { COMMANDS, type Context, commandFor, leftToBrowser } from "../src/commands";
import { BROWSER_KEYS, keyName } from "../src/keys";

const SITUATIONS = ["ideas", "picker", "plain"] as const;

interface Held {
  ctrlKey?: boolean;
  metaKey?: boolean;
  altKey?: boolean;
  shiftKey?: boolean;
  altGraph?: boolean;
}

const press = (key: string, code: string, { altGraph = false, ...held }: Held = {}, mac = false) =>
  keyName(
    {
      ...{ key, code, ctrlKey: false, metaKey: false, altKey: false, shiftKey: false, ...held },
      getModifierState: (name) => name === "AltGraph" && altGraph,
    },
    mac,
  );

describe("commands", () => {
  it.each(SITUATIONS)("give each key one meaning while %s", (situation) => {
    const owners = new Map<string, string>();
    for (const command of COMMANDS) {
      if (command.context !== "always" && command.context !== situation) continue;
      for (const key of command.keys) {
        expect(owners.get(key), `${key}: ${command.id}`).toBeUndefined();
        owners.set(key, command.id);
      }
    }
  });

  it("leave the browser its own keys", () => {
    expect(COMMANDS.flatMap(({ keys }) => keys).filter((key) => BROWSER_KEYS.includes(key))).toEqual([]);
  });

  it("have distinct ids and names that say something", () => {
    expect(new Set(COMMANDS.map(({ id }) => id)).size).toBe(COMMANDS.length);
    for (const { name } of COMMANDS) expect(name.length).toBeGreaterThan(2);
  });

  it("give digits and Enter to ideas while there are some", () => {
    const id = (key: string, context: Exclude<Context, "always">) => commandFor(key, context)?.id;
    expect([id("2", "ideas"), id("2", "plain"), id("2", "picker")]).toEqual(["hear2", "draw", undefined]);
    expect([id("Enter", "ideas"), id("Enter", "plain")]).toEqual(["take", "stopAtStart"]);
    expect([id("Esc", "ideas"), id("Esc", "plain")]).toEqual(["back", "selectNone"]);
  });

  it("keep the keys that editors share", () => {
    const shared = {
      Space: "play",
      R: "record",
      M: "mute",
      "Ctrl+Z": "undo",
      "Ctrl+Shift+Z": "redo",
      "Ctrl+A": "selectAll",
      "Ctrl+D": "duplicate",
      Delete: "delete",
      Up: "up",
      "Shift+Up": "octaveUp",
      Q: "quantise",
      L: "loop",
      "Shift+M": "metronome",
      "Shift+F": "follow",
      "?": "help",
      "Ctrl+K": "palette",
      Home: "start",
      End: "end",
    };
    for (const [key, id] of Object.entries(shared)) expect(commandFor(key, "plain")?.id, key).toBe(id);
  });
});

describe("names of keys", () => {
  it("name letters, digits and others", () => {
    expect(press("z", "KeyZ", { ctrlKey: true })).toBe("Ctrl+Z");
    expect(press("Z", "KeyZ", { metaKey: true, shiftKey: true })).toBe("Ctrl+Shift+Z");
    expect(press(" ", "Space")).toBe("Space");
    expect(press("?", "Minus", { shiftKey: true })).toBe("?");
    expect(press("ArrowUp", "ArrowUp", { shiftKey: true })).toBe("Shift+Up");
    expect(press("F1", "F1")).toBe("F1");
  });

  it("take the digit of a keyboard that writes digits with Shift", () => {
    expect(press("&", "Digit1")).toBe("1");
    expect(press("1", "Numpad1")).toBe("1");
  });

  it("leave the number pad its arrows", () => {
    expect(press("Home", "Numpad7")).toBe("Home");
    expect(press("ArrowUp", "Numpad8", { shiftKey: true })).toBe("Shift+Up");
  });

  it("are what AltGr writes, on German and French keyboards", () => {
    const held = { ctrlKey: true, altKey: true, altGraph: true }; // as Windows has it
    expect(press("[", "Digit8", held)).toBe("[");
    expect(press("]", "Digit9", held)).toBe("]");
    expect(press("[", "Digit5", held)).toBe("[");
    expect(press("]", "Minus", { altGraph: true })).toBe("]"); // as Linux has it
    expect(press("[", "Digit5", { altKey: true }, true)).toBe("["); // German, on a Mac
    expect(press("{", "Digit8", { altKey: true, altGraph: true }, true)).toBe("{");
  });

  it("are letters with Alt, whatever a Mac's Option makes of them", () => {
    expect(press("Dead", "KeyN", { altKey: true, altGraph: true }, true)).toBe("Alt+N");
    expect(press("\u02dc", "KeyN", { altKey: true }, true)).toBe("Alt+N");
    expect(press("n", "KeyN", { altKey: true })).toBe("Alt+N");
    expect(press("\u2013", "Minus", { altKey: true }, true)).toBe("Alt+-");
    expect(press("\u00b1", "Equal", { altKey: true, shiftKey: true }, true)).toBe("Alt++");
    expect(press("+", "BracketRight", { altKey: true })).toBe("Alt++");
    expect(press("ArrowUp", "ArrowUp", { altKey: true, altGraph: true }, true)).toBe("Alt+Up");
  });

  it("are those of the place where letters are not Latin, and of the letter where they are", () => {
    expect(press("\u044f", "KeyZ", { ctrlKey: true })).toBe("Ctrl+Z");
    expect(press("\u0421", "KeyC", { shiftKey: true })).toBe("Shift+C");
    expect(press("\u0445", "BracketLeft")).toBe("[");
    expect(press("\u042e", "Period", { shiftKey: true })).toBe(">");
    expect(press("z", "KeyY")).toBe("Z");
    expect(press("\u00fc", "BracketLeft")).toBe("\u00dc");
  });
});

describe("Ctrl+C", () => {
  it("is the browser's while a text of the page is selected", () => {
    const selected = (text: string) => vi.stubGlobal("document", { getSelection: () => text });
    selected("bar 5");
    expect([leftToBrowser("Ctrl+C"), leftToBrowser("Ctrl+X")]).toEqual([true, false]);
    selected("");
    expect(leftToBrowser("Ctrl+C")).toBe(false);
    vi.unstubAllGlobals();
  });
});
