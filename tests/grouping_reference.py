"""How pieces were grouped and split when all pairs were held at once: what `toccata.corpus` must say, too."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from toccata.corpus.groups import COMMON, FAMILIAR, NEAR, NEAR_LEAST, SHARED, SPREAD
from toccata.corpus.sides import HELD_OUT, MANY
from toccata.corpus.store import Split
from toccata.midi.likeness import _PITCH, _PLACE, aligned, as_thin_as, hashes_of, place_of

Ints = NDArray[np.int64]
Hashes = NDArray[np.uint64]


def rate_of(sketched: Hashes) -> int:
    """How thin a sketch is: its hashes are all below ``2 ** (33 - rate)``."""
    if not len(sketched):
        return 0
    return 64 - max(int(sketched[-1]).bit_length(), _PLACE + _PITCH)


def thinned(passages: Hashes) -> Hashes:
    """A quarter of the passages, chosen by themselves, so that every piece that holds them chooses the same ones."""
    kept: Hashes = passages[(passages >> np.uint64(3)) % np.uint64(4) == 0]
    return kept


def related(passages: Sequence[Hashes], sketches: Sequence[Hashes] = (), steps: Sequence[str] = ()) -> list[int]:
    """Group pieces that hold the same music, or parts of it, or nearly the same.

    Args:
        passages: Of each piece, at most ``FEW`` of them or thinned; see ``midi.facts.Fingerprint``.
        sketches: Of each piece; none: only passages count. Copies whose notes were moved or thinned out, and which so
            have hardly a passage in common with the original, are known by these.
        steps: Of each piece; none: they do not count.

    Returns:
        For each piece the smallest number of a piece in its group.
    """
    parent = list(range(len(passages)))

    def root(i: int) -> int:
        while parent[i] != i:
            parent[i] = parent[parent[i]]
            i = parent[i]
        return i

    for a, b in chain(_same(steps), _sharing(passages)):
        first, second = sorted((root(a), root(b)))
        parent[second] = first
    rare = _rare(sketches)
    for a, b, rate, least in _maybe_near(sketches, rare):
        first, second = sorted((root(a), root(b)))
        if first != second and _is_near(sketches[a], sketches[b], rate, least, rare[a]):
            parent[second] = first
    return [root(i) for i in range(len(passages))]


def _same(steps: Sequence[str]) -> Iterator[tuple[int, int]]:
    first: dict[str, int] = {}
    for number, text in enumerate(steps):
        if (other := first.setdefault(text, number)) != number:
            yield other, number


def _sharing(passages: Sequence[Hashes]) -> Iterator[tuple[int, int]]:
    sizes = np.array([len(p) for p in passages], np.int64)
    thin = np.array([len(thinned(p)) for p in passages], np.int64)
    a, b, common = _pairs(passages, COMMON)
    # What one of them has but thinned out, both can only have in common among those.
    is_thin = (sizes == thin)[a] | (sizes == thin)[b]
    smaller = np.where(is_thin, np.minimum(thin[a], thin[b]), np.minimum(sizes[a], sizes[b]))
    kin = common >= np.maximum(2, SHARED * smaller)
    yield from zip(a[kin].tolist(), b[kin].tolist(), strict=True)


def _rare(sketches: Sequence[Hashes]) -> list[NDArray[np.bool_]]:
    """Which constellations of each sketch do not stand in very many."""
    hashes, _, starts, sizes = _by_hash([hashes_of(sketch) for sketch in sketches])
    idioms = hashes[starts[sizes > FAMILIAR]]
    return [~np.isin(hashes_of(sketch), idioms) for sketch in sketches]


def _maybe_near(sketches: Sequence[Hashes], rare: Sequence[NDArray[np.bool_]]) -> Iterator[tuple[int, int, int, float]]:
    """Pairs that share so many constellations that they may be near copies.

    A sketch of a long piece is thinner: both have in common only what the thinner one would have kept.

    Yields:
        Two pieces, the rate of the thinner sketch, and how many constellations it takes.
    """
    counted = [sketch[mask] for sketch, mask in zip(sketches, rare, strict=True)]
    a, b, common = _pairs([hashes_of(sketch) for sketch in counted], FAMILIAR)
    if not len(a):
        return
    rates = np.array([rate_of(sketch) for sketch in sketches], np.int64)
    sizes = np.array([[len(as_thin_as(s, rate)) for rate in range(int(rates.max()) + 1)] for s in counted], np.int64)
    rate = np.maximum(rates[a], rates[b])
    least = np.maximum(NEAR_LEAST, NEAR * np.minimum(sizes[a, rate], sizes[b, rate]))
    maybe = common >= least
    yield from zip(*(column[maybe].tolist() for column in (a, b, rate, least)), strict=True)


def _is_near(one: Hashes, other: Hashes, rate: int, least: float, rare: NDArray[np.bool_]) -> bool:
    """Whether two pieces are near copies, one of the other or of a part of it; ``rare`` is of ``one``."""
    thin = [as_thin_as(sketch, rate) for sketch in (one, other)]
    found = aligned(*thin) & rare[: len(thin[0])]
    if found.sum() < least:
        return False
    if len(thin[1]) < len(thin[0]):  # the spread is that in the shorter piece
        there = np.isin(hashes_of(thin[1]), hashes_of(thin[0][found]))
        thin, found = [thin[1]], there
    rank = np.argsort(np.argsort(place_of(thin[0]), kind="stable"), kind="stable")
    return len(np.unique(rank[found] * 8 // len(rank))) >= SPREAD


def _pairs(hashes: Sequence[Hashes], most: int) -> tuple[Ints, Ints, Ints]:
    """Pairs of pieces, the smaller number first, and how many hashes they share that stand in ``most`` at most."""
    _, owners, starts, sizes = _by_hash(hashes)
    found = [np.empty(0, np.int64)]
    for size in range(2, min(most, int(sizes.max(initial=0))) + 1):
        holders = np.sort(owners[starts[sizes == size][:, None] + np.arange(size)], axis=1)
        one, other = np.triu_indices(size, 1)
        found.append((holders[:, one] * len(hashes) + holders[:, other]).reshape(-1))
    pairs, common = np.unique(np.concatenate(found), return_counts=True)
    return pairs // max(1, len(hashes)), pairs % max(1, len(hashes)), common


def _by_hash(hashes: Sequence[Hashes]) -> tuple[Hashes, Ints, Ints, Ints]:
    """All hashes, sorted; the number of the piece that each is of; where each one begins, and in how many it stands."""
    every = np.concatenate([np.empty(0, np.uint64), *hashes])
    owners = np.repeat(np.arange(len(hashes)), [len(h) for h in hashes])
    order = np.argsort(every, kind="stable")
    values, owners = every[order], owners[order]
    starts = np.flatnonzero(np.r_[True, values[1:] != values[:-1]][: len(values)])
    return values, owners, starts, np.diff(np.r_[starts, len(values)])


def assign(
    groups: Mapping[str, Sequence[str]], before: Mapping[str, Split], valid: float, test: float
) -> dict[str, Split]:
    """Put every group of pieces on one side of the split.

    A piece that was on a side stays there. A new piece joins its group; one related to pieces of both sides goes to the
    held-out side, so that what is held out never gets into training. A new group's side follows from its name; but one
    of more pieces than a held-out side shall have is trained on, and where a side would have fewer pieces than it
    shall, it takes the groups next in line: at least its share of all pieces, and of ``MANY`` pieces or more at least
    ``HELD_OUT``. Where groups are so large that this cannot be, training comes first.

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
    shares: dict[Split, float] = {"test": test, "valid": valid}
    total = sum(len(contents) for contents in groups.values())
    wanted = {side: _wanted(share, total) for side, share in shares.items()}
    chosen: dict[str, Split] = {}
    for name in fresh:
        place = _place(name)
        side = "test" if place < test else "valid" if place < test + valid else "train"
        chosen[name] = "train" if side != "train" and len(groups[name]) > wanted[side] else side
    if fresh and "train" not in sides.values() and "train" not in chosen.values():
        # Of very few pieces, some have to be learned from.
        chosen[max(fresh, key=lambda name: (len(groups[name]), _place(name)))] = "train"
    if len(groups) >= 3:
        _fill(groups, sides, chosen, wanted)
    for name in fresh:
        sides |= dict.fromkeys(groups[name], chosen[name])
    return sides


def _wanted(share: float, total: int) -> int:
    """How many of ``total`` pieces a held-out side shall have, at least."""
    if share <= 0:
        return 0
    return max(math.ceil(share * total - 1e-9), HELD_OUT if total >= MANY else 1)


def _fill(
    groups: Mapping[str, Sequence[str]], sides: Mapping[str, Split], chosen: dict[str, Split], wanted: dict[Split, int]
) -> None:
    """Let held-out sides that are too small take new groups from training, in ``chosen``."""
    count = {side: sum(s == side for s in sides.values()) for side in ("train", "valid", "test")}
    for name, side in chosen.items():
        count[side] += len(groups[name])
    least = max(1, (sum(count.values()) - sum(wanted.values())) // 2)  # what training keeps in any case
    spare = sorted((name for name, side in chosen.items() if side == "train"), key=_place)
    short = [side for side, pieces in wanted.items() if count[side] < pieces]
    while short:
        side = min(short, key=lambda side: count[side] / wanted[side])
        left = count["train"]
        fits = (n for n in spare if len(groups[n]) <= wanted[side] and left - len(groups[n]) >= least)
        found = next(fits, None)
        if found is None and not count[side]:  # rather a large group than none
            large = (n for n in spare if 2 * len(groups[n]) <= left)
            found = min(large, key=lambda n: (len(groups[n]), _place(n)), default=None)
        if found is None:
            short.remove(side)
            continue
        spare.remove(found)
        chosen[found] = side
        count[side] += len(groups[found])
        count["train"] -= len(groups[found])
        short = [s for s in short if count[s] < wanted[s]]


def _place(name: str) -> float:
    """Where in [0, 1) a group falls, by its name alone."""
    return int.from_bytes(hashlib.blake2b(name.encode(), digest_size=8).digest(), "big") / 2**64
