"""A blind listening test as one HTML page: pairs of pieces in random order on random sides, answered by keyboard.

The page holds the answer key, as it works without a network: who wrote what is told at the end. So that nobody reads it
by accident, sounds have no names, and the key is in the page only masked: its bytes, combined with random ones.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable, Sequence
from string import Template

import numpy as np
from symusic import Score

from toccata.report.media import page_file, roll, sound

SECONDS = 20.0
"""The longest sound of a piece."""
_ID = 16  # hexadecimal digits by which a page finds its answers again


def listening_page(
    names: tuple[str, str],
    pieces: tuple[Sequence[Score], Sequence[Score]],
    *,
    pairs: int,
    seed: int,
    rolls: bool = False,
    update: Callable[[int, int], None] | None = None,
) -> str:
    """Return the page.

    Args:
        names: The two systems.
        pieces: What each wrote, ``pairs`` pieces at least.
        pairs: How many pairs there are.
        seed: Of which pieces make a pair, of the order of the pairs, and of the sides.
        rolls: Whether piano rolls are shown, too.
        update: Called with (sounds made, sounds in all).
    """
    rng = np.random.default_rng(seed)
    orders = [rng.permutation(len(of_one))[:pairs].tolist() for of_one in pieces]
    turned = rng.permutation(np.arange(pairs) % 2).tolist()  # each is on either side as often as on the other
    shown: list[dict[str, str]] = []
    for number, (a, b, right) in enumerate(zip(*orders, turned, strict=True)):
        sides = (pieces[0][a], pieces[1][b])
        pair: dict[str, str] = {}
        for side, score in zip(("left", "right"), sides[::-1] if right else sides, strict=True):
            pair[side] = sound(score, SECONDS)
            pair |= {f"{side}_roll": roll(score)} if rolls else {}
        shown.append(pair)
        if update is not None:
            update(number + 1, pairs)
    key = {"systems": list(names), "left": turned, "pieces": [list(pair) for pair in zip(*orders, strict=True)]}
    mask, masked = _masked(json.dumps(key).encode(), rng)
    data = {"pairs": shown, "mask": mask, "key": masked, "seed": seed}
    text = json.dumps(data).replace("<", "\\u003c")  # nothing in it ends the script
    identity = hashlib.sha256(text.encode()).hexdigest()[:_ID]
    return Template(page_file("listening.html")).substitute(
        style=page_file("listening.css"), script=page_file("listening.js"), data=text, identity=identity
    )


def _masked(key: bytes, rng: np.random.Generator) -> tuple[str, str]:
    """Return random bytes, and the key combined with them, in base64; together they give the key again."""
    mask = rng.integers(0, 256, len(key), dtype=np.uint8)
    combined = np.frombuffer(key, np.uint8) ^ mask
    return base64.b64encode(mask.tobytes()).decode(), base64.b64encode(combined.tobytes()).decode()
