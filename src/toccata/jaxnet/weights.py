"""A Decoder's weights by name, and back: the names are those of torch's Decoder, and of its checkpoints."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

import jax
import numpy as np
from numpy.typing import NDArray

from toccata.errors import ModelError

Tree = TypeVar("Tree")


def named(tree: Any) -> dict[str, NDArray[Any]]:
    """The arrays of a tree, each under its path: ``blocks.0.attention.qkv.weight``."""
    return {_name(path): np.asarray(leaf) for path, leaf in jax.tree_util.tree_flatten_with_path(tree)[0]}


def placed(tree: Tree, arrays: Mapping[str, NDArray[Any]]) -> Tree:
    """The tree with the arrays of :func:`named` for its own.

    Raises:
        ModelError: An array is missing, is one too many, or has another shape than the tree's.
    """
    leaves, structure = jax.tree_util.tree_flatten_with_path(tree)
    names = [_name(path) for path, _ in leaves]
    if wrong := set(names) ^ set(arrays):
        raise ModelError(f"{'it lacks' if min(wrong) in names else 'there is no place for'} {min(wrong)}")
    for name, (_, leaf) in zip(names, leaves, strict=True):
        if leaf.shape != arrays[name].shape:
            raise ModelError(f"{name} is {list(arrays[name].shape)}, not {list(leaf.shape)}")
    new = [np.asarray(arrays[name], leaf.dtype) for name, (_, leaf) in zip(names, leaves, strict=True)]
    made: Tree = jax.tree_util.tree_unflatten(structure, new)
    return made


def _name(path: tuple[Any, ...]) -> str:
    return jax.tree_util.keystr(path, simple=True, separator=".")
