"""The VQ-VAE: the piano roll of a quarter note becomes a few codes of a learned codebook, and comes back from them.

After van den Oord et al. 2017 (arXiv 1711.00937); the codebook's entries are moving averages, by
vector-quantize-pytorch.
Every slice stands for itself: the same notes are the same codes wherever they stand, and any codes can be played.

Shape letters: Q slices (quarter notes), K codes a slice, S steps, D numbers an entry, C width, and 88 keys.
"""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn
from vector_quantize_pytorch import VectorQuantize

from toccata.model.vqconfig import CHANNELS, KEYS, SILENT, VqConfig

_AT_A_TIME = 512
"""Slices that are encoded or decoded together, so that a long piece takes no more memory than a short one."""


class VqVae(nn.Module):
    """Rolls in, codes out, and back. The config is ``.config``."""

    def __init__(self, config: VqConfig) -> None:
        super().__init__()
        self.config = config
        slots = config.layout == "slots"
        self.body: Slots | Grid = Slots(config) if slots else Grid(config)
        self.book = VectorQuantize(  # called so in the states of runs
            config.entry,
            config.codebook - 1
            if slots
            else config.codebook,  # a slot without a key is code 0, which need not be learned
            decay=config.decay,
            commitment_weight=1.0,
            threshold_ema_dead_code=config.renew,
            rotation_trick=slots,
        )

    def forward(self, rolls: Tensor) -> Tensor:
        """The loss of ``rolls float[Q, 2, 88, S]``, in nats a slice; while training, with what leads it."""
        z, used, given = self.body.encode(rolls)
        q, distance = torch.zeros_like(z), z.new_zeros(())
        if used.any():
            q[used], _, distance = self.book(z[used])
        logits, claims = self.body.decode(q, used)
        loss = F.binary_cross_entropy_with_logits(logits, rolls, reduction="sum") / len(rolls)
        if not self.training:
            return loss
        return loss + self.config.commitment * distance.sum() + self.body.lead(given, claims, used) / len(rolls)

    @torch.no_grad()
    def encode(self, rolls: Tensor) -> Tensor:
        """The codes ``int64[Q, K]`` of ``rolls [Q, 2, 88, S]``, of zeros and ones."""
        z, used, _ = self.body.encode(rolls.float())
        entries = self.entries()
        scores = 2 * z @ entries.T - entries.square().sum(-1)  # the greatest is the nearest
        codes = scores.argmax(-1)
        return codes if self.config.layout == "grid" else (codes + 1) * used

    @torch.no_grad()
    def decode(self, codes: Tensor) -> Tensor:
        """The probabilities ``float[Q, 2, 88, S]`` of ``codes int64[Q, K]``."""
        entries = self.entries()
        if self.config.layout == "grid":
            return self.body.decode(entries[codes], codes >= 0)[0].sigmoid()
        used = codes > 0
        return self.body.decode(entries[(codes - 1).clamp(min=0)], used)[0].sigmoid()

    def entries(self) -> Tensor:
        """The entries that are learned, ``float[n, D]``."""
        codebook: Tensor = self.book.codebook
        return codebook

    def tensors(self) -> dict[str, Tensor]:
        """Return the weights to save: those of the body and the codebook, float32 on the CPU."""
        found = {**dict(self.body.named_parameters()), "book": self.entries()}
        return {name: tensor.detach().to("cpu", torch.float32).contiguous().clone() for name, tensor in found.items()}

    @torch.no_grad()
    def put(self, tensors: dict[str, Tensor]) -> None:
        """Take over what :meth:`tensors` gave.

        Raises:
            ValueError: Tensors are missing, too many, or of another shape; the message names one.
        """
        own = {**dict(self.body.named_parameters()), "book": self.book._codebook.embed[0]}
        if wrong := set(own) ^ set(tensors):
            raise ValueError(f"{min(wrong)} is there without being wanted, or wanted without being there")
        for name, tensor in own.items():
            if tensor.shape != tensors[name].shape:
                raise ValueError(f"{name} has shape {list(tensors[name].shape)} instead of {list(tensor.shape)}")
            tensor.copy_(tensors[name])


class Codec:
    """A VqVae as the tokenizer wants it: arrays in, arrays out.

    Attributes:
        threshold: The least probability that counts as a note.
    """

    def __init__(self, model: VqVae, threshold: float) -> None:
        self.model, self.threshold = model.eval(), threshold
        self.steps, self.codes, self.codebook = model.config.steps, model.config.codes, model.config.codebook

    def encode(self, rolls: NDArray[np.uint8]) -> NDArray[np.int32]:
        """``int32[Q, K]`` of ``uint8[Q, 2, 88, S]``."""
        parts = [self.model.encode(self._tensor(part)) for part in _parts(rolls)]
        out = torch.cat(parts) if parts else torch.zeros(0, self.codes)
        return out.cpu().numpy().astype(np.int32)

    def decode(self, codes: NDArray[np.int32]) -> NDArray[np.float32]:
        """``float32[Q, 2, 88, S]`` of ``int32[Q, K]``."""
        parts = [self.model.decode(self._tensor(part).long()) for part in _parts(codes)]
        out = torch.cat(parts) if parts else torch.zeros(0, CHANNELS, KEYS, self.steps)
        probabilities: NDArray[np.float32] = out.cpu().numpy()
        return probabilities

    def _tensor(self, part: NDArray[np.uint8] | NDArray[np.int32]) -> Tensor:
        return torch.from_numpy(np.ascontiguousarray(part)).to(self.model.entries().device)


def _parts(array: NDArray[np.uint8] | NDArray[np.int32]) -> list[NDArray[np.uint8] | NDArray[np.int32]]:
    return [array[i : i + _AT_A_TIME] for i in range(0, len(array), _AT_A_TIME)]


class Slots(nn.Module):
    """A code for each key that is used, from low to high: which key, and its rhythm.

    As keys are in order, slots need no position of their own, so all of the codebook encodes which key it is and how it
    is played. Where more keys are used than there are slots, the lowest and the highest are encoded, and as many of
    those between as there is room for, evenly.
    """

    def __init__(self, config: VqConfig) -> None:
        super().__init__()
        C, D, rhythm = config.width, config.entry, CHANNELS * config.steps
        self.codes, self.steps = config.codes, config.steps
        self.key_in = nn.Linear(KEYS, C)
        self.rhythm_in = nn.ModuleList([nn.Linear(rhythm, C), nn.Linear(C, C)])
        self.before = nn.ModuleList(Residual(C) for _ in range(config.layers))
        self.norm_in = nn.LayerNorm(C)
        self.narrow = nn.Linear(C, D)
        self.widen = nn.Linear(D, C)
        self.behind = nn.ModuleList(Residual(C) for _ in range(config.layers))
        self.norm_out = nn.LayerNorm(C)
        self.key_out = nn.Linear(C, KEYS)
        self.rhythm_out = nn.ModuleList([nn.Linear(C, C), nn.Linear(C, rhythm)])
        nn.init.constant_(self.key_out.bias, -3.0)  # most keys are not the one

    def encode(self, rolls: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return slot embeddings ``[Q, K, D]``, which have a key, ``bool[Q, K]``, and the keys, ``[Q, K, 88]``."""
        given = self.share(rolls)
        rows = rolls.transpose(1, 2).flatten(2)  # [Q, 88, 2 * S]
        rhythms = given @ rows
        x = self.key_in(given) + self.rhythm_in[1](F.gelu(self.rhythm_in[0](rhythms)))
        for block in self.before:
            x = block(x)
        return self.narrow(self.norm_in(x)), given.amax(-1) > 0, given

    def decode(self, q: Tensor, used: Tensor) -> tuple[Tensor, Tensor]:
        """Log odds ``[Q, 2, 88, S]`` of the roll, and ``[Q, K, 88]`` of the keys that each slot claims."""
        x = self.widen(q)
        for block in self.behind:
            x = block(x)
        x = self.norm_out(x)
        claims = self.key_out(x)
        rhythms = self.rhythm_out[1](F.gelu(self.rhythm_out[0](x))) + SILENT
        logits = (claims.sigmoid() * used[..., None]).transpose(1, 2) @ rhythms - SILENT
        return logits.reshape(-1, KEYS, CHANNELS, self.steps).transpose(1, 2), claims

    def lead(self, given: Tensor, claims: Tensor, used: Tensor) -> Tensor:
        """Return the cross-entropy of the predicted keys of the slots, in nats."""
        return F.binary_cross_entropy_with_logits(claims[used], given[used], reduction="sum")

    def share(self, rolls: Tensor) -> Tensor:
        """Return the key in each slot, ``float[Q, K, 88]`` of zeros and ones."""
        chosen = self.choose(rolls)
        slot = torch.where(chosen, chosen.long().cumsum(1) - 1, -1)
        places = torch.arange(self.codes, device=rolls.device)[:, None]
        return (slot[:, None] == places).float()

    def choose(self, rolls: Tensor) -> Tensor:
        """Return which keys are encoded, ``bool[Q, 88]``: at most K a slice."""
        active = rolls.amax(3).amax(1) > 0
        rank = active.long().cumsum(1) - 1
        number = active.sum(1, keepdim=True)
        between = (number - 1).clamp(min=1)
        share, before = rank * (self.codes - 1) // between, (rank - 1) * (self.codes - 1) // between
        return active & ((number <= self.codes) | (rank == 0) | (share != before))


class Residual(nn.Module):
    """A feed-forward block beside the stream."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.up = nn.Linear(width, 2 * width)
        self.down = nn.Linear(2 * width, width)

    def forward(self, x: Tensor) -> Tensor:
        """``[.., C]`` to ``[.., C]``."""
        out: Tensor = x + self.down(F.gelu(self.up(self.norm(x))))
        return out


class Grid(nn.Module):
    """Convolutions over the roll as a picture of 88 x 32: 8 x 2 places, one code each."""

    def __init__(self, config: VqConfig) -> None:
        super().__init__()
        C = config.width
        self.down = nn.ModuleList(
            [
                nn.Conv2d(CHANNELS, C // 2, 4, 2),
                nn.Conv2d(C // 2, C, 4, 2),
                nn.Conv2d(C, C, (6, 4), 2),
                nn.Conv2d(C, C, 3, padding=1),
            ]
        )
        self.before = nn.ModuleList(Convolved(C) for _ in range(config.layers))
        self.first = nn.Conv2d(C, C, 3, padding=1)
        self.behind = nn.ModuleList(Convolved(C) for _ in range(config.layers))
        self.up = nn.ModuleList(
            [
                nn.ConvTranspose2d(C, C, (6, 4), 2),
                nn.ConvTranspose2d(C, C // 2, 4, 2, output_padding=1),
                nn.ConvTranspose2d(C // 2, CHANNELS, 4, 2),
            ]
        )

    def encode(self, rolls: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return the embedding of each place, ``[Q, 16, C]``, and masks that select all of them, twice."""
        x = rolls
        for i, layer in enumerate(self.down):
            x = layer(F.relu(x) if i else x)
        for block in self.before:
            x = block(x)
        z = F.relu(x).flatten(2).transpose(1, 2)
        all_of_them = torch.ones(z.shape[:2], dtype=torch.bool, device=z.device)
        return z, all_of_them, all_of_them

    def decode(self, q: Tensor, used: Tensor) -> tuple[Tensor, Tensor]:
        """Log odds ``[Q, 2, 88, S]`` of the roll, twice."""
        x = self.first(q.transpose(1, 2).reshape(len(q), -1, 8, 2))
        for block in self.behind:
            x = block(x)
        for layer in self.up:
            x = layer(F.relu(x))
        return x, x

    def lead(self, given: Tensor, claims: Tensor, used: Tensor) -> Tensor:
        """Return no auxiliary loss."""
        return claims.new_zeros(())


class Convolved(nn.Module):
    """A convolution beside the stream."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.wide = nn.Conv2d(width, width // 4, 3, padding=1)
        self.back = nn.Conv2d(width // 4, width, 1)

    def forward(self, x: Tensor) -> Tensor:
        """``[Q, C, 8, 2]`` to the same."""
        out: Tensor = x + self.back(F.relu(self.wide(F.relu(x))))
        return out
