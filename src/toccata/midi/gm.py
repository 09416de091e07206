"""General MIDI's names for programs, and what its drum keys are."""

from __future__ import annotations

import re

from toccata.errors import RequestError, shown
from toccata.midi.text import readable

_NAMES = """
    Acoustic Grand Piano, Bright Acoustic Piano, Electric Grand Piano, Honky-tonk Piano, Electric Piano 1,
    Electric Piano 2, Harpsichord, Clavinet, Celesta, Glockenspiel, Music Box, Vibraphone, Marimba, Xylophone,
    Tubular Bells, Dulcimer, Drawbar Organ, Percussive Organ, Rock Organ, Church Organ, Reed Organ, Accordion,
    Harmonica, Bandoneon, Nylon Guitar, Steel Guitar, Jazz Guitar, Clean Guitar, Muted Guitar, Overdriven Guitar,
    Distortion Guitar, Guitar Harmonics, Acoustic Bass, Fingered Bass, Picked Bass, Fretless Bass, Slap Bass 1,
    Slap Bass 2, Synth Bass 1, Synth Bass 2, Violin, Viola, Cello, Contrabass, Tremolo Strings, Pizzicato Strings,
    Harp, Timpani, String Ensemble 1, String Ensemble 2, Synth Strings 1, Synth Strings 2, Choir Aahs, Voice Oohs,
    Synth Voice, Orchestra Hit, Trumpet, Trombone, Tuba, Muted Trumpet, French Horn, Brass Section, Synth Brass 1,
    Synth Brass 2, Soprano Sax, Alto Sax, Tenor Sax, Baritone Sax, Oboe, English Horn, Bassoon, Clarinet, Piccolo,
    Flute, Recorder, Pan Flute, Blown Bottle, Shakuhachi, Whistle, Ocarina, Square Lead, Sawtooth Lead, Calliope Lead,
    Chiff Lead, Charang Lead, Voice Lead, Fifths Lead, Bass and Lead, New Age Pad, Warm Pad, Polysynth Pad, Choir Pad,
    Bowed Pad, Metallic Pad, Halo Pad, Sweep Pad, Rain, Soundtrack, Crystal, Atmosphere, Brightness, Goblins, Echoes,
    Sci-fi, Sitar, Banjo, Shamisen, Koto, Kalimba, Bagpipe, Fiddle, Shanai, Tinkle Bell, Agogo, Steel Drums,
    Woodblock, Taiko Drum, Melodic Tom, Synth Drum, Reverse Cymbal, Guitar Fret Noise, Breath Noise, Seashore,
    Bird Tweet, Telephone Ring, Helicopter, Applause, Gunshot
"""
PROGRAMS: tuple[str, ...] = tuple(" ".join(_NAMES.split()).split(", "))

DRUM_CHANNEL = 9


def track_name(name: str, program: int, is_drum: bool) -> str:
    """Return a track's name, made readable, or that of its instrument where it has none."""
    return readable(name).strip() or ("Drums" if is_drum else PROGRAMS[program % 128])


_DRUMS = """
Acoustic Bass Drum, Bass Drum, Side Stick, Snare, Hand Clap, Electric Snare, Low Floor Tom, Closed Hi-hat,
High Floor Tom, Pedal Hi-hat, Low Tom, Open Hi-hat, Low-mid Tom, High-mid Tom, Crash, High Tom, Ride, China, Ride Bell,
Tambourine, Splash, Cowbell, Crash 2, Vibraslap, Ride 2, High Bongo, Low Bongo, Mute Conga, Open Conga, Low Conga,
High Timbale, Low Timbale, High Agogo, Low Agogo, Cabasa, Maracas, Short Whistle, Long Whistle, Short Guiro,
Long Guiro, Claves, High Woodblock, Low Woodblock, Mute Cuica, Open Cuica, Mute Triangle, Open Triangle
"""
DRUMS: dict[int, str] = dict(enumerate(" ".join(_DRUMS.split()).split(", "), start=35))
"""The drum keys of General MIDI by pitch."""

_EVERYDAY = {
    "piano": 0, "grand piano": 0, "keys": 0, "keyboard": 0, "electric piano": 4, "e-piano": 4, "rhodes": 4,
    "organ": 19, "pipe organ": 19, "hammond": 16, "guitar": 24, "acoustic guitar": 25, "classical guitar": 24,
    "electric guitar": 27, "e-guitar": 27, "lead guitar": 29, "distorted guitar": 30, "bass": 32, "double bass": 43,
    "upright bass": 32, "string bass": 43, "bass guitar": 33, "electric bass": 33, "e-bass": 33, "synth bass": 38,
    "strings": 48, "string section": 48, "string orchestra": 48, "string ensemble": 48, "violoncello": 42,
    "choir": 52, "voice": 52, "voices": 52, "vocals": 52, "vocal": 52, "singer": 53,
    "sax": 65, "saxophone": 65, "horn": 60, "horns": 61, "brass": 61, "timpani": 47, "synth": 81,
    "synthesizer": 81, "lead": 81, "synth lead": 81, "pad": 89, "synth pad": 89, "bells": 14, "vibes": 11,
}  # fmt: skip
"""Common names of instruments that General MIDI has several programs for, or another name."""
_DRUM_NAMES = ("drums", "drum", "drum kit", "drumkit", "drum set", "drumset", "percussion", "kit", "-1")


def program_name(program: int) -> str:
    """Return General MIDI's name of a program; that of -1 is ``Drums``."""
    return "Drums" if program == -1 else PROGRAMS[program]


def program_number(text: str) -> int:
    """A General MIDI program by number (0 to 127) or name, -1 for ``drums``; part of a name will do if only one has it.

    Raises:
        RequestError: There is no such instrument, or more than one.
    """
    wanted = text.strip().lower()
    if wanted in _DRUM_NAMES:
        return -1
    if re.fullmatch("[0-9]{1,3}", wanted) and int(wanted) < 128:
        return int(wanted)
    names = [name.lower() for name in PROGRAMS]
    if wanted in names:
        return names.index(wanted)
    found = [i for i, name in enumerate(names) if wanted and wanted in name]
    if wanted in _EVERYDAY:
        return _EVERYDAY[wanted]
    if len(found) == 1:
        return found[0]
    if found:
        raise RequestError(
            f"{shown(text)} may be {', '.join(f'{PROGRAMS[i]} ({i})' for i in found[:8])}: name one of them"
        )
    import difflib

    near = difflib.get_close_matches(wanted, names, 3, 0.5)
    hint = f"do you mean {' or '.join(PROGRAMS[names.index(n)] for n in near)}?" if near else "give 0 to 127, or drums"
    raise RequestError(f"there is no General MIDI instrument {shown(text)}: {hint}")
