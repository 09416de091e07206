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

from toccata.engine.graph import build_graph, quantise
from toccata.engine.network import Network
from toccata.engine.session import Session
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


def _steps(session: Session, row_ids: NDArray[np.int64]) -> NDArray[np.float32]:
    """Logits ``[steps, B, V]`` for ids ``[B, steps]``."""
    return np.stack([session.step(column).copy() for column in row_ids.T])


@pytest.mark.parametrize("changes", CONFIGS.values(), ids=CONFIGS.keys())
def test_equals_the_decoder(make: Make, changes: dict[str, Any]) -> None:
    decoder, network, config = make(threads=2, **changes)
    ids = _ids(config, 60)
    expected = _expected(decoder, ids)
    assert 0.5 < expected.std() < 3
    session = Session(network, rows=2)
    np.testing.assert_allclose(session.logits(ids), expected, atol=1e-4)
    np.testing.assert_allclose(session.prefill(0, ids[:20]), expected[19], atol=1e-4)
    np.testing.assert_allclose(_steps(session, ids[None, 20:])[:, 0], expected[20:], atol=1e-4)


@pytest.mark.parametrize("changes", [{}, {"window": 100, "layers": 4, "bias": True}, {"positions": "learned"}])
def test_equals_the_decoder_through_512_steps(make: Make, changes: dict[str, Any]) -> None:
    decoder, network, config = make(context=544, **changes)
    ids = _ids(config, 544)
    session = Session(network, rows=1)
    session.prefill(0, ids[:32])
    np.testing.assert_allclose(_steps(session, ids[None, 32:])[:, 0], _expected(decoder, ids)[32:], atol=1e-4)


def test_rows_at_different_positions(make: Make) -> None:
    decoder, network, config = make(window=20)
    session = Session(network, rows=4)
    prompts = [_ids(config, count, seed=count) for count in (1, 30, 7, 59)]
    news = np.stack([_ids(config, 25, seed=100 + row) for row in range(4)])
    for row, prompt in enumerate(prompts):
        session.prefill(row, prompt)
    logits = _steps(session, news)
    assert session.lengths.tolist() == [26, 55, 32, 84]
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
    lonely = Session(alone_network, rows=1)
    alone = []
    for prompt, new in zip(prompts, news, strict=True):
        lonely.prefill(0, prompt)
        alone.append(_steps(lonely, new[None])[:, 0])
    session = Session(network, rows=16)
    for batch in range(1, 17):
        while session.active:
            session.release(0)
        for row in range(batch):
            session.prefill(row, prompts[row])
        logits = _steps(session, news[:batch])
        for row in range(batch):
            np.testing.assert_array_equal(logits[:, row], alone[row])


@pytest.mark.parametrize("bits", [32, 8])
def test_a_shared_prompt_is_as_one_read_alone(make: Make, bits: Literal[32, 8]) -> None:
    _, network, config = make(bits)
    prompt = _ids(config, 40)
    news = np.stack([_ids(config, 8, seed=row) for row in range(5)])
    session = Session(network, rows=5)
    for row in range(5):
        session.prefill(row, prompt)
    apart = _steps(session, news)
    other = Session(network, rows=5)
    other.prefill(0, prompt)
    other.share(0, range(1, 5))
    np.testing.assert_array_equal(_steps(other, news), apart)


def test_rows_leave_and_others_move_up(make: Make) -> None:
    decoder, network, config = make()
    session = Session(network, rows=3)
    texts = [_ids(config, 10 + row, seed=row) for row in range(3)]
    for row, text in enumerate(texts):
        session.prefill(row, text)
    assert session.release(0) == 2
    assert (session.active, session.lengths.tolist()) == (2, [12, 11, 0])
    new = np.array([3, 4])
    logits = session.step(new)
    for row, text in enumerate((texts[2], texts[1])):
        expected = _expected(decoder, np.append(text, new[row]))[-1]
        np.testing.assert_allclose(logits[row], expected, atol=1e-4)
    assert session.release(1) == 1
    assert session.release(0) == 0
    assert session.active == 0
    np.testing.assert_allclose(session.prefill(0, texts[1]), _expected(decoder, texts[1])[-1], atol=1e-4)


def test_scoring_leaves_the_rows_alone(make: Make) -> None:
    _, network, config = make()
    session = Session(network, rows=1)
    ids = _ids(config, 50)
    session.prefill(0, ids[:20])
    undisturbed = _steps(session, ids[None, 20:30])
    session.prefill(0, ids[:20])
    session.logits(_ids(config, config.context, seed=9))
    np.testing.assert_array_equal(_steps(session, ids[None, 20:30]), undisturbed)


def test_a_row_begun_anew_forgets(make: Make) -> None:
    decoder, network, config = make()
    session = Session(network, rows=1)
    session.prefill(0, _ids(config, 80))
    ids = _ids(config, 30, seed=3)
    session.prefill(0, ids[:10])
    np.testing.assert_allclose(_steps(session, ids[None, 10:])[:, 0], _expected(decoder, ids)[10:], atol=1e-4)


def test_more_capacity_than_context_where_positions_turn(make: Make) -> None:
    decoder, network, config = make()
    ids = _ids(config, 150)
    session = Session(network, rows=1, capacity=150)
    np.testing.assert_allclose(session.logits(ids), _expected(decoder, ids), atol=1e-4)
    _, network, _ = make(positions="learned")
    with pytest.raises(RequestError, match="96 tokens, not for 150"):
        Session(network, rows=1, capacity=150)


def test_a_full_row_and_a_long_prompt_are_refused(make: Make) -> None:
    _, network, config = make()
    session = Session(network, rows=2, capacity=12)
    session.prefill(0, _ids(config, 3))
    session.prefill(1, _ids(config, 11))
    session.step(np.array([1, 1]))
    with pytest.raises(RequestError, match="row 1 is full: 12 tokens"):
        session.step(np.array([1, 1]))
    assert session.lengths.tolist() == [4, 12]
    for wrong in (_ids(config, 13), _ids(config, 0)):
        with pytest.raises(RequestError, match="between 1 and 12"):
            session.prefill(0, wrong)
        with pytest.raises(RequestError, match="between 1 and 12"):
            session.logits(wrong)
    for wrong in (np.array([-1]), np.array([config.vocab])):
        with pytest.raises(RequestError, match="another tokenizer"):
            session.prefill(0, wrong)
    with pytest.raises(ValueError, match="1 ids for 2"):
        session.step(np.array([1]))


@pytest.mark.parametrize("changes", [{}, CONFIGS["gpt2"], CONFIGS["odd sizes"], {"width": 128, "ffn": 300}])
def test_8_bits_are_close(make: Make, changes: dict[str, Any]) -> None:
    decoder, network, config = make(8, **changes)
    ids = _ids(config, 60)
    expected = _expected(decoder, ids)
    error = Session(network, rows=1).logits(ids) - expected
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
    session = Session(broken, rows=1)
    for use in (lambda: session.prefill(0, _ids(config, 5)), lambda: session.logits(_ids(config, 5))):
        with pytest.raises(ModelError, match=r"^models/broken is damaged: what it computes is not finite") as error:
            use()
        assert "\n" not in error.value.message
    session = Session(network, rows=1)
    session.prefill(0, _ids(config, 5))
    session._cache[:] = np.nan
    with pytest.raises(ModelError, match="not finite"):
        session.step(np.array([3]))


def test_more_rows_than_there_is_memory_for_are_told_in_one_line(make: Make) -> None:
    _, network, _ = make()
    with pytest.raises(RequestError, match="no memory for 1000000000 sequences") as error:
        Session(network, rows=10**9)
    assert "\n" not in error.value.message
