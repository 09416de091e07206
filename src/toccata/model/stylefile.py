"""Style files: small changes of a model's weights in one safetensors file, read and merged with NumPy. Free of torch.

The file has, for a matrix of the Decoder, two factors of low rank (``blocks.0.attention.qkv.weight.A`` and ``.B``), and
for a vector what is added to it (``norm.weight.offset``), all of them float16. With it, the weights are
``W + scale * B @ A`` and ``w + offset``; several files add up. The metadata say which model it is for: changes of other
weights would be noise.

A style file may come from a stranger: header, names, shapes and numbers are checked before anything is computed.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from toccata.errors import ModelError, shown
from toccata.files import digest, parse_json
from toccata.model.config import DecoderConfig
from toccata.model.layout import layout, shapes
from toccata.model.tensors import Header, is_finite, read_arrays, read_header

SUFFIX = ".safetensors"
METADATA = "toccata_style"
"""The key of the file's metadata with all that is known of it, as JSON."""
FORMAT = 1
MOST_RANK, MOST_SCALE = 4096, 10**6
_DIGEST = re.compile(r"[0-9a-f]{64}")
_LONGEST_NAME = 200


def adapted(config: DecoderConfig, parts: Collection[str] | None = None) -> dict[str, tuple[int, ...]]:
    """Return the shapes of the parameters of a Decoder that are of some parts, by their names.

    Args:
        config: The Decoder's shape.
        parts: Some of ``blocks`` (the matrices of its blocks), ``vectors`` (norms and biases), ``embedding`` (of tokens
            and positions), ``features`` (theirs) and ``head`` (with that of intervals); None: all.
    """
    files = shapes(config)
    found: dict[str, tuple[int, ...]] = {}
    for name, stack in layout(config).items():
        rows, inner = sum(count for _, count in stack), files[stack[0][0]][1:]
        if parts is None or part_of(name, is_matrix=bool(inner)) in parts:
            found[name] = (rows, *inner)
    return found


def part_of(name: str, *, is_matrix: bool) -> str:
    """Return the part that a parameter of a Decoder is of."""
    if not is_matrix:
        return "vectors"
    first = name.split(".")[0]
    if first in ("embedding", "places"):
        return "embedding"
    return "features" if first == "features" else "head" if first in ("head", "intervals") else "blocks"


@dataclass(frozen=True, eq=False)
class StyleFile:
    """A style file that was read.

    Attributes:
        path: Where it is.
        digest: SHA-256 of its bytes.
        about: Its metadata: ``base``, ``rank``, ``scale``, ``lineage``, ...
        header: The header of its numbers.
    """

    path: Path
    digest: str
    about: Mapping[str, Any]
    header: Header

    @classmethod
    def read(cls, path: Path) -> StyleFile:
        """Read a style file's metadata.

        Raises:
            ModelError: The file is missing, damaged or no style file.
        """
        try:
            if not path.is_file() and path.exists():
                raise ValueError("no regular file")  # reading a pipe would wait
            header = read_header(path)
            text = header.metadata.get(METADATA)
            if not isinstance(text, str):
                raise ModelError(
                    f"{path} is no style file: name one that `toccata finetune -o NAME{SUFFIX}` wrote", path=path
                )
            about = parse_json(text.encode())
            sha = digest(path)
        except (OSError, ValueError) as error:
            raise _damaged(path, error) from None
        if isinstance(about, dict) and about.get("format") != FORMAT:
            raise ModelError(
                f"{path} has format {shown(about.get('format'))}, this version reads {FORMAT}: update toccata",
                path=path,
            )
        if wrong := _wrong(about):
            raise _damaged(path, ValueError(wrong))
        return cls(path, sha, about, header)

    @classmethod
    def unread(cls, path: Path, about: Mapping[str, Any]) -> StyleFile:
        """Return a file that another process of the same training writes: what is in it is not known here."""
        return cls(path, "", about, Header({}, {}, 0, 0))

    @property
    def name(self) -> str:
        """The name of its file, without the suffix."""
        return self.path.name.removesuffix(SUFFIX)

    @property
    def rank(self) -> int:
        """The rank of its factors."""
        return int(self.about["rank"])

    @property
    def scale(self) -> float:
        """How many times the product of two factors counts."""
        return float(self.about["scale"])

    def refuse_other_base(self, model: str, weights: str) -> None:
        """Refuse a style file that was trained on other weights.

        Args:
            model: The model's name.
            weights: The digest of its weights.

        Raises:
            ModelError: It was.
        """
        base = self.about["base"]
        if base["weights"] != weights:
            same = " (another model of that name)" if base["name"] == model else ""
            raise ModelError(
                f"{self.path} is a style file for the model {shown(base['name'])}{same}, and cannot be used with "
                f"{model}: name the model that it was made with, or finetune {model} on the same music",
                path=self.path,
            )

    def arrays(self, config: DecoderConfig) -> dict[str, NDArray[np.float32]]:
        """Return its numbers, by name.

        Args:
            config: The shape of the model that it is for.

        Raises:
            ModelError: The file is damaged, or its numbers do not fit the model.
        """
        changed = {name.rpartition(".")[0] for name in self.header.entries}
        expected: dict[str, tuple[int, ...]] = {}
        for name, shape in adapted(config).items():
            if name in changed:
                expected |= shapes_of(name, shape, self.rank)
        try:
            arrays = read_arrays(self.path, self.header, expected, "F16")
            if (odd := next((name for name, array in arrays.items() if not is_finite(array)), None)) is not None:
                raise ValueError(f"{odd} holds numbers that are not finite")
        except (OSError, ValueError) as error:
            raise _damaged(self.path, error) from None
        return arrays


class UsedStyleFile(NamedTuple):
    """A style file that a model is used with.

    Attributes:
        file: The file.
        weight: How many times its changes count.
    """

    file: StyleFile
    weight: float

    def to_json(self) -> dict[str, Any]:
        """Return it as the origin of a piece has it."""
        return {"file": self.file.path.name, "digest": self.file.digest, "weight": self.weight}


def open_style_files(
    files: Iterable[str | Path | tuple[str | Path, float]], config: DecoderConfig, model: str, weights: str
) -> tuple[UsedStyleFile, ...]:
    """Open the style files that a model is used with; whatever is wrong with one is found here.

    Args:
        files: Their paths, each alone or with how many times it counts.
        config: The model's shape.
        model: Its name.
        weights: The digest of its weights.

    Raises:
        ModelError: A file is missing, damaged, no style file, or for another model.
    """
    opened = []
    for given in files:
        path, weight = given if isinstance(given, tuple) else (given, 1.0)
        style = StyleFile.read(Path(path))
        style.refuse_other_base(model, weights)
        style.arrays(config)
        opened.append(UsedStyleFile(style, weight))
    return tuple(opened)


def shapes_of(name: str, shape: tuple[int, ...], rank: int) -> dict[str, tuple[int, ...]]:
    """Return the shapes of the arrays that a style file has for a parameter of this name and shape."""
    if len(shape) == 1:
        return {f"{name}.offset": shape}
    return {f"{name}.A": (rank, shape[1]), f"{name}.B": (shape[0], rank)}


def merged(
    config: DecoderConfig,
    tensors: Mapping[str, NDArray[np.float32]],
    styles: Sequence[UsedStyleFile],
) -> dict[str, NDArray[np.float32]]:
    """Return the weights of a model with style files.

    Args:
        config: Its shape.
        tensors: Its weights, by the names of ``model.safetensors``; they stay as they are.
        styles: The style files, each with how many times it counts.

    Raises:
        ModelError: A file is damaged, or its numbers do not fit the model.
    """
    made = dict(tensors)
    for style, weight in styles:
        arrays = style.arrays(config)
        for name, stack in layout(config).items():
            if f"{name}.A" not in arrays and f"{name}.offset" not in arrays:
                continue
            change, first = _change(arrays, name, style.scale, weight), 0
            for part, rows in stack:
                made[part] = made[part] + change[first : first + rows]
                first += rows
    return made


def _change(arrays: Mapping[str, NDArray[np.float32]], name: str, scale: float, weight: float) -> NDArray[np.float32]:
    """Return what is added to a parameter that has factors or an offset.

    It is finite: float16 ends at 65,504, and rank, scale and weight have limits.
    """
    if (offset := arrays.get(f"{name}.offset")) is not None:
        return np.asarray(np.float32(weight) * offset, np.float32)
    product = arrays[f"{name}.B"] @ arrays[f"{name}.A"]
    return np.asarray(np.float32(scale * weight) * product, np.float32)


def _wrong(about: Any) -> str | None:
    """Return what is wrong with a style file's metadata; None if nothing is."""
    base = about.get("base") if isinstance(about, dict) else None
    if not isinstance(base, dict) or not isinstance(base.get("name"), str) or len(base["name"]) > _LONGEST_NAME:
        return "it does not say which model it is for"
    if not isinstance(base.get("weights"), str) or not _DIGEST.fullmatch(base["weights"]):
        return "it does not say which weights it is for"
    rank, scale = about.get("rank"), about.get("scale")
    if type(rank) is not int or not 1 <= rank <= MOST_RANK:
        return f"its rank is {shown(rank)}"
    if type(scale) not in (int, float) or not abs(scale) <= MOST_SCALE:
        return f"its scale is {shown(scale)}"
    if not isinstance(about.get("lineage"), dict):
        return "it does not say what it was trained on"
    return None


def _damaged(path: Path, error: Exception) -> ModelError:
    why = "missing" if isinstance(error, FileNotFoundError) else f"damaged ({error})"
    return ModelError(f"{path} is {why}: name a style file, or copy it again", path=path)
