"""The colours of the piano roll: distinguishable with colour blindness, and unobtrusive for the rest."""

from __future__ import annotations

from collections.abc import Sequence

PAPER = "#ffffff"
INK = "#1d2433"
QUIET = "#6b7385"
STRONG = "#3a4256"
GRID = "#b9c0cd"
FAINT = "#e6e9ef"
BLACK_KEY = "#f5f6f9"
WHITE_KEY = "#eceff4"
PROMPT = "#e3e0d3"
ACCENT = "#b3261e"

# Ordered so that neighbours differ in lightness as well as hue, for those who see fewer hues: blue, orange, green,
# purple, ... in strengths that show on white; yellow is left out, as it does not.
_COLOURS = (
    "#1f6fb2",
    "#e07b00",
    "#0b8a6a",
    "#a2408f",
    "#4fb0e0",
    "#7a3b12",
    "#d2557a",
    "#2d2f86",
    "#8a9a1c",
    "#17b3a6",
    "#8e8e99",
    "#c79a3a",
)
_DRUMS = "#3f4654"


def track_colours(tracks: Sequence[tuple[int, bool]]) -> list[str]:
    """A colour for each ``(program, is drums)``: drums are dark grey, the others differ as long as there are colours.

    From the thirteenth track on, colours come back lighter, then darker.
    """
    out = []
    given = 0
    for _, drums in tracks:
        if drums:
            out.append(_DRUMS)
            continue
        turn, place = divmod(given, len(_COLOURS))
        colour = _COLOURS[place]
        if turn:
            colour = _mixed(colour, PAPER if turn % 2 else INK, 0.4)
        out.append(colour)
        given += 1
    return out


def _mixed(colour: str, other: str, share: float) -> str:
    ours, theirs = (bytes.fromhex(c[1:]) for c in (colour, other))
    return "#" + bytes(round(a * (1 - share) + b * share) for a, b in zip(ours, theirs, strict=True)).hex()
