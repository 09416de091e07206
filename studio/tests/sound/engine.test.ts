import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { Playing } from "../../src/app/playing";
import { type SoundFontVoices, StudioPlayer } from "../../src/sound/engine";
import { song } from "./fakes";

/** An audio context of which only the clock and the state are real; all else answers to anything. */
class Context {
  static last: Context;
  state: AudioContextState = "running";
  currentTime = 0;
  sampleRate = 0;
  outputLatency = 0;

  constructor() {
    Context.last = this;
    return new Proxy<Context>(this, {
      get: (own, name) => (name in own ? Reflect.get(own, name, own) : anything),
    });
  }

  resume(): void {
    this.state = "running";
  }

  suspend(): void {
    this.state = "suspended";
  }
}

const anything: object = new Proxy(() => undefined, {
  get: (_, name) => (name === Symbol.toPrimitive ? () => 0 : anything),
  set: () => true,
  apply: () => anything,
});

class Font implements SoundFontVoices {
  closed = false;
  constructor(readonly label: string) {}
  on(): void {}
  off(): void {}
  silence(): number {
    return 0;
  }
  async warm(): Promise<void> {}
  async render(): Promise<AudioBuffer> {
    throw new Error("not here");
  }
  close(): void {
    this.closed = true;
  }
}

const MUSIC = song({ bars: 2, tracks: { piano: { notes: [[0, 480, 60, 90]] } } });

let player: StudioPlayer;
let ready: Map<string, (font: Font) => void>;

beforeEach(() => {
  vi.useFakeTimers();
  vi.stubGlobal("AudioContext", Context);
  ready = new Map();
  player = new StudioPlayer({ soundFont: (_context, _output, name) => new Promise((load) => ready.set(name, load)) });
  player.setSong(MUSIC);
});

afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

/** Let the audio clock and the timers run. */
function run(seconds: number): void {
  for (let done = 0; done < seconds * 20; done++) {
    if (Context.last.state === "running") Context.last.currentTime += 0.05;
    vi.advanceTimersByTime(50);
  }
}

async function loaded(name: string): Promise<Font> {
  await vi.waitFor(() => expect(ready.has(name)).toBe(true));
  const font = new Font(name);
  ready.get(name)?.(font);
  return font;
}

describe("the choice of a sound", () => {
  it("is the built-in one, if that is chosen while a SoundFont loads", async () => {
    const used = player.useSoundFont("a.sf2", new Promise((load) => setTimeout(() => load(new ArrayBuffer(1)), 10)));
    player.useBuiltIn();
    vi.advanceTimersByTime(10);
    const font = await loaded("a.sf2");
    expect(await used).toBe(false);
    expect([font.closed, player.state.sound]).toEqual([true, "built-in sound"]);
  });

  it("is the last one of several that load, in whatever order they come", async () => {
    const first = player.useSoundFont("a.sf2", new ArrayBuffer(1));
    const second = player.useSoundFont("b.sf2", new ArrayBuffer(1));
    await loaded("b.sf2");
    expect(await second).toBe(true);
    const font = await loaded("a.sf2");
    expect(await first).toBe(false);
    expect([font.closed, player.state.sound]).toEqual([true, "b.sf2"]);
  });

  it("ends the wait of one that has not had its turn when another is there", async () => {
    player.play(0);
    const first = player.useSoundFont("a.sf2", new ArrayBuffer(1));
    const waiting = await loaded("a.sf2");
    await vi.advanceTimersByTimeAsync(0);
    const second = player.useSoundFont("b.sf2", new ArrayBuffer(1));
    await loaded("b.sf2");
    expect(await first).toBe(false);
    expect(waiting.closed).toBe(true);
    run(3);
    expect(await second).toBe(true);
    expect(player.state.sound).toBe("b.sf2");
  });
});

describe("the audio device", () => {
  it("rests after a minute of silence, and not before; the next sound wakes it", () => {
    player.play(0);
    run(3);
    player.stop();
    run(59);
    expect(Context.last.state).toBe("running");
    run(2);
    expect(Context.last.state).toBe("suspended");
    player.touch(0, false, 60, 80);
    expect(Context.last.state).toBe("running");
  });

  it("does not rest while it plays or a key is held", () => {
    player.setLoop([0, 1920]);
    player.play(0);
    run(90);
    expect(Context.last.state).toBe("running");
    player.stop();
    player.press(0, false, 60, 80);
    run(150);
    expect(Context.last.state).toBe("running");
    player.release(60);
    run(121);
    expect(Context.last.state).toBe("suspended");
  });
});

describe("the page's cursor", () => {
  let playing: Playing;
  let ideas: { of: object; tick: number } | null;

  beforeEach(() => {
    vi.stubGlobal("requestAnimationFrame", () => 1);
    ideas = null;
    playing = new Playing(player, () => undefined, () => undefined, () => ideas);
  });

  it("is at the end when the music has ended, so that it begins anew", () => {
    playing.play(3000);
    run(3);
    expect([playing.playing, playing.tick]).toEqual([false, MUSIC.end]);
    playing.toggle();
    run(0.5);
    expect(player.position()).toBeGreaterThan(0);
    expect(player.position()).toBeLessThan(1000);
  });

  it("goes back to where playing began, or stays", () => {
    playing.seek(480);
    playing.toggle();
    run(1);
    playing.toggle();
    expect([playing.tick, player.position()]).toEqual([480, 480]);
    playing.toggle();
    run(1);
    playing.toggle(true);
    expect(playing.tick).toBeGreaterThan(1000);
    expect(playing.tick).toBe(player.position());
  });

  it("begins where open ideas do, until it is put somewhere", () => {
    ideas = { of: {}, tick: 1920 };
    playing.toggle();
    expect(playing.tick).toBe(1920);
    run(1);
    playing.toggle();
    expect(playing.tick).toBe(1920);
    playing.seek(960);
    playing.toggle();
    expect(playing.tick).toBe(960);
    playing.toggle();
    ideas = { of: {}, tick: 1920 };
    playing.toggle();
    expect(playing.tick).toBe(1920);
  });
});
