/** The names of General MIDI's instruments, and the few one adds most often. */

const NAMES =
  "Grand piano|Bright piano|Electric grand|Honky-tonk piano|Electric piano 1|Electric piano 2|Harpsichord|Clavinet|" +
  "Celesta|Glockenspiel|Music box|Vibraphone|Marimba|Xylophone|Tubular bells|Dulcimer|" +
  "Drawbar organ|Percussive organ|Rock organ|Church organ|Reed organ|Accordion|Harmonica|Bandoneon|" +
  "Nylon guitar|Steel guitar|Jazz guitar|Clean guitar|Muted guitar|Overdriven guitar|Distorted guitar|Guitar harmonics|" +
  "Acoustic bass|Fingered bass|Picked bass|Fretless bass|Slap bass 1|Slap bass 2|Synth bass 1|Synth bass 2|" +
  "Violin|Viola|Cello|Contrabass|Tremolo strings|Pizzicato strings|Harp|Timpani|" +
  "Strings|Slow strings|Synth strings 1|Synth strings 2|Choir aahs|Voice oohs|Synth voice|Orchestra hit|" +
  "Trumpet|Trombone|Tuba|Muted trumpet|French horn|Brass section|Synth brass 1|Synth brass 2|" +
  "Soprano sax|Alto sax|Tenor sax|Baritone sax|Oboe|English horn|Bassoon|Clarinet|" +
  "Piccolo|Flute|Recorder|Pan flute|Blown bottle|Shakuhachi|Whistle|Ocarina|" +
  "Square lead|Saw lead|Calliope lead|Chiff lead|Charang lead|Voice lead|Fifths lead|Bass and lead|" +
  "New age pad|Warm pad|Polysynth pad|Choir pad|Bowed pad|Metallic pad|Halo pad|Sweep pad|" +
  "Rain|Soundtrack|Crystal|Atmosphere|Brightness|Goblins|Echoes|Sci-fi|" +
  "Sitar|Banjo|Shamisen|Koto|Kalimba|Bagpipe|Fiddle|Shanai|" +
  "Tinkle bell|Agogo|Steel drums|Woodblock|Taiko|Melodic tom|Synth drum|Reverse cymbal|" +
  "Fret noise|Breath noise|Seashore|Bird|Telephone|Helicopter|Applause|Gunshot";

export const INSTRUMENTS: readonly string[] = NAMES.split("|");

export const DRUMS = -1;

/** The name of a program, -1 the drums. */
export function instrument(program: number, drum = program === DRUMS): string {
  return drum ? "Drums" : (INSTRUMENTS[program] ?? `Program ${program}`);
}

/** A name for the track list: the track's own, or its instrument's. */
export function trackName(track: { name: string; program: number; drum: boolean }): string {
  return track.name.trim() || instrument(track.program, track.drum);
}

/** Instruments offered first when one is to be added: label, and programs in the order of preference. */
const QUICK: readonly (readonly [string, readonly number[]])[] = [
  ["Bass", [33, 32, 34, 35, 43]],
  ["Piano", [0, 1, 4]],
  ["Drums", [DRUMS]],
  ["Strings", [48, 49, 40]],
  ["Guitar", [24, 25, 26, 27]],
  ["Cello", [42]],
  ["Flute", [73, 74]],
  ["Choir", [52, 53]],
];

/** Those of the quick instruments that a model can write; all of them if it does not say. */
export function quickInstruments(known: readonly number[]): { label: string; program: number }[] {
  const found: { label: string; program: number }[] = [];
  for (const [label, programs] of QUICK) {
    const program = known.length === 0 ? programs[0] : programs.find((one) => known.includes(one));
    if (program !== undefined) found.push({ label, program });
  }
  return found;
}

/** A pitch from "C4", "F#3", "Bb2" or a number; null if it is none. */
export function readPitch(text: string): number | null {
  const found = /^\s*([A-Ga-g])([#♯b♭]?)(-?\d)\s*$/.exec(text);
  const letter = found?.[1]?.toUpperCase();
  const pitch =
    found && letter
      ? (Number(found[3]) + 1) * 12 +
        "C D EF G A B".indexOf(letter) +
        ({ "#": 1, "♯": 1, b: -1, "♭": -1 }[found[2] ?? ""] ?? 0)
      : Number(text.trim() || NaN);
  return Number.isInteger(pitch) && pitch >= 0 && pitch <= 127 ? pitch : null;
}

/** How a track is marked wherever it is named; the roll uses the same eight. */
export const TRACK_COLOURS = 8;
