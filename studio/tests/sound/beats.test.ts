import { describe, expect, it } from "vitest";

import { beatsWithin, nextBar, nextBeat } from "../../src/sound/beats";
import { drumWave, normal } from "../../src/sound/drums";
import { spectra, timbreOf } from "../../src/sound/timbres";
import { wavBytes } from "../../src/sound/wav";
import { QUARTER, meter } from "./fakes";

const common = { bars: meter(4, 4, 4), ticksPerQuarter: QUARTER };
const compound = { bars: meter(6, 8, 4), ticksPerQuarter: QUARTER };

describe("beats", () => {
  it("lie in the meter, the first of a bar accented", () => {
    expect(beatsWithin(common, 0, 2000).map(({ tick, accent }) => (accent ? -tick : tick))).toEqual([-0, 480, 960, 1440, -1920]);
    expect(beatsWithin(compound, 1, 1440).map(({ tick }) => tick)).toEqual([240, 480, 720, 960, 1200]);
    expect(beatsWithin(common, 481, 960)).toEqual([]);
  });

  it("have a next one, and so have bars", () => {
    expect(nextBeat(common, 0)).toBe(0);
    expect(nextBeat(common, 1)).toBe(480);
    expect(nextBeat(common, 1900)).toBe(1920);
    expect(nextBar(common.bars, 1920)).toBe(1920);
    expect(nextBar(common.bars, 1921)).toBe(3840);
  });
});

describe("the built-in instruments", () => {
  it("are there for every program, as loud as each other before their gain", () => {
    for (let program = 0; program < 128; program++) {
      const { dark } = spectra(timbreOf(program), 24);
      const power = dark.real.reduce((sum, value, n) => sum + value ** 2 + (dark.imag[n] ?? 0) ** 2, 0) / 2;
      expect(Math.sqrt(power)).toBeCloseTo(0.75, 5);
    }
  });

  it("have a stroke for every drum key: the same each time, with soft edges, within bounds", () => {
    for (let key = 0; key < 128; key++) {
      const wave = drumWave(key, 8000);
      const again = drumWave(key, 8000);
      expect(wave.every((value, n) => value === again[n])).toBe(true);
      const peak = wave.reduce((largest, value) => Math.max(largest, Math.abs(value)), 0);
      expect(peak).toBeGreaterThan(0.2);
      expect(peak).toBeLessThan(0.91);
      expect(Math.abs(wave[0] ?? 1) + Math.abs(wave.at(-1) ?? 1)).toBeLessThan(0.01);
    }
  });

  it("have noise of the usual spread", () => {
    const random = normal(7);
    const some = Array.from({ length: 20_000 }, random);
    expect(some.reduce((sum, value) => sum + value, 0) / some.length).toBeCloseTo(0, 1);
    expect(Math.sqrt(some.reduce((sum, value) => sum + value ** 2, 0) / some.length)).toBeCloseTo(1, 1);
  });
});

describe("a WAV file", () => {
  it("has its header, and samples that are clipped rather than wrapped", () => {
    const bytes = new Uint8Array(wavBytes([Float32Array.of(0, 1, -2), Float32Array.of(0.5, -1, 2)], 44_100));
    expect(String.fromCharCode(...bytes.slice(0, 4), ...bytes.slice(8, 16))).toBe("RIFFWAVEfmt ");
    expect(bytes.length).toBe(44 + 12);
    const view = new DataView(bytes.buffer);
    expect(view.getUint32(4, true)).toBe(36 + 12);
    expect(view.getUint16(22, true)).toBe(2);
    expect([0, 1, 2, 3, 4, 5].map((n) => view.getInt16(44 + 2 * n, true))).toEqual([0, 16384, 32767, -32767, -32767, 32767]);
  });
});
