"""The optimisers: AdamW, and Muon for matrices with AdamW for the rest."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn

from toccata.training.options import TrainOptions


class Muon(torch.optim.Optimizer):
    """Momentum, orthogonalised (Jordan et al. 2024, "Muon"): every direction of a matrix is moved by the same amount.

    An update has the root mean square that AdamW's have, so that one learning rate serves both (Liu et al. 2025, arXiv
    2502.16982).
    """

    def __init__(
        self,
        params: Iterable[Tensor],
        lr: float,
        momentum: float = 0.95,
        weight_decay: float = 0.0,
        dtype: torch.dtype = torch.float32,
    ) -> None:
        super().__init__(params, {"lr": lr, "momentum": momentum, "weight_decay": weight_decay, "dtype": dtype})

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:  # type: ignore[override]  # no closure, so no loss to return
        """Move every matrix once."""
        for group in self.param_groups:
            for matrix in group["params"]:
                if matrix.grad is None:
                    continue
                state = self.state[matrix]
                if not state:
                    state["momentum"] = torch.zeros_like(matrix)
                momentum = state["momentum"].mul_(group["momentum"]).add_(matrix.grad)
                ahead = matrix.grad.add(momentum, alpha=group["momentum"])  # Nesterov
                matrix.mul_(1 - group["lr"] * group["weight_decay"])
                matrix.add_(orthogonalised(ahead, group["dtype"]), alpha=-group["lr"] * 0.2 * max(matrix.shape) ** 0.5)


def orthogonalised(matrix: Tensor, dtype: torch.dtype = torch.float32, iterations: int = 5) -> Tensor:
    """The nearest matrix with all singular values about 1, by a quintic Newton-Schulz iteration.

    bf16 is exact enough.
    """
    a, b, c = 3.4445, -4.7750, 2.0315
    x = matrix.to(dtype)
    tall = x.shape[0] > x.shape[1]
    x = x.T if tall else x
    x = x / (x.norm() + 1e-7)
    for _ in range(iterations):
        square = x @ x.T
        x = torch.addmm(x, torch.addmm(square, square, square, beta=b, alpha=c), x, beta=a)
    found: Tensor = (x.T if tall else x).to(matrix.dtype)
    return found


def build(model: nn.Module, options: TrainOptions, *, bf16: bool = False) -> list[torch.optim.Optimizer]:
    """The optimisers of a Decoder.

    Norms, biases and embeddings are not decayed; ``bf16``: where that is the faster precision.
    """
    hidden: list[Tensor] = []
    decayed: list[Tensor] = []
    plain: list[Tensor] = []
    for name, parameter in model.named_parameters():
        inside = parameter.ndim == 2 and "blocks." in name
        if inside and options.optimizer == "muon":
            hidden.append(parameter)
        else:
            (decayed if inside or name.endswith("head.weight") else plain).append(parameter)
    groups = [
        {"params": decayed, "weight_decay": options.weight_decay},
        {"params": plain, "weight_decay": 0.0},
    ]
    groups = [g for g in groups if g["params"]]
    betas = options.beta1, options.beta2
    optimizers: list[torch.optim.Optimizer] = [torch.optim.AdamW(groups, lr=options.lr, betas=betas, fused=True)]
    if hidden:
        dtype = torch.bfloat16 if bf16 else torch.float32
        optimizers.append(Muon(hidden, options.lr, weight_decay=options.weight_decay, dtype=dtype))
    return optimizers
