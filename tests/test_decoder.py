"""The decoder: transformers' numbers with transformers' settings, and packing that nobody notices."""

from __future__ import annotations

import itertools
import warnings
from dataclasses import asdict, replace
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from toccata.errors import ModelError
from toccata.model.attention import AttentionMask, Packing
from toccata.model.config import DecoderConfig, Kernel
from toccata.model.decoder import Decoder
from toccata.model.weights import from_tensors, to_tensors
from toccata.training.options import KERNELS

MISTRAL = DecoderConfig(vocab=97, context=64, layers=3, width=48, heads=6, kv_heads=2, ffn=80, window=7)
GPT2 = DecoderConfig(
    vocab=97, context=64, layers=3, width=48, heads=4, kv_heads=4, ffn=192,
    norm="layer", mlp="gelu", positions="learned", bias=True, tied=True,
)  # fmt: skip


def decoder(config: DecoderConfig, seed: int = 0) -> Decoder:
    """A Decoder with weights large enough that every part of it shows in the logits."""
    torch.manual_seed(seed)
    made = Decoder(config).eval()
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.08)
    return made


def ids(config: DecoderConfig, *shape: int, seed: int = 1) -> Tensor:
    return torch.randint(config.vocab, shape, generator=torch.Generator().manual_seed(seed))


# ---- parity


@pytest.mark.parametrize("changes", [{}, {"window": None}, {"kv_heads": 6}, {"kv_heads": 1, "tied": True}])
@torch.no_grad()
def test_logits_are_mistrals(changes: dict[str, Any]) -> None:
    from transformers import MistralConfig, MistralForCausalLM

    config = replace(MISTRAL, **changes)
    ours = decoder(config)
    theirs = MistralForCausalLM(MistralConfig(**config.to_json(), attn_implementation="eager")).eval()
    missing = theirs.load_state_dict(to_tensors(config, ours.state_dict()), strict=not config.tied)
    assert set(missing.missing_keys) <= {"lm_head.weight"}
    read = ids(config, 2, 40)
    expected = theirs(read).logits
    assert expected.std() > 0.5
    assert (ours(read) - expected).abs().max() < 1e-4


@torch.no_grad()
def test_logits_are_gpt2s() -> None:
    from transformers import GPT2Config, GPT2LMHeadModel

    ours = decoder(GPT2)
    theirs = GPT2LMHeadModel(
        GPT2Config(
            vocab_size=GPT2.vocab, n_positions=GPT2.context, n_embd=GPT2.width, n_layer=GPT2.layers, n_head=GPT2.heads,
            n_inner=GPT2.ffn, layer_norm_epsilon=1e-5, attn_implementation="eager",
        )
    ).eval()  # fmt: skip
    names = {"embedding.weight": "transformer.wte.weight", "places.weight": "transformer.wpe.weight"}
    names |= {f"norm.{kind}": f"transformer.ln_f.{kind}" for kind in ("weight", "bias")}
    for i, kind in itertools.product(range(GPT2.layers), ("weight", "bias")):
        block, h = f"blocks.{i}", f"transformer.h.{i}"
        names |= {
            f"{block}.norm1.{kind}": f"{h}.ln_1.{kind}",
            f"{block}.norm2.{kind}": f"{h}.ln_2.{kind}",
            f"{block}.attention.qkv.{kind}": f"{h}.attn.c_attn.{kind}",
            f"{block}.attention.out.{kind}": f"{h}.attn.c_proj.{kind}",
            f"{block}.mlp.up.{kind}": f"{h}.mlp.c_fc.{kind}",
            f"{block}.mlp.down.{kind}": f"{h}.mlp.c_proj.{kind}",
        }
    state = theirs.state_dict()
    for name, parameter in ours.named_parameters():
        turned = parameter.T if ".c_" in names[name] and parameter.ndim == 2 else parameter  # GPT-2's are transposed
        state[names[name]].copy_(turned)
    read = ids(GPT2, 2, 40)
    expected = theirs(read).logits
    assert expected.std() > 0.5
    assert (ours(read) - expected).abs().max() < 1e-4


@torch.no_grad()
def test_a_parallel_block_is_what_it_says() -> None:
    config = replace(MISTRAL, block="parallel", layers=1, mlp="silu", norm="layer")
    made = decoder(config)
    x = made.embedding(ids(config, 1, 9))
    from toccata.model.decoder import _rotation

    rotation = _rotation(torch.arange(9)[None], config.head_width)
    block, seen = made.blocks[0], AttentionMask("fused", 9, None, config.window, x.device)
    expected = x + block.attention(block.norm1(x), rotation, seen) + block.mlp(block.norm2(x))
    assert torch.allclose(made(ids(config, 1, 9)), made.head(made.norm(expected)), atol=1e-6)


# ---- packing


@pytest.mark.parametrize("config", [MISTRAL, GPT2, replace(MISTRAL, window=None)])
@torch.no_grad()
def test_packed_is_as_apart(config: DecoderConfig) -> None:
    made = decoder(config)
    lengths = [(5, 1, 30), (36,), (12, 23, 1)]
    read = ids(config, 3, 36)
    packing = Packing.of(lengths)
    assert packing is not None
    together = made(read, packing)
    for row, own in enumerate(lengths):
        start = 0
        for n in own:
            apart = made(read[row : row + 1, start : start + n])
            assert (together[row, start : start + n] - apart[0]).abs().max() < 1e-5
            start += n
    targets = ids(config, 3, 36, seed=2)
    mean = F.cross_entropy(together.flatten(0, 1), targets.flatten())
    assert torch.allclose(made(read, packing, targets), mean, atol=1e-5)


def test_rows_of_one_sequence_need_no_packing() -> None:
    assert Packing.of([(12,), (12,)]) is None


@torch.no_grad()
def test_nothing_is_seen_ahead() -> None:
    made = decoder(replace(MISTRAL, window=None))
    read = ids(MISTRAL, 1, 20)
    changed = read.clone()
    changed[0, 12] = (changed[0, 12] + 1) % MISTRAL.vocab
    one, other = made(read), made(changed)
    assert torch.equal(one[:, :12], other[:, :12])
    assert not torch.allclose(one[:, 12:], other[:, 12:])


# ---- the ways to compute attention


@pytest.mark.parametrize("kernel", ["blocks", "plain"])
@pytest.mark.parametrize("length", [1, 2, 127, 128, 129, 301])
@pytest.mark.parametrize(("heads", "kv_heads"), [(4, 4), (6, 2), (3, 1)])
@pytest.mark.parametrize(("window", "packed"), [(None, False), (1, False), (50, True), (128, False), (500, True)])
def test_every_kernel_is_torchs(
    kernel: Kernel, length: int, heads: int, kv_heads: int, window: int | None, packed: bool
) -> None:
    torch.manual_seed(length)
    q = torch.randn(2, heads, length, 8, requires_grad=True)
    k, v = (torch.randn(2, kv_heads, length, 8, requires_grad=True) for _ in range(2))
    cut = length // 3
    packing = Packing.of([(cut, length - cut), (length,)]) if packed and cut else None
    behind = torch.arange(length)[:, None] - torch.arange(length)
    mask = ((behind >= 0) & (behind < (window or length))).expand(2, 1, -1, -1).clone()
    if packing is not None:
        mask[0, :, cut:, :cut] = False
    expected = F.scaled_dot_product_attention(q, k, v, attn_mask=mask, enable_gqa=heads != kv_heads)
    found = AttentionMask(kernel, length, packing, window, q.device).attend(q, k, v)
    assert (found - expected).abs().max() < 1e-5
    for one, other in zip(*(torch.autograd.grad(y.square().sum(), (q, k, v)) for y in (found, expected)), strict=True):
        assert (one - other).abs().max() < 1e-4


@pytest.mark.parametrize("kernel", KERNELS)
@torch.no_grad()
def test_a_decoder_is_the_same_with_every_kernel(kernel: Kernel, monkeypatch: pytest.MonkeyPatch) -> None:
    from torch.nn.attention.flex_attention import flex_attention

    monkeypatch.setattr("toccata.model.attention._compiled", flex_attention)  # what is compiled needs a compiler
    made = decoder(MISTRAL)
    read, packing = ids(MISTRAL, 2, 60), Packing.of([(20, 40), (60,)])
    expected = made(read, packing)
    made.kernel = kernel
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # FlexAttention says that it is slow
        assert (made(read, packing) - expected).abs().max() < 1e-4


@torch.no_grad()
def test_bf16_is_near_float32() -> None:
    made = decoder(MISTRAL)
    read, targets = ids(MISTRAL, 2, 60), ids(MISTRAL, 2, 60, seed=2)
    packing = Packing.of([(20, 40), (60,)])
    exact = made(read, packing, targets)
    with torch.autocast("cpu", torch.bfloat16):
        rough = made(read, packing, targets)
    assert abs(float(exact - rough)) < 0.03 * float(exact)


# ---- configs and files

MATRIX = [
    DecoderConfig(vocab=31, context=16, layers=2, width=24, heads=3, kv_heads=k, ffn=20, norm=n, mlp=m, positions=p,
                  block=b, bias=bias, tied=tied, window=w)
    for k, n, m, p, b, bias, tied, w in [
        (3, "rms", "swiglu", "rope", "sequential", False, False, None),
        (1, "rms", "swiglu", "rope", "sequential", False, True, 4),
        (1, "layer", "gelu", "learned", "sequential", True, True, None),
        (3, "layer", "silu", "rope", "parallel", True, False, 8),
        (3, "rms", "relu2", "rope", "sequential", False, False, None),
        (3, "rms", "gelu", "learned", "parallel", False, False, None),
        (1, "layer", "swiglu", "learned", "parallel", True, True, 3),
    ]
] + [
    DecoderConfig(31, 16, width=24, heads=3, kv_heads=3, ffn=20, features=(("a", 9), ("b", 3)), **more)
    for more in (
        {},
        {"intervals": ("b", "a"), "pitches": (5, 0, 12)},
        {"intervals": ("a",), "pitches": (5, 0, 12), "relative": True},
    )
]  # fmt: skip


@pytest.mark.parametrize("config", MATRIX)
def test_parameters_and_files(config: DecoderConfig) -> None:
    made = decoder(config)
    assert config.parameters == sum(p.numel() for p in made.parameters())
    tensors = to_tensors(config, made.state_dict())
    again = from_tensors(config, tensors)
    beside = torch.arange(18).view(1, 9, 2) % config.feature_rows if config.features else None
    read = ids(config, 1, 9)
    assert torch.equal(made(read, features=beside), again.eval()(read, features=beside))
    with pytest.raises(ValueError, match="features"):
        made(read, features=None if config.features else torch.zeros(1, 9, 1, dtype=torch.int32))
    assert DecoderConfig.from_json(config.to_json()) == config
    name = min(tensors)
    for wrong in (
        {k: v for k, v in tensors.items() if k != name},
        {**tensors, "model.foreign": torch.zeros(1)},
        {**tensors, name: torch.zeros(3, 5)},
    ):
        with pytest.raises(ModelError) as error:
            from_tensors(config, wrong)
        assert "\n" not in str(error.value)


@pytest.mark.parametrize("field", ["layers", "ffn", "mlp", "bias", "tied", "window", "heads"])
def test_every_field_counts(field: str) -> None:
    """No field is read and forgotten: another value makes another function."""
    other = {"layers": 2, "ffn": 40, "mlp": "gelu", "bias": True, "tied": True, "window": 3, "heads": 2}[field]
    one, two = decoder(replace(MISTRAL, window=None)), decoder(replace(MISTRAL, **{"window": None, field: other}))
    assert not torch.allclose(one(ids(MISTRAL, 1, 12)), two(ids(MISTRAL, 1, 12)))


def test_dropout_drops_while_training_only() -> None:
    made = decoder(replace(MISTRAL, dropout=0.5))
    read = ids(MISTRAL, 1, 12)
    assert torch.equal(made(read), made(read))
    made.train()
    assert not torch.equal(made(read), made(read))


def test_learned_positions_end() -> None:
    with pytest.raises(ValueError, match="learned positions for 64"):
        decoder(GPT2)(ids(GPT2, 1, 65))


WRONG = [
    *[(name, value) for name in ("vocab", "context", "layers", "width", "heads", "kv_heads", "ffn")
      for value in (0, -1, 2.5, "8", None, True)],
    *[(name, value) for name in ("norm", "mlp", "positions", "block") for value in ("other", None, 1)],
    *[(name, value) for name in ("bias", "tied") for value in ("yes", 1, None)],
    *[("window", value) for value in (0, -3, 2.5, "all", True)],
    *[("dropout", value) for value in (-0.1, 1, 1.5, "a", None, float("nan"))],
    ("width", 50), ("heads", 16), ("kv_heads", 4),
]  # fmt: skip


@pytest.mark.parametrize(("field", "value"), WRONG)
def test_wrong_values(field: str, value: object) -> None:
    with pytest.raises(ModelError, match=f"model.{field}") as error:
        DecoderConfig(**{**asdict(MISTRAL), field: value})
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("config", [{}, {"toccata": 3}, {"toccata": {}}, {"toccata": {"vocab": 3, "experts": 8}}])
def test_wrong_files(config: dict[str, Any]) -> None:
    with pytest.raises(ModelError):
        DecoderConfig.from_json(config)
