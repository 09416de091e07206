"""The small public functions: models, recipes, tokens of a file, pictures and sound, the state of the machine."""

from __future__ import annotations

import importlib.metadata
import itertools
import os
import platform
import sys
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from toccata import __version__, folder
from toccata.arguments import checked
from toccata.errors import ArgumentError, MidiWarning, ModelError, RequestError, ToccataError
from toccata.midi.gm import program_number as program_number

if TYPE_CHECKING:
    from toccata.recipes import Recipe

BUNDLED = Path(__file__).parent / "bundled"
"""The folder of the models that come with toccata."""
DEFAULT_MODEL = "base"
"""The one of them that writes where no other is named."""
NO_MODEL = (
    "no model found in ./models or here, and this toccata was installed without its own: train one with "
    "`toccata train MIDI_DIR -o models/mine` (`toccata dataset bach midi/bach` writes MIDI to begin with), or say "
    "--model DIR"
)
_PICTURES = (".png", ".svg")
_SOUNDS = (".wav", ".ogg", ".flac", ".mp3")


@dataclass(frozen=True)
class Inspection:
    """A file as a tokenizer writes it.

    Attributes:
        tokenizer: The name of the recipe or model.
        scheme: The kind of tokenizer.
        vocab: Its number of ids.
        notes: Notes in the file.
        bars: The tokens of each bar, as words; those before the first bar line are with the first bar.
    """

    tokenizer: str
    scheme: str
    vocab: int
    notes: int
    bars: tuple[tuple[str, ...], ...]

    @property
    def tokens(self) -> int:
        """Number of tokens."""
        return sum(len(bar) for bar in self.bars)


@checked
def inspect(path: str | Path, tokenizer: str = "toccata", *, decode: str | Path | None = None) -> Inspection:
    """Show how a tokenizer writes a MIDI file.

    Args:
        path: The file.
        tokenizer: A recipe (its tokens before any merges are learned), or a model folder.
        decode: Write the music that is decoded from the tokens to this file.

    Raises:
        MidiError: The file cannot be read.
        RecipeError: There is no such recipe or model.
    """
    from toccata.engine.codec import OnnxCodec
    from toccata.files import write_bytes
    from toccata.midi.bars import bar_map
    from toccata.midi.limits import SONG
    from toccata.midi.read import read_score
    from toccata.midi.splice import new_file
    from toccata.recipes import load as load_recipe
    from toccata.tasks.window import bar_starts
    from toccata.tokenizers.load import build_tokenizer, load_tokenizer

    score = read_score(Path(path), SONG)
    known = _model_path(tokenizer)
    if known is not None:
        speaks = load_tokenizer(folder.open_folder(known).tokenizer(), OnnxCodec)
    else:
        speaks = build_tokenizer(load_recipe(tokenizer).tokenizer)
    tokens = speaks.encode(score)
    ids = tokens.ids.tolist()
    words = speaks.words(tokens)
    firsts = [bar.first for bar in bar_starts(speaks.grammar(), ids, bar_map(score).meters[0])]
    edges = [0, *firsts[1:], len(ids)]
    bars = tuple(tuple(words[a:b]) for a, b in itertools.pairwise(edges))
    if decode is not None:
        write_bytes(Path(decode), new_file(speaks.decode(tokens)))
    name = tokenizer if known is None else known.name
    return Inspection(name, str(getattr(speaks, "scheme", "")), speaks.vocab_size, score.note_num(), bars)


@checked
def render(path: str | Path, outs: Sequence[str | Path], *, soundfont: str | Path | None = None) -> None:
    """Write a MIDI file as pictures (.png, .svg) and sound (.wav, .ogg, .flac, .mp3).

    A `MidiWarning` says so where the file has pitch bends and a SoundFont plays it: only the built-in synthesis bends.

    Raises:
        MidiError: The file cannot be read.
        RequestError: A suffix that is neither, or no such SoundFont.
    """
    from toccata.midi.limits import SONG
    from toccata.midi.read import read_score

    targets = [Path(out) for out in outs]
    for target in targets:
        if target.suffix.lower() not in _PICTURES + _SOUNDS:
            raise RequestError(
                f"{target}: a piece is drawn as {' or '.join(_PICTURES)} and played as {', '.join(_SOUNDS)}",
                path=target,
            )
    if soundfont is not None and all(target.suffix.lower() in _PICTURES for target in targets):
        raise ArgumentError("soundfont says what plays the sound, and no sound is asked for: leave it out")
    score = read_score(Path(path), SONG)
    bent = any(bend.value for track in score.tracks for bend in track.pitch_bends)
    if bent and any(target.suffix.lower() in _SOUNDS for target in targets):
        from toccata.render.audio import find_soundfont

        if find_soundfont(None if soundfont is None else Path(soundfont)) is not None:
            warnings.warn(f"{path}: its pitch bends are not heard through a SoundFont", MidiWarning, stacklevel=2)
    for target in targets:
        if target.suffix.lower() in _PICTURES:
            from toccata.render.roll import write_roll

            write_roll(score, target, title=Path(path).stem)
        else:
            from toccata.render.audio import write_audio

            write_audio(score, target, soundfont=None if soundfont is None else Path(soundfont))


# -- models and recipes ----------------------------------------------------------------------------


def find_model(name: str | None = None) -> Path:
    """Return the folder of a model, by its path or its name in ``./models`` or among those that come with toccata.

    By default it is the newest one in ``./models`` or here; where there is none, the one that comes with toccata.

    Raises:
        ModelError: There is none.
    """
    if name:
        return _model_path(name) or Path(name)
    own = _model_folders([Path("models"), Path()])
    if own:
        return max(own, key=lambda path: (path / folder.ABOUT).stat().st_mtime)
    if not folder.is_model(BUNDLED / DEFAULT_MODEL):
        raise ModelError(NO_MODEL, kind="no-model")
    return BUNDLED / DEFAULT_MODEL


def model_rows(where: str | Path | None = None) -> list[dict[str, Any]]:
    """Describe each model in ``where`` and one level below it; by default in ``./models``, here, and in toccata.

    A model that cannot be used is listed with the reason.

    Raises:
        ModelError: There is no folder ``where``.
    """
    if where is not None and not Path(where).is_dir():
        raise ModelError(f"there is no folder {where}: `toccata models` lists those in ./models and here", path=where)
    places = [Path("models"), Path(), BUNDLED] if where is None else [Path(where)]
    return [_model_row(path) for path in _model_folders(places)]


def models(where: str | Path) -> list[folder.ModelFolder]:
    """Return the model folders that are ``where`` or one level below it.

    A model that cannot be opened is left out; :func:`model_rows` gives the reason.
    """
    rows = model_rows(where) if Path(where).is_dir() else []
    return [folder.open_folder(Path(row["path"])) for row in rows if row["error"] is None]


def recipe_of(made: folder.ModelFolder, settings: Sequence[str] = ()) -> Recipe:
    """Return the recipe of a model, with some values changed.

    Raises:
        ModelError: The model's folder has a recipe that cannot be used.
        RecipeError: A setting that there is not, or that cannot have its value.
    """
    from toccata.recipes import restore

    try:
        saved = restore(made.about["recipe"])
    except ToccataError as error:
        path = made.path / folder.ABOUT
        raise ModelError(f"{path} has a recipe that cannot be used: {error.message[:300]}", path=path) from None
    return restore(made.about["recipe"], settings) if settings else saved


def _model_row(path: Path) -> dict[str, Any]:
    from toccata.model.config import DecoderConfig

    try:
        made = folder.open_folder(path)
        config = DecoderConfig.from_json(made.config, path / folder.CONFIG)
        return {
            "name": made.name,
            "path": str(path),
            "recipe": made.about["recipe"].get("name", ""),
            "parameters": config.parameters,
            "context": config.context,
            "nats_per_note": made.metrics.get("nats_per_note"),
            "pieces": made.about["lineage"].get("pieces"),
            "learned": made.learned,
            "styles": made.about.get("styles", []),
            "coverage": made.about.get(folder.COVERAGE),
            "sampling": None if made.sampling is None else made.sampling._asdict(),
            "digest": made.digest,
            "error": None,
        }
    except ToccataError as error:
        return {"name": path.name, "path": str(path), "error": error.message}


def _model_folders(places: Sequence[Path]) -> list[Path]:
    found: dict[Path, Path] = {}
    for place in places:
        inside = [place, *sorted(p for p in place.iterdir() if p.is_dir())] if place.is_dir() else []
        for path in inside:
            if folder.is_model(path):
                found.setdefault(path.resolve(), path)
    return list(found.values())


def _model_path(name: str) -> Path | None:
    own = folder.name_for(Path(name)) == name  # no path
    for path in (Path(name), Path("models") / name, *([BUNDLED / name] if own else [])):
        if folder.is_model(path):
            return path
    return None


def recipe_rows() -> list[dict[str, Any]]:
    """Describe each recipe that comes with toccata."""
    from toccata.recipes import load as load_recipe
    from toccata.recipes import names
    from toccata.tokenizers.load import build_tokenizer

    rows = []
    for name in names():
        recipe = load_recipe(name)
        tokenizer = None if recipe.tokenizer.merges else build_tokenizer(recipe.tokenizer)  # merges are learned
        vocab = recipe.tokenizer.merges if tokenizer is None else tokenizer.vocab_size
        features = None if tokenizer is None else tokenizer.features
        config = recipe.decoder(vocab, features)
        rows.append(
            {
                "name": name,
                "about": recipe.about,
                "seed": recipe.seed or None,
                "parameters": config.parameters,
                "context": config.context,
                "tokens": vocab,
                "scheme": recipe.tokenizer.scheme,
                "learned": bool(recipe.tokenizer.merges),
                "layers": config.layers,
                "width": config.width,
                "size": config.size or None,
                "steps": None if recipe.training.minutes else recipe.training.steps,
            }
        )
    return rows


# -- the machine -----------------------------------------------------------------------------------

_NEEDED = ("symusic", "numpy", "onnxruntime", "click", "rich", "pillow", "soundfile")
_EXTRAS = {
    "train": ("torch", "miditok", "tokenizers", "accelerate", "safetensors", "tensorboard", "matplotlib"),
    "dataset": ("music21",),
}


def doctor() -> dict[str, Any]:
    """Describe what is installed, what this machine has, and what is missing."""
    installed = {name: _version(name) for name in (*_NEEDED, *(n for names in _EXTRAS.values() for n in names))}
    missing = [
        {"for": "everything", "packages": absent, "command": "pip install --force-reinstall toccata"}
        for absent in [[name for name in _NEEDED if installed[name] is None]]
        if absent
    ]
    for extra, names in _EXTRAS.items():
        if absent := [name for name in names if installed[name] is None]:
            what = "training" if extra == "train" else "`toccata dataset`"
            missing.append({"for": what, "packages": absent, "command": f'pip install "toccata[{extra}]"'})
    return {
        "toccata": __version__,
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "memory_gb": _memory(),
        "packages": installed,
        "engine": _providers() if installed["onnxruntime"] else None,
        "training": _devices() if installed["torch"] else None,
        "compute": _compute(installed["torch"]),
        "soundfont": _soundfont(),
        "models": [row["name"] for row in model_rows() if row["error"] is None],
        "missing": missing,
    }


def _compute(torch: str | None) -> dict[str, Any]:
    """Return the compiler for ``torch.compile``, and the results of earlier trials on this machine."""
    from toccata.training.compute import compiler, processor, remembered

    trials = remembered(torch) if torch else {}
    return {"processor": processor(), "compiler": compiler() or None, "trials": trials}


def _version(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def _memory() -> float | None:
    """Return the memory of the machine in GB; None if it is unknown without another library."""
    try:
        return round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1)
    except (AttributeError, ValueError, OSError):
        return None


def _providers() -> list[str]:
    from toccata.engine.runtime import onnxruntime

    return [name.removesuffix("ExecutionProvider") for name in onnxruntime().get_available_providers()]


def _devices() -> dict[str, Any]:
    """Return the devices that torch can train on, from another process so that torch is not loaded here."""
    import json
    import subprocess

    code = (
        "import json, torch; from toccata.training.device import computes_bf16; c = torch.cuda;"
        "n = c.device_count() if c.is_available() else 0; mps = torch.backends.mps.is_available();"
        "print(json.dumps({'cuda': [c.get_device_name(i) for i in range(n)], 'mps': mps,"
        "'bf16': computes_bf16('cuda' if n else 'mps' if mps else 'cpu')}))"
    )
    try:
        done = subprocess.run([sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, timeout=120)
        return dict(json.loads(done.stdout))
    except (OSError, ValueError, subprocess.TimeoutExpired):
        return {"error": "torch is installed but cannot be loaded"}


def soundfont_folders() -> list[Path]:
    """The folders of the system in which SoundFonts are looked for."""
    from toccata.render.audio import soundfont_folders as folders

    return folders()


def find_soundfont(named: str | Path | None = None) -> Path | None:
    """Return the SoundFont that plays music here; None: there is none, and the built-in synthesis plays.

    Raises:
        RequestError: The one that is named, here or by TOCCATA_SOUNDFONT, does not exist.
    """
    from toccata.render.audio import find_soundfont as found

    return found(None if named is None else Path(named))


def _soundfont() -> str | None:
    from toccata.render.audio import find_soundfont

    try:
        found = find_soundfont()
    except ToccataError as error:
        return f"none: {error.message}"
    return None if found is None else str(found)
