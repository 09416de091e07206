"""What is known beside each token: the same for whole sequences and token by token, in training and in the engine."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from symusic import Score

from decoding import begun
from toccata.engine.cache import KeyValueCache
from toccata.engine.network import Network
from toccata.errors import ModelError
from toccata.model.config import INTERVALS, DecoderConfig
from toccata.model.decoder import Decoder
from toccata.model.weights import to_tensors
from toccata.tokenizers.events import EventOptions, EventTokenizer
from toccata.tokenizers.feature_reader import Reader
from toccata.tokenizers.features import VOICES, Features
from toccata.tokenizers.vocabulary import Kind

SCHEMES = ("RunningStatus", "REMI")
TOKENIZERS = {
    scheme: EventTokenizer.build(
        EventOptions(
            scheme=scheme,
            options={"num_velocities": 4, "program_changes": True, "time_signature_range": {"4": [3, 4], "8": [6]}}
            if scheme == "REMI"
            else {"num_velocities": 4, "time_signature_range": {"4": [3, 4], "8": [6]}},
        )
    )
    for scheme in SCHEMES
}


def features(scheme: str) -> Features:
    found = TOKENIZERS[scheme].features
    assert found is not None
    return found


def step_by_step(which: Features, ids: list[int]) -> np.ndarray:
    reader, rows = Reader(which), []
    for one in ids:
        reader.read(one)
        rows.append(reader.rows)
    return np.array(rows)


def names(which: Features, row: np.ndarray) -> dict[str, list[int]]:
    """The features of one token by name, each with its value or values."""
    found: dict[str, list[int]] = {}
    columns = [name for name, _ in which.blocks] + ["sounding"] * (VOICES - 1)
    for name, value in zip(columns, (row - which.offsets).tolist(), strict=True):
        found.setdefault(name, []).append(value)
    return found


@st.composite
def sequences(draw: st.DrawFn, scheme: str) -> list[int]:
    """Ids in any order, mostly of notes that are one after the other."""
    of_kind = TOKENIZERS[scheme].grammar().scheme.vocabulary.of_kind
    pitches = of_kind[Kind.PITCH][40:50].tolist()
    kinds = [
        of_kind[Kind.BAR], of_kind[Kind.TIME_SIG], of_kind[Kind.POSITION][::12], of_kind[Kind.PROGRAM][[0, 40, 128]],
        of_kind[Kind.VELOCITY], of_kind[Kind.DURATION][::9], pitches, pitches, of_kind[Kind.PITCH], of_kind[Kind.TEMPO],
    ]  # fmt: skip
    one = st.one_of(*[st.sampled_from(list(map(int, kind))) for kind in kinds if len(kind)])
    return draw(st.lists(one, min_size=1, max_size=120))


@settings(deadline=None)
@pytest.mark.parametrize("scheme", SCHEMES)
@given(data=st.data())
def test_whole_sequences_are_as_token_by_token(scheme: str, data: st.DataObject) -> None:
    ids = data.draw(sequences(scheme))
    which = features(scheme)
    found = which.of(ids)
    assert found.tolist() == step_by_step(which, ids).tolist()
    ends = np.cumsum([rows for _, rows in which.blocks])[[*range(len(which.blocks)), *[-1] * (VOICES - 1)]]
    assert ((which.offsets <= found) & (found < ends)).all()


@settings(deadline=None)
@pytest.mark.parametrize("scheme", SCHEMES)
@given(data=st.data())
def test_a_token_knows_nothing_of_those_behind_it(scheme: str, data: st.DataObject) -> None:
    ids, which = data.draw(sequences(scheme)), features(scheme)
    cut = data.draw(st.integers(1, len(ids)))
    assert which.of(ids[:cut]).tolist() == which.of(ids)[:cut].tolist()


@settings(deadline=None)
@given(data=st.data())
def test_a_copy_goes_on_by_itself(data: st.DataObject) -> None:
    first, one, other = (data.draw(sequences("RunningStatus")) for _ in range(3))
    which = features("RunningStatus")
    reader = Reader(which)
    for token in first:
        reader.read(token)
    copy = reader.copy()
    for token in one:
        reader.read(token)
    for token in other:
        copy.read(token)
    assert reader.rows == which.of(first + one)[-1].tolist()
    assert copy.rows == which.of(first + other)[-1].tolist()


@pytest.mark.parametrize("scheme", SCHEMES)
def test_real_pieces_are_as_token_by_token(scheme: str, data: Path) -> None:
    which = features(scheme)
    for path in sorted((data / "bach" / "mutopia").glob("*.mid"))[::60]:
        ids = TOKENIZERS[scheme].encode(Score(path)).ids[:1500].tolist()
        assert which.of(ids).tolist() == step_by_step(which, ids).tolist()


def test_what_is_known_of_a_chord() -> None:
    """C major over a low C that two bars of 4/4 hold, then a bar later an E of another instrument."""
    tokenizer, which = TOKENIZERS["RunningStatus"], features("RunningStatus")
    words = tokenizer.words(np.arange(tokenizer.vocab_size))
    text = (
        "Bar TimeSig_4/4 Position_0 Program_0 Velocity_ Duration_8.0. Pitch_36 Duration_1.0. Pitch_60 Pitch_64 "
        "Pitch_67 Bar TimeSig_4/4 Position_0 Program_40 Velocity_ Duration_2.0. Pitch_76"
    )
    ids = [next(i for i, word in enumerate(words) if word.startswith(one)) for one in text.split()]
    found = [names(which, row) for row in which.of(ids)]
    chord, last = found[10], found[-1]
    assert chord["top"] == [1 + 67]
    assert chord["bass"] == [1 + 36]
    assert chord["voices"] == [4]
    assert chord["notes"] == [4]
    assert chord["sounding"][:5] == [68, 65, 61, 37, 0]
    assert chord["pitch classes"] == [1 << 0 | 1 << 4 | 1 << 7]
    assert chord["a bar ago"] == [0]
    assert found[13]["a bar ago"] == [1 + 36]  # the position a bar later, the piano's turn still
    assert last["sounding"][:3] == [77, 37, 0]
    assert last["program"] == [41]
    assert last["top before"] == [68]
    assert last["pitch before"] == [68]
    assert last["a bar ago"] == [0]  # the violin has not played before
    assert last["own step"] == [0]
    assert chord["own step"] == [1 + 24 + 3]
    assert found[13]["own gap"] == found[13]["gap"] == [1 + 4 * 12]  # a bar, in twelfths of a quarter
    assert found[13]["own end"] == [2 - 1]  # its last chord is over
    assert found[13]["next onset a bar ago"] == [0]  # nothing followed in that bar


def test_a_figure_that_comes_back_on_another_step_is_guessed() -> None:
    """Four notes, then their first three a fourth higher: what follows them is guessed a fourth higher, too."""
    tokenizer, which = TOKENIZERS["RunningStatus"], features("RunningStatus")
    words = tokenizer.words(np.arange(tokenizer.vocab_size))
    notes = [f"Position_{12 * place} Pitch_{pitch}" for place, pitch in enumerate((60, 62, 59, 64))]
    again = [f"Position_{12 * place} Pitch_{pitch + 5}" for place, pitch in enumerate((60, 62, 59, 64))]
    text = [
        "Bar TimeSig_4/4 Position_0 Program_0 Velocity_ Duration_1.0. Pitch_60",
        *notes[1:],
        "Bar",
        "TimeSig_4/4",
        *again,
    ]
    ids = [next(i for i, word in enumerate(words) if word.startswith(one)) for one in " ".join(text).split()]
    found = names(which, which.of(ids[:-1])[-1])
    assert found["after 4 tokens"] == found["after 3 tokens"] == [1 + ids[-1]]
    assert found["after 3 steps"] == [0]  # with the step to its first note there are only two that were there before
    assert words[ids[-1]] == "Pitch_69"
    rhythm = names(which, which.of(ids[:-2])[-1])["after a rhythm of 4"]
    assert rhythm == [1 + ids[-2]]
    assert names(which, which.of(ids[:9])[-1])["after 3 tokens"] == [0]


@pytest.fixture(scope="module")
def model() -> tuple[Decoder, Network, Features]:
    which = features("RunningStatus")
    torch.manual_seed(0)
    config = DecoderConfig(
        vocab=TOKENIZERS["RunningStatus"].vocab_size, context=64, layers=2, width=32, heads=2, kv_heads=2, ffn=64,
        features=which.blocks, intervals=which.intervals, pitches=which.pitches,
    )  # fmt: skip
    decoder = Decoder(config).eval()
    assert decoder.intervals is not None
    torch.nn.init.normal_(decoder.intervals.weight)  # nothing at the beginning
    tensors = {name: t.numpy() for name, t in to_tensors(config, decoder.state_dict()).items()}
    return decoder, Network.of(config, tensors), which


@settings(deadline=None, max_examples=20)
@given(data=st.data())
def test_the_engine_has_the_decoders_logits(model: tuple[Decoder, Network, Features], data: st.DataObject) -> None:
    """Prompts, steps, copies and rows that move: always as the Decoder reads the whole sequence."""
    decoder, network, which = model
    cache = KeyValueCache(network, rows=3, features=which)
    texts = [data.draw(sequences("RunningStatus"))[:30] for _ in range(2)]

    def expected(ids: list[int]) -> np.ndarray:
        with torch.no_grad():
            beside = torch.from_numpy(which.of(ids))[None]
            logits: np.ndarray = decoder(torch.tensor([ids]), features=beside)[0].numpy()
        return logits

    texts.append(list(texts[0]))
    slots = []
    for ids in texts:
        slot, logits = begun(cache, np.array(ids), 7)
        np.testing.assert_allclose(logits, expected(ids)[-1], atol=2e-4)
        slots.append(slot)
    np.testing.assert_allclose(cache.logits(np.array(texts[0])), expected(texts[0]), atol=2e-4)
    more = data.draw(sequences("RunningStatus"))[:3]
    np.testing.assert_allclose(cache.extend(slots[1], np.array(more)), expected([*texts[1], *more])[-1], atol=2e-4)
    texts[1] = [*texts[1], *more]
    for _ in range(5):
        new = [data.draw(sequences("RunningStatus"))[0] for _ in texts]
        logits = cache.step(np.array(new))
        texts = [[*ids, one] for ids, one in zip(texts, new, strict=True)]
        for row, ids in enumerate(texts):
            np.testing.assert_allclose(logits[row], expected(ids)[-1], atol=2e-4)
    cache.release(slots[0])
    texts = [texts[2], texts[1]]
    logits = cache.step(np.array([9, 9]))
    for row, ids in enumerate(texts):
        np.testing.assert_allclose(logits[row], expected([*ids, 9])[-1], atol=2e-4)


@settings(deadline=None, max_examples=20)
@given(ids=sequences("RunningStatus"))
def test_intervals_are_summed_alike_on_a_processor_and_a_gpu(
    model: tuple[Decoder, Network, Features], ids: list[int]
) -> None:
    decoder, _, which = model
    head = decoder.intervals
    assert head is not None
    known = torch.from_numpy(which.of(ids))[None][..., head.columns] - head.offsets
    parts, there = torch.randn(*known.shape, INTERVALS), (known >= 1) & (known <= 128)
    torch.testing.assert_close(head.scattered(parts, known, there), head.gathered(parts, known, there))


def test_other_features_are_refused(model: tuple[Decoder, Network, Features]) -> None:
    _, network, which = model
    for other in (None, features("REMI")):
        if other is None or other.blocks != network.config.features:
            with pytest.raises(ModelError, match="this version"):
                KeyValueCache(network, rows=1, features=other)
    for change in ({"intervals": ("gap",)}, {"pitches": (which.pitches[0] + 1, 1, 20)}):
        wrong = replace(network, config=replace(network.config, **change))
        with pytest.raises(ModelError, match="this version"):
            KeyValueCache(wrong, rows=1, features=which)


@pytest.mark.parametrize("scheme", ["TSD", "MIDILike", "Structured"])
def test_tokens_without_bars_or_durations_have_none(scheme: str) -> None:
    assert EventTokenizer.build(EventOptions(scheme=scheme)).features is None


@pytest.mark.parametrize("tied", [True, False])
def test_intervals_in_eight_bits_are_nearly_the_decoders(tied: bool) -> None:
    which = features("RunningStatus")
    torch.manual_seed(0)
    vocab = TOKENIZERS["RunningStatus"].vocab_size
    config = DecoderConfig(
        vocab, 64, layers=1, width=64, heads=1, kv_heads=1, ffn=64, tied=tied, features=which.blocks,
        intervals=which.intervals, pitches=which.pitches,
    )  # fmt: skip
    decoder = Decoder(config).eval()
    assert decoder.intervals is not None
    torch.nn.init.normal_(decoder.intervals.weight, std=0.1)
    ids = np.array([which.pitches[0] + 40 + step for step in (0, 2, 4, 5, 7, 9, 11, 12)])
    beside = torch.from_numpy(which.of(ids))[None]
    with torch.no_grad():
        logits = decoder(torch.from_numpy(ids)[None], features=beside)[0].numpy()
    tensors = {name: t.numpy() for name, t in to_tensors(config, decoder.state_dict()).items()}
    for bits, off in ((32, 1e-4), (8, 0.1)):
        cache = KeyValueCache(Network.of(config, tensors, bits=bits), rows=1, features=which)  # type: ignore[arg-type]
        assert float(np.abs(cache.logits(ids) - logits).max()) < off
    assert float(logits.std()) > 0.3


@pytest.mark.parametrize(
    ("intervals", "pitches"),
    [
        ("a", (0, 0, 9)),
        (["b"], (0, 0, 9)),
        ([1], (0, 0, 9)),
        (["a"], (0, 0, 0)),
        (["a"], (9, 0, 40)),
        (["a"], (0, 120, 9)),
    ],
)
def test_intervals_that_cannot_be(intervals: object, pitches: object) -> None:
    with pytest.raises(ModelError, match=r"model\.(intervals|pitches)"):
        DecoderConfig(vocab=30, features=(("a", 9),), intervals=intervals, pitches=pitches)  # type: ignore[arg-type]


@pytest.mark.parametrize("wrong", ["all", [["a"]], [["a", 0]], [[1, 2]], [["a", 2.0]], [["a", 3]] * 129])
def test_features_that_cannot_be(wrong: object) -> None:
    with pytest.raises(ModelError, match=r"model\.features"):
        DecoderConfig(vocab=30, features=wrong)  # type: ignore[arg-type]
