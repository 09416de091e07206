"""The optimisers: AdamW, and Muon for matrices with AdamW for the rest."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import Tensor

from toccata.model.layout import EMBEDDINGS
from toccata.training import sharding
from toccata.training.options import TrainOptions

SCALE = "lr_scale"
"""In a group of parameters, the multiple of the learning rate that is theirs."""


class Muon(torch.optim.Muon):
    """torch's Muon (Jordan et al. 2024), all matrices of one shape at a time, in the number format that is fast here.

    A decoder has a few shapes and many matrices: one after the other they take twice as long on a CPU. An update has
    the root mean square that AdamW's have, so that one learning rate serves both (Liu et al. 2025, arXiv 2502.16982).
    """

    def __init__(
        self, params: Iterable[Tensor], lr: float, weight_decay: float = 0.0, dtype: torch.dtype = torch.float32
    ) -> None:
        super().__init__(params, lr=lr, weight_decay=weight_decay, adjust_lr_fn="match_rms_adamw")
        self._dtype = dtype

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:  # type: ignore[override]  # no closure, so no loss to return
        """Move every matrix once."""
        for group in self.param_groups:
            matrices: list[Tensor] = []
            grads: list[Tensor] = []
            buffers: list[Tensor] = []
            self._init_group(group, matrices, grads, buffers)
            shapes: dict[torch.Size, list[int]] = {}
            for number, matrix in enumerate(matrices):
                shapes.setdefault(matrix.shape, []).append(number)
            for shape, numbers in shapes.items():
                like = matrices[numbers[0]]
                # Of matrices that are shared out over processes only what is orthogonalised is gathered.
                own, new, old = ([sharding.own(column[n]) for n in numbers] for column in (matrices, grads, buffers))
                torch._foreach_lerp_(old, new, 1 - group["momentum"])
                ahead = torch.stack(torch._foreach_lerp(new, old, group["momentum"])).to(self._dtype)  # Nesterov
                update = orthogonalised(
                    sharding.gathered(ahead, like), group["ns_coefficients"], group["ns_steps"], group["eps"]
                )
                update = sharding.own_rows(update, like)
                torch._foreach_mul_(own, 1 - group["lr"] * group["weight_decay"])
                size = 0.2 * max(shape) ** 0.5
                torch._foreach_add_(own, list(update.to(own[0].dtype).unbind()), alpha=-group["lr"] * size)


def orthogonalised(
    matrices: Tensor, coefficients: tuple[float, float, float], iterations: int = 5, eps: float = 1e-7
) -> Tensor:
    """The nearest matrices with all singular values about 1, by a quintic Newton-Schulz iteration.

    Args:
        matrices: ``[n, rows, columns]``; bf16 is exact enough.
        coefficients: Of the quintic polynomial.
        iterations: How often it is applied.
        eps: The least norm that a matrix is divided by.
    """
    a, b, c = coefficients
    tall = matrices.shape[1] > matrices.shape[2]
    x = matrices.mT if tall else matrices
    x = x / torch.linalg.matrix_norm(x.float(), keepdim=True).clamp_(min=eps).to(x.dtype)
    for _ in range(iterations):
        square = x @ x.mT
        x = torch.baddbmm(x, torch.baddbmm(square, square, square, beta=b, alpha=c), x, beta=a)
    return x.mT if tall else x


def build(named: Mapping[str, Tensor], options: TrainOptions, *, bf16: bool = False) -> list[torch.optim.Optimizer]:
    """The optimisers of a Decoder's parameters, by their names, or of what is trained beside them.

    Norms, biases and embeddings are not decayed, and factors beside embeddings learn at their rate; ``bf16``: where
    that is the faster precision.
    """
    hidden: list[Tensor] = []
    decayed: list[Tensor] = []
    embeddings: list[Tensor] = []
    plain: list[Tensor] = []
    for name, parameter in named.items():
        inside = parameter.ndim == 2 and "blocks." in name
        if inside and options.optimizer == "muon":
            hidden.append(parameter)
        elif name.removesuffix(".A").removesuffix(".B") in EMBEDDINGS:
            embeddings.append(parameter)
        else:
            (decayed if inside or name.endswith("head.weight") else plain).append(parameter)
    groups = [
        {"params": decayed, "weight_decay": options.weight_decay},
        {"params": plain, "weight_decay": 0.0},
        {"params": embeddings, "weight_decay": 0.0, SCALE: options.embedding_lr},
    ]
    groups = [g for g in groups if g["params"]]
    betas = options.beta1, options.beta2
    optimizers: list[torch.optim.Optimizer] = [torch.optim.AdamW(groups, lr=options.lr, betas=betas, fused=True)]
    if hidden:
        dtype = torch.bfloat16 if bf16 else torch.float32
        optimizers.append(Muon(hidden, options.lr, options.weight_decay, dtype))
    return optimizers
