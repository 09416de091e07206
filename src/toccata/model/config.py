"""The shape of a decoder: every architecture toccata trains or plays is one point in this space. Free of torch."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Literal, get_args

from toccata.errors import ModelError, shown

Kernel = Literal["blocks", "plain", "fused", "flex"]
"""How attention is computed. ``blocks``: a block of queries at a time with a backward pass of our own. ``plain``:
products and a softmax over all pairs, which a compiler fuses. ``fused``: torch's ``scaled_dot_product_attention``.
``flex``: torch's FlexAttention, which skips what is masked (CUDA).
"""
KERNELS: tuple[Kernel, ...] = get_args(Kernel)
ROPE_THETA = 10_000.0
"""Base of the rotary angles (Su et al. 2021, arXiv 2104.09864)."""
NORM_EPS = 1e-5
"""Added to the variance in every norm."""
REACH = 24
"""Semitones up and down that intervals have a part of the logits; wider ones do not."""
INTERVALS = 2 * REACH + 1
MOST_PARAMETERS, LONGEST_CONTEXT = 20_000_000_000, 131_072
"""More than this is a slip of the keys: no machine that toccata is for could hold it."""
_MOST = {"vocab": 1_000_000, "layers": 512, "width": 65_536, "heads": 4096, "kv_heads": 4096, "ffn": 1_000_000}

SIZES: dict[str, dict[str, int]] = {
    "nano": {"layers": 4, "width": 128, "heads": 2, "kv_heads": 1, "ffn": 352},
    "micro": {"layers": 8, "width": 256, "heads": 4, "kv_heads": 1, "ffn": 704},
    "small": {"layers": 8, "width": 512, "heads": 8, "kv_heads": 2, "ffn": 1408},
    "base": {"layers": 12, "width": 768, "heads": 12, "kv_heads": 3, "ffn": 2112},
}
"""Shapes that have a name: heads of 64, four of which (in ``nano`` two) share keys and values; ``ffn`` for swiglu."""


def sized(name: object, mlp: object = "swiglu") -> dict[str, Any]:
    """The fields that a named size stands for.

    A feed-forward part without a gate (gelu, silu, relu2) has two matrices where swiglu has three: it gets 1.5 times
    the hidden size, and so as many parameters.

    Raises:
        ModelError: There is no such size.
    """
    if not isinstance(name, str) or name not in SIZES:
        raise ModelError(f"model.size must be one of {', '.join(SIZES)}, not {shown(name)}")
    shape = dict(SIZES[name])
    return shape if mlp == "swiglu" else {**shape, "ffn": shape["ffn"] * 3 // 2}


@dataclass(frozen=True)
class DecoderConfig:
    """A decoder-only transformer, as sizes and choices.

    All sizes are counts; ``context`` and ``window`` are in tokens.
    """

    vocab: int
    """Number of token ids."""
    context: int = 512
    """The longest sequence the model has been trained to read."""
    layers: int = 6
    """Number of blocks, each with attention and a feed-forward part."""
    width: int = 256
    """Size of the residual stream."""
    heads: int = 4
    """Number of attention heads."""
    kv_heads: int = 4
    """Heads that keep keys and values; ``heads / kv_heads`` query heads share one (Ainslie et al. 2023)."""
    ffn: int = 768
    """Hidden size of the feed-forward part."""
    norm: Literal["rms", "layer"] = "rms"
    """RMSNorm or LayerNorm, before each part."""
    mlp: Literal["swiglu", "gelu", "silu", "relu2"] = "swiglu"
    """``relu2``: the square of ReLU (So et al. 2021)."""
    positions: Literal["rope", "learned"] = "rope"
    """Rotary position embedding, or a learned one."""
    block: Literal["sequential", "parallel"] = "sequential"
    """``parallel``: attention and feed-forward read the same input and are added together (GPT-J)."""
    window: int | None = None
    """A token attends to this many latest tokens, itself included; None: to all of them."""
    bias: bool = False
    """Linear layers have a bias."""
    tied: bool = False
    """The output head is the transposed embedding."""
    dropout: float = 0.0
    """Share of activations that are set to 0 in training."""
    features: tuple[tuple[str, int], ...] = ()
    """Name and number of values of each feature that is an input beside each token (``tokenizers.features``)."""
    intervals: tuple[str, ...] = ()
    """Features that are pitches: the logits of pitches have a part for the interval from each of them, so that a step
    is one thing to learn wherever it begins.
    """
    pitches: tuple[int, int, int] = (0, 0, 0)
    """For ``intervals``, the ids that are pitches: the first, the pitch that it is, and how many there are."""
    relative: bool = False
    """With ``intervals``: pitches are no inputs, neither as ids nor as features, but what other features say of them
    is, such as how far apart they are. So what is learned in one key holds in all.
    """

    def __post_init__(self) -> None:
        object.__setattr__(self, "features", _features(self.features))  # JSON has lists
        object.__setattr__(self, "intervals", _intervals(self.intervals, self.features))
        object.__setattr__(self, "pitches", _pitches(self.pitches, self.vocab if self.intervals else None))
        for name in ("vocab", "context", "layers", "width", "heads", "kv_heads", "ffn"):
            value = getattr(self, name)
            if type(value) is not int or value < 1:
                raise ModelError(f"model.{name} must be a whole number of at least 1, not {shown(value)}")
            if value > _MOST.get(name, value):
                raise ModelError(f"model.{name} must be at most {_MOST[name]:,}, not {shown(value)}")
        for name in ("bias", "tied", "relative"):
            if type(getattr(self, name)) is not bool:
                raise ModelError(f"model.{name} must be true or false, not {shown(getattr(self, name))}")
        if self.relative and (self.tied or not self.intervals):
            raise ModelError("model.relative needs model.intervals, and a head of its own (model.tied=false)")
        for name, allowed in _CHOICES.items():
            if getattr(self, name) not in allowed:
                raise ModelError(f"model.{name} must be one of {', '.join(allowed)}, not {shown(getattr(self, name))}")
        if self.width % self.heads or (self.width // self.heads) % 2:
            raise ModelError(
                f"model.width ({shown(self.width)}) must be an even multiple of model.heads ({shown(self.heads)})"
            )
        if self.heads % self.kv_heads:
            raise ModelError(
                f"model.heads ({shown(self.heads)}) must be a multiple of model.kv_heads ({shown(self.kv_heads)})"
            )
        if self.window is not None and (type(self.window) is not int or not 1 <= self.window <= LONGEST_CONTEXT):
            raise ModelError(
                f"model.window must be a whole number of at least 1, at most {LONGEST_CONTEXT:,}, not "
                f"{shown(self.window)}"
            )
        if type(self.dropout) not in (int, float) or not 0 <= self.dropout < 1:
            raise ModelError(f"model.dropout must be a number in [0, 1), not {shown(self.dropout)}")
        if self.context > LONGEST_CONTEXT:
            raise ModelError(f"model.context must be at most {LONGEST_CONTEXT:,} tokens, not {shown(self.context)}")
        if self.parameters > MOST_PARAMETERS:
            raise ModelError(
                f"a model of these sizes has more than {MOST_PARAMETERS:,} parameters: make model.width, model.layers "
                "or model.ffn smaller"
            )

    @property
    def head_width(self) -> int:
        """Size of one attention head."""
        return self.width // self.heads

    @property
    def size(self) -> str:
        """The name of the size that this shape has; empty where it has none."""
        return next(
            (name for name in SIZES if all(getattr(self, k) == v for k, v in sized(name, self.mlp).items())), ""
        )

    @property
    def feature_rows(self) -> int:
        """Rows of the table of features' embeddings."""
        return sum(rows for _, rows in self.features)

    @property
    def interval_columns(self) -> tuple[tuple[int, int], ...]:
        """For each of ``intervals``, its column among the features, and the first row of its block of the table."""
        names = [name for name, _ in self.features]
        columns = [names.index(name) for name in self.intervals]
        return tuple((column, sum(rows for _, rows in self.features[:column])) for column in columns)

    @property
    def silent(self) -> tuple[list[int], list[int]]:
        """With ``relative``, the ids, and the rows of the table of features, whose embeddings are 0."""
        if not self.relative:
            return [], []
        sizes = dict(self.features)
        starts = zip(self.intervals, self.interval_columns, strict=True)
        rows = [row for name, (_, first) in starts for row in range(first, first + sizes[name])]
        return list(range(self.pitches[0], self.pitches[0] + self.pitches[2])), rows

    @property
    def parameters(self) -> int:
        """Number of trainable numbers, a tied head counted once."""
        linear = 1 if self.bias else 0
        attention = self.width * (self.heads + 2 * self.kv_heads) * self.head_width + self.width * self.width
        attention += linear * ((self.heads + 2 * self.kv_heads) * self.head_width + self.width)
        ups = 2 if self.mlp == "swiglu" else 1
        mlp = (ups + 1) * self.width * self.ffn + linear * (ups * self.ffn + self.width)
        norm = self.width * (2 if self.norm == "layer" else 1)
        embeddings = self.vocab * self.width * (1 if self.tied else 2)
        embeddings += self.context * self.width if self.positions == "learned" else 0
        embeddings += self.feature_rows * self.width
        embeddings += len(self.intervals) * INTERVALS * self.width
        return self.layers * (attention + mlp + 2 * norm) + norm + embeddings

    def work(self, length: int) -> float:
        """Floating-point operations to train on one token of a sequence of ``length`` tokens, forward and backward.

        Six for each number of a matrix (Kaplan et al. 2020, arXiv 2001.08361), and attention's products, which those
        do not count. Embeddings are looked up.
        """
        tables = self.vocab * self.width * (0 if self.tied else 1)
        tables += self.context * self.width if self.positions == "learned" else 0
        tables += self.feature_rows * self.width
        reach = length if self.window is None else min(length, self.window)
        seen = reach - reach * (reach - 1) / (2 * length)  # tokens that one attends to, on average
        return 6 * (self.parameters - tables) + 12 * self.layers * self.width * seen

    @property
    def is_mistral(self) -> bool:
        """Whether transformers' ``MistralForCausalLM`` computes exactly this."""
        return (self.norm, self.mlp, self.positions, self.block, self.bias, self.features) == (
            "rms",
            "swiglu",
            "rope",
            "sequential",
            False,
            (),
        )

    def to_json(self) -> dict[str, Any]:
        """The content of ``config.json``: Mistral's keys where the layout is Mistral's, and our own fields always."""
        config: dict[str, Any] = {"toccata": asdict(self)}
        if self.is_mistral:
            config |= {
                "architectures": ["MistralForCausalLM"],
                "model_type": "mistral",
                "vocab_size": self.vocab,
                "max_position_embeddings": self.context,
                "num_hidden_layers": self.layers,
                "hidden_size": self.width,
                "num_attention_heads": self.heads,
                "num_key_value_heads": self.kv_heads,
                "head_dim": self.head_width,
                "intermediate_size": self.ffn,
                "hidden_act": "silu",
                "rms_norm_eps": NORM_EPS,
                "rope_theta": ROPE_THETA,
                "sliding_window": self.window,
                "tie_word_embeddings": self.tied,
                "attention_dropout": 0.0,
                "use_cache": True,
            }
        return config

    @classmethod
    def from_json(cls, config: dict[str, Any], path: Path | None = None) -> DecoderConfig:
        """Read what :meth:`to_json` wrote.

        Args:
            config: The content of ``config.json``.
            path: The file, for errors to name.

        Raises:
            ModelError: The file is not one of toccata's, or has fields or values that this version does not know.
        """
        where = path or "config.json"
        own = config.get("toccata")
        if not isinstance(own, dict):
            raise ModelError(f"{where} has no 'toccata' section: this is not a toccata model folder", path=path)
        unknown = set(own) - {f.name for f in fields(cls)}
        if unknown:
            raise ModelError(
                f"{where} has fields this version does not know: {', '.join(sorted(unknown))[:200]}", path=path
            )
        if "vocab" not in own:
            raise ModelError(f"{where} does not say how many ids there are (toccata.vocab)", path=path)
        try:
            return cls(**own)
        except ModelError as error:
            raise ModelError(f"{where}: {error.message[:300]}", path=path) from None


def _intervals(value: object, features: tuple[tuple[str, int], ...]) -> tuple[str, ...]:
    """``intervals`` as a tuple, checked."""
    known = {name for name, _ in features}
    if not isinstance(value, list | tuple) or not all(isinstance(name, str) and name in known for name in value):
        raise ModelError(f"model.intervals must be names of model.features, not {shown(value)}")
    return tuple(value)


def _pitches(value: object, vocab: int | None) -> tuple[int, int, int]:
    """``pitches`` as a tuple, checked against the size of a vocabulary that has them."""
    if (
        not isinstance(value, list | tuple)
        or len(value) != 3
        or not all(type(one) is int and one >= 0 for one in value)
    ):
        raise ModelError(f"model.pitches must be three whole numbers, not {shown(value)}")
    first, lowest, count = value
    if vocab is not None and not (0 < count <= vocab - first and lowest + count <= 128):
        raise ModelError(f"model.pitches must be ids and pitches that there are, not {shown(value)}")
    return first, lowest, count


def _features(value: object) -> tuple[tuple[str, int], ...]:
    """``features`` as tuples, checked."""
    if not isinstance(value, list | tuple) or len(value) > _MOST_FEATURES:
        raise ModelError(f"model.features must be at most {_MOST_FEATURES} names with numbers, not {shown(value)}")
    for one in value:
        pair = isinstance(one, list | tuple) and len(one) == 2 and type(one[0]) is str and type(one[1]) is int
        if not pair or not 1 <= one[1] <= _MOST["vocab"]:
            raise ModelError(f"model.features must be names with a number of values each, not {shown(one)}")
    return tuple((name, rows) for name, rows in value)


_MOST_FEATURES = 128
_CHOICES: dict[str, tuple[str, ...]] = {
    "norm": ("rms", "layer"),
    "mlp": ("swiglu", "gelu", "silu", "relu2"),
    "positions": ("rope", "learned"),
    "block": ("sequential", "parallel"),
}
