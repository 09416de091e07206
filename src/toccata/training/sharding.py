"""A decoder's weights, gradients and optimiser states shared out over processes: FSDP (Zhao et al. 2023).

torch's ``fully_shard`` keeps of every tensor the rows that are a process's own, as a DTensor. What needs whole tensors
(Muon, a checkpoint) gathers them here. Tensors that are not shared out go through unchanged.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, TypeGuard, cast

import torch
import torch.distributed as dist
from torch import Tensor

from toccata.model.decoder import Decoder

if TYPE_CHECKING:
    from torch.distributed.tensor import DTensor


def shard(decoder: Decoder) -> None:
    """Share out a decoder over all processes: each block, and what is around them.

    A part is gathered when it is computed with, and let go after it, in the forward and in the backward pass.
    """
    from torch.distributed.fsdp import fully_shard  # it takes as long to load as torch: only where it is wanted

    for block in decoder.blocks:
        fully_shard(block, reshard_after_forward=True)
    fully_shard(decoder, reshard_after_forward=True)


def _is_shared(tensor: Tensor) -> TypeGuard[DTensor]:
    """Whether ``tensor`` is a DTensor, without importing the module that defines them."""
    return hasattr(tensor, "device_mesh")


def own(tensor: Tensor) -> Tensor:
    """The part of a tensor that this process holds, in the same memory."""
    return tensor.to_local() if _is_shared(tensor) else tensor


def whole(tensor: Tensor) -> Tensor:
    """All of a tensor; every process has to ask for it."""
    return tensor.full_tensor() if _is_shared(tensor) else tensor


def shared_like(tensor: Tensor, like: Tensor) -> Tensor:
    """A whole tensor, which every process has, shared out as ``like`` is; one of another shape stays whole."""
    if not _is_shared(like) or tensor.shape != like.shape:
        return tensor
    from torch.distributed.tensor import distribute_tensor

    tensor = tensor.to(like.device)
    return cast(Tensor, distribute_tensor(tensor, like.device_mesh, like.placements, src_data_rank=None))


def gathered(parts: Tensor, like: Tensor) -> Tensor:
    """Whole matrices from every process's rows of them, in one message.

    Args:
        parts: ``[n, own rows, columns]``.
        like: One of the matrices, as it is shared out.

    Returns:
        ``[n, rows, columns]``.
    """
    if not _is_shared(like):
        return parts
    group, rows = like.device_mesh.get_group(), like.shape[0]
    count = dist.get_world_size(group)
    each = -(-rows // count)  # every process has so many rows, but the last ones
    padded = parts.new_zeros(len(parts), each, parts.shape[2])
    padded[:, : parts.shape[1]] = parts
    found = parts.new_empty(count, *padded.shape)
    dist.all_gather_into_tensor(found.flatten(0, 1), padded, group=group)
    return found.transpose(0, 1).reshape(len(parts), count * each, -1)[:, :rows]


def own_rows(matrices: Tensor, like: Tensor) -> Tensor:
    """This process's rows of whole matrices ``[n, rows, columns]``, shared out as ``like`` is."""
    if not _is_shared(like):
        return matrices
    each = -(-like.shape[0] // dist.get_world_size(like.device_mesh.get_group()))
    first = each * like.device_mesh.get_local_rank()
    return matrices[:, first : first + each]


def save_parts(folder: Path, tensors: Mapping[str, Tensor]) -> None:
    """Write tensors that are shared out, every process its part, by torch's distributed checkpoint.

    Its files are safetensors, which say in their headers where each part lies; nothing is pickled. What all processes
    have is written by one. ``checkpoint.load`` reads them, with any number of processes.
    """
    from torch.distributed.checkpoint.hf_storage import HuggingFaceStorageWriter
    from torch.distributed.checkpoint.state_dict_saver import save

    save(dict(tensors), storage_writer=HuggingFaceStorageWriter(str(folder), save_distributed=True))


@torch.no_grad()
def is_finite(tensors: Mapping[str, Tensor]) -> bool:
    """Whether all numbers that this process holds of them are finite."""
    return all(bool(own(tensor).isfinite().all()) for tensor in tensors.values())


@torch.no_grad()
def fill(parameter: Tensor, values: Tensor) -> None:
    """Give a parameter the values of a whole tensor.

    Raises:
        RuntimeError: It has another shape.
    """
    if parameter.shape != values.shape:
        raise RuntimeError(f"a weight has the shape {tuple(values.shape)} and not {tuple(parameter.shape)}")
    parameter.copy_(shared_like(values, parameter))
