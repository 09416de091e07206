import { describe, expect, it } from "vitest";
import { COMMANDS, type Context, commandFor } from "../src/commands";
import { BROWSER_KEYS, keyName } from "../src/keys";

const SITUATIONS = ["ideas", "picker", "plain"] as const;

const press = (
  key: string,
  code: string,
  modifiers: Partial<Record<"ctrlKey" | "metaKey" | "altKey" | "shiftKey", boolean>> = {},
) => keyName({ key, code, ctrlKey: false, metaKey: false, altKey: false, shiftKey: false, ...modifiers });

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
      "Ctrl+M": "metronome",
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
});
