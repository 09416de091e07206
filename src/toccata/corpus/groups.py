"""Which pieces belong together, and on which side of the split they fall."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from toccata.corpus.store import Split

SHARED = 0.25
"""Pieces that have this share of the shorter one's passages in common are in one group."""
COMMON = 24
"""A passage found in more pieces than this is an idiom (a scale, a drum loop), not a sign of kinship."""

FEW = 64
"""A piece of more passages than this is known by a quarter of them, so that the index stays small."""


def thinned(passages: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """A quarter of the passages, chosen by themselves, so that every piece that holds them chooses the same ones."""
    kept: NDArray[np.uint64] = passages[(passages >> np.uint64(3)) % np.uint64(4) == 0]
    return kept


def related(passages: Sequence[NDArray[np.uint64]]) -> list[int]:
    """Group pieces that hold the same music, or parts of it, by their passages (see ``midi.facts.fingerprint``).

    Returns:
        For each piece the smallest number of a piece in its group.
    """
    parent = list(range(len(passages)))

    def root(i: int) -> int:
        while parent[i] != i:
            parent[i] = parent[parent[i]]
            i = parent[i]
        return i

    sizes = [len(p) for p in passages]
    thin = [len(thinned(p)) for p in passages]
    counts: dict[tuple[int, int], int] = {}
    for pieces in _holders(passages):
        for k, a in enumerate(pieces):
            for b in pieces[k + 1 :]:
                counts[a, b] = counts.get((a, b), 0) + 1
    for (a, b), common in counts.items():
        # What one of them has but thinned out, both can only have in common among those.
        size = thin if sizes[a] == thin[a] or sizes[b] == thin[b] else sizes
        if common >= max(2, SHARED * min(size[a], size[b])):
            first, second = sorted((root(a), root(b)))
            parent[second] = first
    return [root(i) for i in range(len(passages))]


def _holders(passages: Sequence[NDArray[np.uint64]]) -> list[list[int]]:
    """For each passage that stands in several pieces, but not in very many, the pieces."""
    if not any(len(p) for p in passages):
        return []
    hashes = np.concatenate(passages)
    owners = np.repeat(np.arange(len(passages)), [len(p) for p in passages])
    order = np.argsort(hashes, kind="stable")
    hashes, owners = hashes[order], owners[order]
    starts = np.flatnonzero(np.r_[True, hashes[1:] != hashes[:-1]])
    sizes = np.diff(np.r_[starts, len(hashes)])
    wanted = (sizes > 1) & (sizes <= COMMON)
    return [owners[s : s + n].tolist() for s, n in zip(starts[wanted], sizes[wanted], strict=True)]


def assign(
    groups: Mapping[str, Sequence[str]], before: Mapping[str, Split], valid: float, test: float
) -> dict[str, Split]:
    """Put every group of pieces on one side of the split.

    A piece that was on a side stays there. A new piece joins its group; one related to pieces of both sides goes to the
    held-out side, so that what is held out never gets into training. A new group's side follows from its content alone,
    so it does not depend on what else is there; only where a side would stay empty, training first, does it take the
    group next in line.

    Args:
        groups: The contents of each group's pieces, by the group's name.
        before: The side of contents that have been assigned before.
        valid: Share of the pieces to validate on.
        test: Share of the pieces to test on.

    Returns:
        The side of each content.
    """
    sides: dict[str, Split] = {}
    fresh: list[str] = []
    for name, contents in groups.items():
        known = {before[c] for c in contents if c in before}
        if not known:
            fresh.append(name)
            continue
        side: Split = "test" if "test" in known else "valid" if "valid" in known else "train"
        sides |= {c: before.get(c, side) for c in contents}
    place = {name: _place(name) for name in fresh}
    chosen: dict[str, Split] = {
        name: "test" if p < test else "valid" if p < test + valid else "train" for name, p in place.items()
    }
    if fresh and "train" not in sides.values() and "train" not in chosen.values():
        chosen[max(fresh, key=place.__getitem__)] = "train"  # of very few pieces, one has to be learned from
    total = len(groups)
    for side, share in (("test", test), ("valid", valid)):
        taken = side in sides.values() or side in chosen.values()
        spare = sorted((name for name in fresh if chosen[name] == "train"), key=place.__getitem__)
        if share > 0 and not taken and total >= 3 and len(spare) > 1:
            chosen[spare[0]] = "test" if side == "test" else "valid"
    for name in fresh:
        sides |= dict.fromkeys(groups[name], chosen[name])
    return sides


def _place(name: str) -> float:
    """Where in [0, 1) a group falls, by its name alone."""
    return int.from_bytes(hashlib.blake2b(name.encode(), digest_size=8).digest(), "big") / 2**64
