"""How a model is trained, as numbers and choices. Free of torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from toccata.errors import RecipeError, shown
from toccata.model.config import KERNELS

HIGHEST_SEED = 2**63 - 1
"""What torch's and JAX's generators take."""

LORA_PARTS = ("blocks", "vectors", "embedding", "features", "head")
FEWEST = 3
"""Of fewer pieces than this that are held back, none ends a training: chance would decide when."""


@dataclass(frozen=True)
class TrainOptions:
    """The ``[training]`` section of a recipe."""

    steps: int = 2000
    """Updates of the weights. A recipe or a command sets one of ``steps``, ``minutes`` and ``epochs``; it replaces the
    one that was set before.
    """
    minutes: float | None = None
    """Train for this long instead: the number of steps is fitted to it from a short measurement."""
    epochs: float | None = None
    """Train for so many passes over the training notes instead."""
    max_epochs: float | None = None
    """No more passes over the training notes than this, whatever ``steps`` and ``minutes`` say."""
    micro_batch_size: int = 16
    """Rows of ``model.context`` predictions a batch and process."""
    gradient_accumulation_steps: int = 1
    """Batches a step."""
    lr: float = 2e-3
    """Highest learning rate."""
    embedding_lr: float = 1.0
    """Learning rate of the embeddings of tokens, positions and features, as a multiple of ``lr``."""
    schedule: Literal["cosine", "wsd", "linear"] = "cosine"
    """``wsd``: constant, and a linear decay over the last fifth (Hu et al. 2024)."""
    warmup: float = 0.02
    """Share of the steps in which the learning rate rises."""
    floor: float = 0.0
    """The last learning rate, as a share of the highest."""
    optimizer: Literal["adamw", "muon"] = "adamw"
    """``muon``: the matrices between embedding and head by orthogonalised momentum (Jordan et al. 2024), the rest by
    AdamW.
    """
    beta1: float = 0.9
    """AdamW: decay of the average of gradients."""
    beta2: float = 0.95
    """AdamW: decay of the average of their squares."""
    weight_decay: float = 0.1
    """Weight decay, decoupled from the gradient (Loshchilov and Hutter 2019)."""
    clip: float = 1.0
    """Largest norm of the gradient: a larger one is scaled down to it; 0: no limit."""
    ema: float = 0.0
    """Decay of an average of the weights that is evaluated and saved in their place; 0: none."""
    precision: Literal["auto", "bf16", "fp32"] = "auto"
    """``auto``: bf16 where the processor or GPU computes in it."""
    attention: Literal["auto", "blocks", "plain", "fused", "flex"] = "auto"
    """The kernel, see ``toccata.model.attention``; ``auto``: what is fastest here, tried where a run is long enough."""
    compile: Literal["auto", "on", "off"] = "auto"
    """``torch.compile``; ``auto``: where there is a C++ compiler, a run is long enough, and steps are faster for it."""
    evaluations: int = 20
    """How many times the held-out loss is measured, evenly over the run."""
    valid_rows: int = 32
    """Rows on which the held-out loss is measured, the same each time."""
    patience: int = 6
    """Stop after this many evaluations without a better held-out loss; 0: never. Fewer than three held-out pieces never
    stop it.
    """
    select: Literal["best", "last"] = "best"
    """The weights that the model gets: those with the best held-out loss, or the last ones."""
    calibrate: bool = True
    """When it is trained, divide all logits by the number with which held-out music is likeliest, where three pieces or
    more are held back.
    """
    choose_sampling: bool = True
    """Choose, when it is trained, the temperature and top-p with which it writes most like held-out music."""
    checkpoint_minutes: float = 3.0
    """Minutes between checkpoints to resume from."""
    workers: int | Literal["auto"] = "auto"
    """Processes that make examples; 0: the training process makes them itself; ``auto``: by the number of cores, one on
    up to five.
    """
    shard: bool = False
    """Share out weights, gradients and optimiser states over the processes that train together (FSDP), for models that
    one device does not hold; without effect on one process.
    """
    lora_rank: int = 0
    """Rank of the trained changes to the frozen weights of a model (LoRA, Hu et al. 2021), for a style file; 0: the
    weights themselves are trained.
    """
    lora_alpha: float = 8.0
    """The product of two factors counts ``lora_alpha / lora_rank`` times: one learning rate suits every rank."""
    lora_parts: tuple[str, ...] = ("blocks", "vectors", "embedding", "features", "head")
    """What is trained: the matrices of the ``blocks``; ``vectors`` (norms, biases); ``embedding`` of tokens and
    positions; ``features``; ``head`` (with that of intervals).
    """
    seed: int = 0
    """Seed of the first weights, the order of the pieces and the augmentation."""
    wandb: str = ""
    """Report to this project on Weights & Biases, if the package ``wandb`` is installed."""

    def __post_init__(self) -> None:
        _refuse_outside("training", self, _LOWEST)
        for name in ("warmup", "floor", "beta1", "beta2", "ema"):
            value = getattr(self, name)
            if not 0 <= value <= 1 or (value == 1 and name in ("beta1", "beta2", "ema")):
                raise RecipeError(f"training.{name} must be a share between 0 and 1, not {shown(value)}")
        if unknown := [part for part in self.lora_parts if part not in LORA_PARTS] or not self.lora_parts:
            raise RecipeError(f"training.lora_parts must be some of {', '.join(LORA_PARTS)}, not {shown(unknown)}")
        if self.lora_rank and self.shard:
            raise RecipeError("training.shard is for the training of all weights: leave it out, or training.lora_rank")
        for name, allowed in _CHOICES.items():
            if getattr(self, name) not in allowed:
                raise RecipeError(
                    f"training.{name} must be one of {', '.join(allowed)}, not {shown(getattr(self, name))}"
                )
        if (
            self.lr <= 0
            or self.lora_alpha <= 0
            or any(value is not None and value <= 0 for value in (self.minutes, self.epochs, self.max_epochs))
        ):
            raise RecipeError(
                "training.lr, training.lora_alpha, training.minutes, training.epochs and training.max_epochs must be "
                "greater than 0"
            )
        _refuse_seed("training", self.seed)


_LOWEST: dict[str, float] = {
    "steps": 1, "micro_batch_size": 1, "gradient_accumulation_steps": 1, "embedding_lr": 0, "warmup": 0, "floor": 0,
    "weight_decay": 0, "clip": 0, "ema": 0, "evaluations": 1,
    "valid_rows": 1, "patience": 0, "checkpoint_minutes": 0, "workers": 0, "lora_rank": 0, "seed": 0,
}  # fmt: skip
_CHOICES: dict[str, tuple[str, ...]] = {
    "schedule": ("cosine", "wsd", "linear"),
    "select": ("best", "last"),
    "optimizer": ("adamw", "muon"),
    "precision": ("auto", "bf16", "fp32"),
    "attention": ("auto", *KERNELS),
    "compile": ("auto", "on", "off"),
}


@dataclass(frozen=True)
class CodecOptions:
    """How the codes of a recipe with learned codes are trained, before its model is."""

    steps: int = 4000
    """Updates of the weights. A recipe or a command sets ``steps`` or ``minutes``."""
    minutes: float | None = None
    """Train for this long instead: the number of steps is fitted to it from a short measurement."""
    rows: int = 256
    """Quarter notes a step."""
    lr: float = 3e-3
    """Highest learning rate; it decays linearly to 0."""
    warmup: float = 0.02
    """Share of the steps in which the learning rate rises."""
    weight_decay: float = 0.01
    """Weight decay, decoupled from the gradient (Loshchilov and Hutter 2019)."""
    clip: float = 10.0
    """Largest norm of the gradient: a larger one is scaled down to it; 0: no limit."""
    transpose: int = 6
    """Each step moves its music by up to so many semitones."""
    evaluations: int = 10
    """How many times the held-out loss is measured, evenly over the run."""
    valid_rows: int = 2048
    """Quarter notes on which the held-out loss is measured, the same each time."""
    patience: int = 4
    """Stop after this many evaluations without a better held-out loss; 0: never. Fewer than three held-out pieces never
    stop it.
    """
    checkpoint_minutes: float = 3.0
    """Minutes between checkpoints to resume from."""
    seed: int = 0
    """Seed of the first weights and of the batches."""

    def __post_init__(self) -> None:
        _refuse_outside("codec_training", self, _LOWEST_CODEC)
        if self.lr <= 0 or (self.minutes is not None and self.minutes <= 0):
            raise RecipeError("codec_training.lr and codec_training.minutes must be greater than 0")
        _refuse_seed("codec_training", self.seed)


_LOWEST_CODEC: dict[str, float] = {
    "steps": 1, "rows": 1, "warmup": 0, "weight_decay": 0, "clip": 0, "transpose": 0, "evaluations": 1,
    "valid_rows": 1, "patience": 0, "checkpoint_minutes": 0, "seed": 0,
}  # fmt: skip


_HIGHEST: dict[str, float] = {
    "steps": 10**9, "rows": 10**6, "micro_batch_size": 10**6, "gradient_accumulation_steps": 10**6,
    "evaluations": 10**6, "valid_rows": 10**6, "patience": 10**6, "workers": 1024, "minutes": 10**7,
    "checkpoint_minutes": 10**7, "lr": 100, "weight_decay": 1000, "clip": 10**9, "transpose": 24, "lora_rank": 4096,
    "lora_alpha": 10**6,
}  # fmt: skip
"""More than these is a slip of the keys."""


def _refuse_outside(section: str, options: object, lowest: dict[str, float]) -> None:
    for name in dict.fromkeys((*lowest, *_HIGHEST)):
        value, low, high = getattr(options, name, None), lowest.get(name), _HIGHEST.get(name)
        if value == "auto":
            continue
        if value is not None and low is not None and value < low:
            raise RecipeError(f"{section}.{name} must be at least {low}, not {shown(value)}")
        if value is not None and high is not None and value > high:
            raise RecipeError(f"{section}.{name} must be at most {high:,}, not {shown(value)}")


def _refuse_seed(section: str, seed: int) -> None:
    if seed > HIGHEST_SEED:
        raise RecipeError(f"{section}.seed must be at most {HIGHEST_SEED}, not {shown(seed)}")
