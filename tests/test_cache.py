"""The engine computes what the Decoder computes, whoever else is in the batch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import numpy as np
import onnx
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from decoding import begun
from toccata.engine.cache import KeyValueCache, Slot
from toccata.engine.graph import build_graph, quantise
from toccata.engine.network import Network
from toccata.errors import ModelError, RequestError
from toccata.model.config import DecoderConfig
from toccata.model.decoder import Decoder
from toccata.model.weights import to_tensors

SMALL: dict[str, Any] = {"vocab": 101, "context": 96, "layers": 2, "width": 64, "heads": 4, "kv_heads": 2, "ffn": 96}
CONFIGS: dict[str, dict[str, Any]] = {
    "llama": {},
    "layer norm": {"norm": "layer"},
    "gelu": {"mlp": "gelu", "bias": True},
    "silu": {"mlp": "silu"},
    "relu2": {"mlp": "relu2"},
    "learned": {"positions": "learned", "kv_heads": 4},
    "gpt2": {"norm": "layer", "mlp": "gelu", "positions": "learned", "bias": True, "tied": True, "kv_heads": 4},
    "parallel": {"block": "parallel", "norm": "layer", "bias": True},
    "parallel rms": {"block": "parallel"},
    "window": {"window": 7},
    "window of one": {"window": 1},
    "window, learned": {"window": 16, "positions": "learned"},
    "tied": {"tied": True},
    "one kv head": {"kv_heads": 1},
    "odd sizes": {"vocab": 77, "width": 66, "heads": 3, "kv_heads": 1, "ffn": 50},
    "narrow heads": {"width": 16, "heads": 8, "kv_heads": 2, "bias": True},
    "narrow heads, learned": {"width": 24, "heads": 4, "kv_heads": 4, "positions": "learned"},
}

Make = Callable[..., tuple[Decoder, Network, DecoderConfig]]


@pytest.fixture
def make() -> Make:
    def build(
        bits: Literal[32, 8] = 32, threads: int | None = None, **changes: Any
    ) -> tuple[Decoder, Network, DecoderConfig]:
        config = DecoderConfig(**{**SMALL, **changes})
        decoder = _decoder(config)
        return decoder, Network.of(config, _tensors(decoder), bits=bits, threads=threads), config

    return build


def _decoder(config: DecoderConfig) -> Decoder:
    """Random weights of such a size that logits vary by about 1.5, as a trained model's do."""
    generator = torch.Generator().manual_seed(5)
    decoder = Decoder(config).eval()
    with torch.no_grad():
        for name, weight in decoder.named_parameters():
            noise = torch.randn(weight.shape, generator=generator)
            if name in ("embedding.weight", "places.weight"):
                weight.copy_(noise * (0.2 if config.tied else 1))
            elif weight.ndim == 2:
                weight.copy_(noise * 1.5 / weight.shape[1] ** 0.5)
            else:
                weight.copy_(0.1 * noise + (0 if name.endswith("bias") else 1))
    return decoder


def _tensors(decoder: Decoder) -> dict[str, NDArray[np.float32]]:
    return {name: tensor.numpy() for name, tensor in to_tensors(decoder.config, decoder.state_dict()).items()}


def _ids(config: DecoderConfig, count: int, seed: int = 0) -> NDArray[np.int64]:
    return np.random.default_rng(seed).integers(0, config.vocab, count)


def _expected(decoder: Decoder, ids: NDArray[np.int64]) -> NDArray[np.float32]:
    with torch.no_grad():
        result: NDArray[np.float32] = decoder(torch.from_numpy(ids)[None])[0].numpy()
    return result


def _steps(cache: KeyValueCache, row_ids: NDArray[np.int64]) -> NDArray[np.float32]:
    """Logits ``[steps, B, V]`` for ids ``[B, steps]``."""
    return np.stack([cache.step(column).copy() for column in row_ids.T])


@pytest.mark.parametrize("changes", CONFIGS.values(), ids=CONFIGS.keys())
def test_equals_the_decoder(make: Make, changes: dict[str, Any]) -> None:
    decoder, network, config = make(threads=2, **changes)
    ids = _ids(config, 60)
    expected = _expected(decoder, ids)
    assert 0.5 < expected.std() < 3
    cache = KeyValueCache(network, rows=2)
    np.testing.assert_allclose(cache.logits(ids), expected, atol=1e-4)
    np.testing.assert_allclose(begun(cache, ids[:20])[1], expected[19], atol=1e-4)
    np.testing.assert_allclose(_steps(cache, ids[None, 20:])[:, 0], expected[20:], atol=1e-4)


@pytest.mark.parametrize("changes", [{}, {"window": 100, "layers": 4, "bias": True}, {"positions": "learned"}])
def test_equals_the_decoder_through_512_steps(make: Make, changes: dict[str, Any]) -> None:
    decoder, network, config = make(context=544, **changes)
    ids = _ids(config, 544)
    cache = KeyValueCache(network, rows=1)
    begun(cache, ids[:32])
    np.testing.assert_allclose(_steps(cache, ids[None, 32:])[:, 0], _expected(decoder, ids)[32:], atol=1e-4)


def test_rows_at_different_positions(make: Make) -> None:
    decoder, network, config = make(window=20)
    cache = KeyValueCache(network, rows=4)
    prompts = [_ids(config, count, seed=count) for count in (1, 30, 7, 59)]
    news = np.stack([_ids(config, 25, seed=100 + row) for row in range(4)])
    for prompt in prompts:
        begun(cache, prompt)
    logits = _steps(cache, news)
    assert [slot.length for slot in cache.slots] == [26, 55, 32, 84]
    for row, prompt in enumerate(prompts):
        expected = _expected(decoder, np.concatenate([prompt, news[row]]))[len(prompt) :]
        np.testing.assert_allclose(logits[:, row], expected, atol=1e-4)


@pytest.mark.parametrize("bits", [32, 8])
@pytest.mark.parametrize(
    "changes",
    [
        {"width": 128, "ffn": 352},
        {"width": 256, "ffn": 704},
        {"window": 9, "tied": True},
        CONFIGS["gpt2"],
        CONFIGS["odd sizes"],
    ],
)
def test_a_row_does_not_see_the_batch(make: Make, bits: Literal[32, 8], changes: dict[str, Any]) -> None:
    _, alone_network, _ = make(bits, threads=1, **changes)
    _, network, config = make(bits, threads=2, **changes)
    prompts = [_ids(config, 1 + 5 * row % 37, seed=row) for row in range(16)]
    news = np.stack([_ids(config, 6, seed=100 + row) for row in range(16)])
    lonely = KeyValueCache(alone_network, rows=1)
    alone = []
    for prompt, new in zip(prompts, news, strict=True):
        lonely.clear()
        begun(lonely, prompt)
        alone.append(_steps(lonely, new[None])[:, 0])
    cache = KeyValueCache(network, rows=16)
    for batch in range(1, 17):
        while cache.slots:
            cache.release(cache.slots[0])
        for row in range(batch):
            begun(cache, prompts[row])
        logits = _steps(cache, news[:batch])
        for row in range(batch):
            np.testing.assert_array_equal(logits[:, row], alone[row])


@pytest.mark.parametrize("bits", [32, 8])
@pytest.mark.parametrize("changes", [{}, CONFIGS["gpt2"], {"window": 9}, {"width": 256, "ffn": 704}])
def test_a_prompt_is_read_alike_in_any_chunks(make: Make, bits: Literal[32, 8], changes: dict[str, Any]) -> None:
    _, network, config = make(bits, threads=2, **changes)
    prompt, new = _ids(config, 61), _ids(config, 9, seed=4)
    cache = KeyValueCache(network, rows=1)
    _, whole = begun(cache, prompt)
    after = _steps(cache, new[None])
    for most in (1, 2, 7, 16, 60):
        cache.clear()
        _, logits = begun(cache, prompt, most)
        np.testing.assert_array_equal(logits, whole)
        np.testing.assert_array_equal(_steps(cache, new[None]), after)


@pytest.mark.parametrize("bits", [32, 8])
def test_a_beginning_that_is_shared_is_as_one_read_alone(make: Make, bits: Literal[32, 8]) -> None:
    _, network, config = make(bits)
    prompts = [_ids(config, 50) for _ in range(5)]
    prompts[2][45:] = 3
    prompts[3][20:] = 4
    news = np.stack([_ids(config, 8, seed=row) for row in range(5)])
    lonely = KeyValueCache(network, rows=1)
    alone = []
    for prompt, new in zip(prompts, news, strict=True):
        lonely.clear()
        first = begun(lonely, prompt)[1]
        alone.append((first, _steps(lonely, new[None])[:, 0]))
    cache = KeyValueCache(network, rows=5)
    first, _ = begun(cache, prompts[0])
    cache.step(np.array([7]))  # the first goes on before the others come
    shared = []
    for number in range(1, 5):
        slot = cache.open(prompts[number])
        shared.append(slot.length)
        cache.release(slot)
        _, logits = begun(cache, prompts[number])
        np.testing.assert_array_equal(logits, alone[number][0])
    assert shared == [48, 45, 20, 48], "what is common was copied"
    cache.release(first)
    order = [4, 1, 2, 3]  # the last has moved to the row of the first
    logits = _steps(cache, news[order])
    for row, number in enumerate(order):
        np.testing.assert_array_equal(logits[:, row], alone[number][1])


@pytest.mark.parametrize("bits", [32, 8])
@pytest.mark.parametrize("changes", [{}, {"width": 256, "ffn": 704}, {**CONFIGS["gpt2"], "width": 128}])
def test_prompts_are_read_beside_any_number_of_rows(make: Make, bits: Literal[32, 8], changes: dict[str, Any]) -> None:
    """An odd number of rows may need a partner, which is the row of a prompt that is half read: it stays whole."""
    _, network, config = make(bits, **changes)
    prompts = [_ids(config, 11 + 7 * row, seed=row) for row in range(5)]
    news = _ids(config, 40, seed=9)
    lonely = KeyValueCache(network, rows=1)
    alone = []
    for prompt in prompts:
        lonely.clear()
        alone.append((begun(lonely, prompt)[1], _steps(lonely, news[None])[:, 0]))
    cache = KeyValueCache(network, rows=5)
    taken: dict[Slot, tuple[int, int]] = {}  # for each sequence its number, and how many ids it has been given
    for number, prompt in enumerate(prompts):
        slot, logits = cache.open(prompt), None
        while logits is None:
            if cache.active:
                found = cache.step(news[[taken[one][1] for one in cache.slots[: cache.active]]])
                for row, one in enumerate(cache.slots[: cache.active]):
                    of, given = taken[one]
                    np.testing.assert_array_equal(found[row], alone[of][1][given])
                    taken[one] = of, given + 1
            logits = cache.read(slot, 3)
        np.testing.assert_array_equal(logits, alone[number][0])
        cache.activate(slot)
        taken[slot] = number, 0


@pytest.mark.parametrize("bits", [32, 8])
def test_several_ids_at_once_are_as_one_by_one(make: Make, bits: Literal[32, 8]) -> None:
    _, network, config = make(bits)
    prompts, new = [_ids(config, 20), _ids(config, 33, seed=1)], _ids(config, 6, seed=2)
    logits = []
    for at_once in (False, True):
        cache = KeyValueCache(network, rows=2)
        slots = [begun(cache, prompt)[0] for prompt in prompts]
        if at_once:
            found = cache.extend(slots[1], new[:4])
        else:
            for one in new[:4]:
                found = cache.extend(slots[1], np.array([one]))
        logits.append([found, *_steps(cache, np.stack([new[4:], new[4:]]))[:, 1]])
    np.testing.assert_allclose(logits[0], logits[1], atol=1e-4)


def test_sequences_join_and_leave_while_others_read(make: Make) -> None:
    decoder, network, config = make()
    cache = KeyValueCache(network, rows=4)
    texts = [_ids(config, 10 + 9 * n, seed=n) for n in range(4)]
    slots = [begun(cache, text)[0] for text in texts[:2]]
    reading = cache.open(texts[2])
    assert cache.read(reading, 12) is None
    other = cache.open(texts[3])
    cache.release(slots[0])  # the second moves to its row, and one that reads to the second's
    logits = cache.step(np.array([5]))
    np.testing.assert_allclose(logits[0], _expected(decoder, np.append(texts[1], 5))[-1], atol=1e-4)
    while cache.read(other, 8) is None:
        pass
    cache.activate(other)  # before the one that came first
    np.testing.assert_allclose(cache.read(reading), _expected(decoder, texts[2])[-1], atol=1e-4)
    cache.activate(reading)
    assert [slot is want for slot, want in zip(cache.slots, [slots[1], other, reading], strict=True)] == [True] * 3
    logits = cache.step(np.array([6, 7, 8]))
    for row, ids in enumerate(([*texts[1], 5, 6], [*texts[3], 7], [*texts[2], 8])):
        np.testing.assert_allclose(logits[row], _expected(decoder, np.array(ids))[-1], atol=1e-4)
    cache.open(texts[0])
    with pytest.raises(ValueError, match="rows are in use"):
        cache.open(texts[0])


def test_scoring_leaves_the_rows_alone(make: Make) -> None:
    _, network, config = make()
    cache = KeyValueCache(network, rows=1)
    ids = _ids(config, 50)
    begun(cache, ids[:20])
    undisturbed = _steps(cache, ids[None, 20:30])
    cache.clear()
    begun(cache, ids[:20])
    cache.logits(_ids(config, config.context, seed=9))
    np.testing.assert_array_equal(_steps(cache, ids[None, 20:30]), undisturbed)


def test_a_row_begun_anew_forgets(make: Make) -> None:
    decoder, network, config = make()
    cache = KeyValueCache(network, rows=1)
    begun(cache, _ids(config, 80))
    ids = _ids(config, 30, seed=3)
    cache.clear()
    begun(cache, ids[:10])
    np.testing.assert_allclose(_steps(cache, ids[None, 10:])[:, 0], _expected(decoder, ids)[10:], atol=1e-4)


def test_more_capacity_than_context_where_positions_turn(make: Make) -> None:
    decoder, network, config = make()
    ids = _ids(config, 150)
    cache = KeyValueCache(network, rows=1, capacity=150)
    np.testing.assert_allclose(cache.logits(ids), _expected(decoder, ids), atol=1e-4)
    _, network, _ = make(positions="learned")
    with pytest.raises(RequestError, match="96 tokens, not for 150"):
        KeyValueCache(network, rows=1, capacity=150)


def test_a_full_row_and_a_long_prompt_are_refused(make: Make) -> None:
    _, network, config = make()
    cache = KeyValueCache(network, rows=2, capacity=12)
    begun(cache, _ids(config, 3))
    second, _ = begun(cache, _ids(config, 11))
    cache.step(np.array([1, 1]))
    with pytest.raises(RequestError, match="row 1 is full: 12 tokens"):
        cache.step(np.array([1, 1]))
    assert [slot.length for slot in cache.slots] == [4, 12]
    with pytest.raises(RequestError, match="between 1 and 0"):
        cache.extend(second, np.array([1]))
    cache.release(second)
    for wrong in (_ids(config, 13), _ids(config, 0)):
        with pytest.raises(RequestError, match="between 1 and 12"):
            cache.open(wrong)
        with pytest.raises(RequestError, match="between 1 and 12"):
            cache.logits(wrong)
    for wrong in (np.array([-1]), np.array([config.vocab])):
        with pytest.raises(RequestError, match="another tokenizer"):
            cache.open(wrong)
    with pytest.raises(ValueError, match="2 ids for 1"):
        cache.step(np.array([1, 1]))


@pytest.mark.parametrize("changes", [{}, CONFIGS["gpt2"], CONFIGS["odd sizes"], {"width": 128, "ffn": 300}])
def test_8_bits_are_close(make: Make, changes: dict[str, Any]) -> None:
    decoder, network, config = make(8, **changes)
    ids = _ids(config, 60)
    expected = _expected(decoder, ids)
    error = KeyValueCache(network, rows=1).logits(ids) - expected
    assert np.sqrt((error**2).mean()) < 0.08 * expected.std()


def test_8_bits_are_small(make: Make) -> None:
    decoder, _, config = make(width=256, ffn=704, vocab=64)
    sizes = [len(build_graph(config, _tensors(decoder), bits=bits).to_bytes()) for bits in (8, 32)]
    assert sizes[0] < 0.3 * sizes[1]


@given(
    rows=st.integers(1, 5),
    columns=st.integers(1, 200),
    block=st.sampled_from([16, 64, 128]),
    scale=st.floats(1e-6, 1e6),
    seed=st.integers(0, 1000),
)
@settings(max_examples=50, deadline=None)
def test_a_quantised_weight_is_within_half_a_step(rows: int, columns: int, block: int, scale: float, seed: int) -> None:
    matrix = (np.random.default_rng(seed).standard_normal((rows, columns)) * scale).astype(np.float32)
    matrix[0] = 0
    codes, scales = quantise(matrix, block)
    back = ((codes.astype(np.float32) - 128) * scales[..., None]).reshape(rows, -1)
    steps = np.repeat(scales, block, axis=1)
    assert (np.abs(back[:, :columns] - matrix) <= 0.501 * steps[:, :columns]).all()
    assert not back[:, columns:].any()
    assert not back[0].any()


def test_foreign_weights_are_refused(make: Make) -> None:
    decoder, _, config = make()
    tensors = _tensors(decoder)
    name = "model.layers.1.mlp.up_proj.weight"
    with pytest.raises(ModelError, match=name):
        build_graph(config, {key: value for key, value in tensors.items() if key != name})
    with pytest.raises(ModelError, match=r"shape \[64, 96\].*asks for \[96, 64\]"):
        build_graph(config, {**tensors, name: tensors[name].T})


@pytest.mark.parametrize("bits", [32, 8])
@pytest.mark.parametrize("changes", CONFIGS.values(), ids=CONFIGS.keys())
def test_graphs_are_what_the_onnx_library_would_write(bits: Literal[32, 8], changes: dict[str, Any]) -> None:
    """The messages are written by hand: `onnx` knows every field of them, and writes the same bytes."""
    config = DecoderConfig(**{**SMALL, **changes})
    graph = build_graph(config, _tensors(_decoder(config)), bits=bits)
    read = onnx.load_from_string(graph.to_bytes())
    read.DiscardUnknownFields()
    assert read.SerializeToString() == graph.to_bytes()
    assert {t.name: onnx.numpy_helper.to_array(t).shape for t in read.graph.initializer} == {
        name: array.shape for name, array in graph.weights.items()
    }
    small, large = graph.apart()
    assert len(small) + sum(array.nbytes for array in large.values()) < 2 * len(graph.to_bytes())
    assert len(small) < 60_000
    for tensor in onnx.load_from_string(small).graph.initializer:
        assert tensor.HasField("raw_data") != (tensor.name in large)


def test_output_that_is_not_finite_is_refused(make: Make) -> None:
    """NaN in the logits makes any draw the same id, for ever."""
    decoder, network, config = make()
    tensors = _tensors(decoder)
    tensors["model.norm.weight"] = np.full(config.width, np.nan, np.float32)
    broken = Network.of(config, tensors, name="models/broken")
    cache = KeyValueCache(broken, rows=1)
    for use in (lambda: begun(cache, _ids(config, 5)), lambda: cache.logits(_ids(config, 5))):
        with pytest.raises(ModelError, match=r"^models/broken is damaged: what it computes is not finite") as error:
            use()
        assert "\n" not in error.value.message
    cache = KeyValueCache(network, rows=1)
    begun(cache, _ids(config, 5))
    cache._cache[:] = np.nan
    with pytest.raises(ModelError, match="not finite"):
        cache.step(np.array([3]))


def test_more_rows_than_there_is_memory_for_are_told_in_one_line(make: Make) -> None:
    _, network, _ = make()
    with pytest.raises(RequestError, match="no memory for 1000000000 sequences") as error:
        KeyValueCache(network, rows=10**9)
    assert "\n" not in error.value.message
