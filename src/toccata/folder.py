"""The model folder: one directory is the whole model.

    config.json  model.safetensors       readable by transformers where the layout is Mistral's
    tokenizer/                           what turns music into ids
    originality.idx                      an index of the training pieces' passages, to see what is copied
    sketch.idx                           a thinned one, instead of it or of the pieces of a model that it started from
    data.json  fingerprints.idx          by which the pieces it was trained on are known again
    toccata.json                         format, recipe, lineage, metrics, a digest of every file above
    README.md                            the model card
    training/                            what resuming needs; not part of the model, and not in the digests

A model folder may come from a stranger. Only safetensors, JSON and the indexes, which are plain numbers, are read;
nothing is unpickled, and no graph is read: the engine builds its own from config and weights. A file whose digest does
not match is refused by name, and one that ``toccata.json`` does not list is not used.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from toccata.errors import ModelError
from toccata.files import digest, read_json, write_json

FORMAT = 1
ABOUT, CONFIG, WEIGHTS, CARD = "toccata.json", "config.json", "model.safetensors", "README.md"
TOKENIZER, TRAINING, ORIGINALITY = "tokenizer", "training", "originality.idx"
SKETCH, DATA, FINGERPRINTS = "sketch.idx", "data.json", "fingerprints.idx"
LEARNED = "learned"
"""The key of ``toccata.json`` that says how many pieces a model and those before it were trained on."""
COVERAGE = "coverage"
"""The key of ``toccata.json`` that says what was learned of instruments, meters, tempos and note lengths."""
CALIBRATION = "calibration"
"""The key in ``toccata.json`` of the number that logits are divided by."""
SAMPLING = "sampling"
"""The key of ``toccata.json`` that says the temperature and top-p with which the model writes by default."""
SAMPLING_BY_STYLE = "sampling_by_style"
"""The key of ``toccata.json`` that says the same for styles that it writes better otherwise."""
_UNFIT = re.compile(r"[/\\\x00-\x1f]")
"""Characters that no name of a model has: file names are made from it, so it must not lead to other folders."""
TOKENIZERS: dict[str, tuple[str, ...]] = {
    "tokenizer.json": (),
    "text.json": (),
    "grid.json": (),
    "codes.json": ("vq.json", "vq.safetensors"),
}
"""The file by which each kind of tokenizer is known, and those that it cannot do without."""
_SECTIONS = ("clean", "prepare", "tokenizer", "codec", "codec_training", "model", "examples", "training")
_LISTED = re.compile(r"[A-Za-z0-9][\w.-]*(/[A-Za-z0-9][\w.-]*)*", re.ASCII)
_DIGEST = re.compile(r"[0-9a-f]{64}")
_LONGEST_NAME, _MOST_FILES, _MOST_STYLES = 200, 1000, 1000


class OwnSampling(NamedTuple):
    """Sampling parameters that are chosen for a model when it is trained; see ``toccata.engine.sampling.Sampling``."""

    temperature: float
    top_p: float
    repeat_penalty: float

    def __str__(self) -> str:
        return f"temperature {self.temperature:g}, top-p {self.top_p:g} and repeat penalty {self.repeat_penalty:g}"


@dataclass(frozen=True)
class ModelFolder:
    """A finished model folder, opened for reading.

    Attributes:
        path: Where it is.
        about: What ``toccata.json`` says.
    """

    path: Path
    about: dict[str, Any]

    @property
    def name(self) -> str:
        """The model's name."""
        return str(self.about["name"])

    @property
    def version(self) -> str:
        """The version of a model that comes with toccata; empty: it has none."""
        return str(self.about.get("version", ""))[:40]

    @property
    def metrics(self) -> dict[str, Any]:
        """The results of the evaluation after training; empty where there are none."""
        return self.about.get("metrics") or {}

    @property
    def is_evaluated(self) -> bool:
        """Whether the model was evaluated after its training, which is then finished."""
        return self.about.get("metrics") is not None

    @property
    def digest(self) -> str:
        """SHA-256 over the digests of all files: two folders of one digest are one model."""
        return hashlib.sha256(json.dumps(self.about["files"], sort_keys=True).encode()).hexdigest()

    @property
    def weights(self) -> str:
        """The digest of the weights' file; empty where there is none."""
        return str(self.about["files"].get(WEIGHTS, ""))

    @property
    def config(self) -> dict[str, Any]:
        """The content of ``config.json``."""
        return _object(self.file(CONFIG))

    @property
    def learned(self) -> list[dict[str, Any]]:
        """The number of training ``pieces`` of the model, of the one it was finetuned from, and so on to the first.

        Each has its name, ``model``, and its ``digest``; pieces are None where they are unknown. Empty where the
        folder does not record them, or the record is damaged.
        """
        learned = self.about.get(LEARNED)
        return learned if isinstance(learned, list) and all(map(_is_generation, learned)) else []

    @property
    def sampling(self) -> OwnSampling | None:
        """The sampling parameters that were chosen for the model in its training; None: there are none.

        Raises:
            ModelError: They are damaged.
        """
        saved = self.about.get(SAMPLING)
        return None if saved is None else self._own_sampling(saved, SAMPLING)

    @property
    def sampling_by_style(self) -> dict[str, OwnSampling]:
        """The sampling parameters of styles that have their own; empty: none has.

        Raises:
            ModelError: They are damaged.
        """
        saved = self.about.get(SAMPLING_BY_STYLE) or {}
        if not isinstance(saved, dict) or len(saved) > _MOST_STYLES:
            saved = {"": None}
        return {style: self._own_sampling(own, SAMPLING_BY_STYLE) for style, own in saved.items()}

    def _own_sampling(self, saved: Any, key: str) -> OwnSampling:
        """Return sampling parameters that ``toccata.json`` has under ``key``."""
        try:
            own = OwnSampling(*(float(saved[name]) for name in OwnSampling._fields))
            if not (0 <= own.temperature <= 10 and 0 < own.top_p <= 1 and 0 <= own.repeat_penalty <= 5):
                raise ValueError("out of range")
        except (KeyError, TypeError, ValueError, OverflowError):
            path = self.path / ABOUT
            message = f"{path} says {key!r} in a way that cannot be read: copy the model again"
            raise ModelError(message, path=path) from None
        return own

    def file(self, name: str) -> Path:
        """The path of a file of the model, after comparing it with its digest.

        Raises:
            ModelError: The file is missing, was changed, or does not belong to the model.
        """
        expected = self.about["files"].get(name)
        path = self.path / name
        if expected is None:
            raise ModelError(f"{self.path} has no {name}: it was exported without it", path=path)
        try:
            if not path.resolve().is_relative_to(self.path.resolve()):
                raise ModelError(
                    f"{path} is a link that leads out of the model folder: copy the file itself", path=path
                )
            if not path.is_file():
                raise ModelError(f"{path} is missing: copy the whole model folder again", path=path)
            found = digest(path)
        except (OSError, RuntimeError) as error:  # links that go round are a RuntimeError
            reason = getattr(error, "strerror", None) or error
            raise ModelError(f"{path} cannot be read: {reason}", path=path) from None
        if found != expected:
            raise ModelError(
                f"{path} is not the file this model was saved with: copy the model folder again", path=path
            )
        return path

    def has(self, name: str) -> bool:
        """Whether the model has a file of this name."""
        return name in self.about["files"]

    def tokenizer(self) -> Path:
        """The file that says what the tokenizer is, in a folder with the others; all listed ones match their digests.

        Raises:
            ModelError: As :meth:`file`; or no tokenizer is listed, or several, or one without all of its files.
        """
        start = f"{TOKENIZER}/"
        listed: set[str] = {name.removeprefix(start) for name in self.about["files"] if name.startswith(start)}
        kinds = sorted(listed & set(TOKENIZERS))
        if len(kinds) != 1:
            raise ModelError(
                f"{self.path / ABOUT} lists {' and '.join(kinds) or 'no'} tokenizer: copy the whole model folder again",
                path=self.path / ABOUT,
            )
        for name in sorted({*listed, kinds[0], *TOKENIZERS[kinds[0]]}):
            self.file(f"{TOKENIZER}/{name}")
        return self.path / TOKENIZER / kinds[0]

    def verify(self) -> None:
        """Compare every file with its digest.

        Raises:
            ModelError: As :meth:`file`; names the first file that is wrong.
        """
        for name in self.about["files"]:
            self.file(name)


def is_model(path: Path) -> bool:
    """Whether ``path`` holds a finished model."""
    try:
        return (path / ABOUT).is_file()
    except PermissionError:  # somebody else's, beside the models that are looked for
        return False


def is_trained(path: Path) -> bool:
    """Return whether the training of the model in ``path`` is finished: it was exported and evaluated.

    Raises:
        ModelError: There is a model that cannot be opened.
    """
    return is_model(path) and open_folder(path).is_evaluated


def open_folder(path: Path) -> ModelFolder:
    """Open a model folder.

    Raises:
        ModelError: There is none at ``path``, it is not finished, or it is of another format.
    """
    if not path.is_dir():
        raise ModelError(f"there is no model folder {path}: `toccata models` lists what there is", path=path)
    if not (path / ABOUT).is_file():
        unfinished = (path / TRAINING).is_dir()
        why = "its training is not finished: run the same `toccata train` again" if unfinished else f"it has no {ABOUT}"
        raise ModelError(f"{path} is no model folder: {why}", path=path)
    about = _object(path / ABOUT)
    if about.get("format") != FORMAT:
        raise ModelError(
            f"{path} has format {about.get('format')!r}, this version of toccata reads {FORMAT}: update toccata",
            path=path,
        )
    if wrong := _wrong(about):
        raise ModelError(f"{path / ABOUT} {wrong}: copy the whole model folder again", path=path / ABOUT)
    if not _is_plain(about["name"]):
        raise ModelError(
            f"{path / ABOUT} calls the model {about['name']!r}, which cannot be a file's name: copy the whole model "
            "folder again, from somebody you trust",
            path=path / ABOUT,
        )
    return ModelFolder(path, about)


def open_parent(path: Path, out: Path) -> ModelFolder:
    """Open the model that another one, in ``out``, starts from.

    Raises:
        ModelError: As :func:`open_folder`; or ``out`` is that very folder, by whatever way.
    """
    parent = open_folder(path)
    if path.resolve() == out.resolve() or (out.exists() and out.samefile(path)):
        raise ModelError(f"{out} is the model to start from: choose another folder for the new one", path=out)
    return parent


def name_for(path: Path) -> str:
    """Return the name of a model in the folder ``path``."""
    name = path.name if _is_plain(path.name) else path.resolve().name
    return _UNFIT.sub("-", name) or "model"


def _is_plain(name: str) -> bool:
    return name not in ("", ".", "..") and not _UNFIT.search(name)


def _is_generation(value: Any) -> bool:
    if not isinstance(value, dict) or not isinstance(value.get("model"), str) or not value["model"].isprintable():
        return False
    digest, pieces = value.get("digest"), value.get("pieces")
    return {"digest", "pieces"} <= value.keys() and isinstance(digest, str | None) and type(pieces) in (int, type(None))


def seal(path: Path, about: dict[str, Any]) -> ModelFolder:
    """Finish a model folder: write ``toccata.json`` with the digests of the files that are there.

    ``toccata.json`` is written last, so the files that it lists are whole. A training writes it before the model is
    evaluated, and again with more files and the metrics.
    """
    names = [CONFIG, WEIGHTS, ORIGINALITY, SKETCH, DATA, FINGERPRINTS]
    names += sorted(p.relative_to(path).as_posix() for p in (path / TOKENIZER).rglob("*") if p.is_file())
    files = {name: digest(path / name) for name in names if (path / name).is_file()}
    write_json(path / ABOUT, {"format": FORMAT, **about, "files": files})
    return open_folder(path)


def _wrong(about: dict[str, Any]) -> str | None:
    """Return what is wrong with the content of ``toccata.json``, apart from the model's name; None if nothing is."""
    for key, kind in (("name", str), ("files", dict), ("recipe", dict), ("lineage", dict)):
        if not isinstance(about.get(key), kind):
            return f"lacks {key!r}"
    recipe, metrics, pieces = about["recipe"], about.get("metrics"), about["lineage"].get("pieces")
    if any(not isinstance(recipe.get(name, {}), dict) for name in _SECTIONS) or type(recipe.get("name", "")) is not str:
        return "has a 'recipe' that is none"
    figure = metrics.get("nats_per_note") if isinstance(metrics, dict) else None
    if not isinstance(metrics, dict | None) or type(figure) not in (float, int, type(None)):
        return "has 'metrics' that are none"
    if type(pieces) not in (int, type(None)):
        return "has a 'lineage' that is none"
    styles = about.get("styles") or []
    if not isinstance(styles, list) or len(styles) > _MOST_STYLES or any(type(one) is not str for one in styles):
        return "has 'styles' that are none"
    if len(about["files"]) > _MOST_FILES:
        return "lists too many files"
    for name, known in about["files"].items():
        if len(name) > _LONGEST_NAME or not _LISTED.fullmatch(name):
            return f"lists {name[:60]!r}, which is no file of a model folder"
        if not isinstance(known, str) or not _DIGEST.fullmatch(known):
            return f"lists {name} without its SHA-256"
    return None


def _object(path: Path) -> dict[str, Any]:
    try:
        value = read_json(path)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or " ".join(str(error).split())[:100]
        raise ModelError(f"{path} cannot be read ({reason}): copy the whole model folder again", path=path) from None
    if not isinstance(value, dict):
        raise ModelError(f"{path} is not what it should be: copy the whole model folder again", path=path)
    return value
