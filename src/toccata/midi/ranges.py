"""What the instruments of General MIDI can play: their ranges, which of them play one note at a time, and basses.

Ranges are sounding pitches, as MIDI numbers (60 is C4), of a professional player on a common instrument: those of
orchestral instruments after S. Adler, *The Study of Orchestration* (4th ed., 2016), of keyboards and mallets the
compass of common models, of guitars and basses the open strings and the frets. Synthesizers have the compass of 88
keys, and noises, effects and unpitched percussion no limit.
"""

from __future__ import annotations

_ANY, _KEYS = (0, 127), (21, 108)
_BY_NUMBER: tuple[tuple[int, int], ...] = (
    # pianos, electric pianos, harpsichord, clavinet
    _KEYS, _KEYS, _KEYS, _KEYS, (28, 103), (28, 103), (29, 89), (29, 88),
    # celesta, glockenspiel, music box, vibraphone, marimba, xylophone, tubular bells, dulcimer
    (60, 108), (79, 108), (60, 108), (53, 89), (36, 96), (65, 108), (60, 77), (48, 86),
    # organs, reed organ, accordion, harmonica, bandoneon
    (36, 96), (36, 96), (36, 96), (24, 108), (29, 96), (36, 96), (60, 96), (36, 96),
    # guitars
    (38, 83), (38, 86), (38, 88), (38, 88), (38, 88), (38, 88), (38, 88), (38, 96),
    # basses
    (23, 67), (23, 67), (23, 67), (23, 67), (23, 67), (23, 67), (21, 72), (21, 72),
    # violin, viola, cello, contrabass, tremolo, pizzicato, harp, timpani
    (55, 105), (48, 93), (36, 84), (24, 67), (28, 105), (28, 105), (23, 104), (36, 60),
    # string ensembles, choirs and voices, orchestra hit
    (28, 105), (28, 105), (28, 105), (28, 105), (36, 86), (36, 86), (36, 96), (36, 96),
    # trumpet, trombone, tuba, muted trumpet, horn, brass
    (52, 86), (34, 77), (26, 65), (52, 86), (34, 77), (34, 86), (36, 96), (36, 96),
    # saxophones, oboe, English horn, bassoon, clarinet
    (56, 91), (49, 85), (44, 80), (36, 73), (58, 93), (52, 84), (34, 76), (49, 94),
    # piccolo, flute, recorder, pan flute, bottle, shakuhachi, whistle, ocarina
    (74, 108), (59, 98), (53, 98), (55, 96), (60, 96), (55, 93), (60, 108), (60, 91),
    # leads and pads
    *(_KEYS,) * 16,
    # effects
    *(_ANY,) * 8,
    # sitar, banjo, shamisen, koto, kalimba, bagpipe, fiddle, shanai
    (48, 84), (48, 88), (50, 84), (38, 84), (48, 84), (46, 81), (55, 105), (58, 84),
    # tinkle bell, agogo, steel drums, woodblock, taiko, tom, synth drum, reverse cymbal
    (72, 108), (60, 84), (36, 89), _ANY, _ANY, _ANY, _ANY, _ANY,
    # noises
    *(_ANY,) * 8,
)  # fmt: skip
DRUM_KEYS = (35, 81)
"""The keys of the drum kit of General MIDI."""
SINGLE_LINE = frozenset((*range(40, 44), 47, *range(56, 61), *range(64, 80), 110, 111))
"""Programs whose player plays one note at a time: solo strings, brass, woodwinds and timpani."""
BASSES = frozenset((*range(32, 40), 43))
"""Programs whose place is below all others: bass guitars, synth basses, the double bass."""


def playable(program: int) -> tuple[int, int]:
    """Return the lowest and the highest pitch of a General MIDI program; -1 is the drums."""
    return DRUM_KEYS if program == -1 else _BY_NUMBER[program]
