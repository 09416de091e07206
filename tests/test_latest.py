"""The latest token of each kind: by torch, for whole sequences and token by token, always the same."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from toccata.errors import ModelError
from toccata.model.attention import Packing
from toccata.model.config import DecoderConfig
from toccata.model.decoder import latest as latest_torch
from toccata.model.latest import Memory, latest, offsets, size

VOCAB = 24
Kinds = tuple[tuple[int, int, int], ...]


@st.composite
def kinds(draw: st.DrawFn) -> Kinds:
    found = []
    for k in range(draw(st.integers(1, 5))):
        first = draw(st.integers(0, VOCAB - 1))
        found.append((first, draw(st.integers(first + 1, VOCAB)), draw(st.integers(-1, k - 1))))
    return tuple(found)


sequences = st.lists(st.integers(0, VOCAB - 1), min_size=1, max_size=40)


def by_hand(which: Kinds, ids: list[int]) -> list[list[int]]:
    """What the latest tokens are, looked for anew at each token."""
    rows: list[list[int]] = []
    for t in range(len(ids)):
        row: list[int] = []
        for (first, end, by), offset in zip(which, offsets(which), strict=True):
            found = end - first
            for before in range(t, -1, -1):
                same = by < 0 or (row[by] == (rows[before][by] if before < t else row[by]))
                if first <= ids[before] < end and same:
                    found = ids[before] - first
                    break
            row.append(offset + found)
        rows.append(row)
    return rows


@given(kinds(), sequences)
def test_whole_sequences(which: Kinds, ids: list[int]) -> None:
    found = latest(which, np.array(ids))
    assert found.tolist() == by_hand(which, ids)
    assert found.max() < size(which)


@given(kinds(), st.lists(sequences, min_size=1, max_size=3), st.data())
def test_token_by_token(which: Kinds, begun: list[list[int]], data: st.DataObject) -> None:
    """Sequences begin at different lengths, go on together, and are copied."""
    memory = Memory(which, len(begun) + 1)
    for row, ids in enumerate(begun):
        assert memory.begin(row, np.array(ids)).tolist() == by_hand(which, ids)
    memory.copy(0, len(begun))
    begun = [*begun, list(begun[0])]
    for _ in range(data.draw(st.integers(1, 12))):
        new = [data.draw(st.integers(0, VOCAB - 1)) for _ in begun]
        memory.append(np.array(new))
        begun = [[*ids, one] for ids, one in zip(begun, new, strict=True)]
        assert memory.rows[:, 0].tolist() == [by_hand(which, ids)[-1] for ids in begun]


@settings(deadline=None)
@given(kinds(), st.lists(sequences, min_size=1, max_size=4))
def test_packed_rows_of_torch(which: Kinds, parts: list[list[int]]) -> None:
    """What is packed into rows is as if each sequence stood alone."""
    whole = [one for part in parts for one in part]
    lengths = [[len(part) for part in parts], [len(whole)]]
    ids = torch.tensor([whole, whole[::-1]], dtype=torch.int32)
    found = latest_torch(which, ids, Packing.always(lengths))
    assert found is not None
    assert found[0].tolist() == [row for part in parts for row in by_hand(which, part)]
    assert found[1].tolist() == by_hand(which, whole[::-1])


@pytest.mark.parametrize(
    "wrong", [((3, 3, -1),), ((0, 40, -1),), ((0, 4, 0),), ((0, 4),), "all", ((0, 4, -1),) * 40, ((0.0, 4, -1),)]
)
def test_kinds_that_cannot_be(wrong: object) -> None:
    with pytest.raises(ModelError, match=r"model\.latest"):
        DecoderConfig(vocab=30, latest=wrong)  # type: ignore[arg-type]
