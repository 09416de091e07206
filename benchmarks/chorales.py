"""Nats a cell of the JSB chorales, step by step, in the two ways in which papers report them.

python benchmarks/chorales.py train Jsb16thSeparated.json models/jsb [--chords] [--minutes 25] [section.key=value ...]
python benchmarks/chorales.py measure Jsb16thSeparated.json models/jsb [--split test] [--orders [--divide 0.9]] [--json]

``train`` writes the chorales as MIDI files below ``train``, ``valid`` and ``test``, the split of the file, and trains
recipe jsb on them. ``measure`` reads a whole piece at a time, in one pass of one model: docs/chorales.md says what
counts. With ``--orders`` a step's probability is the mean over all orders in which its voices can be written, each
read by the same model in a pass of its own: a likelihood, too. Such a mean is less sure than each of its parts, so all
logits may be divided by another number than that of the model's calibration, chosen on ``valid``. With ``--keys`` it is
another figure: the mean of the probabilities of each cell in so many keys up and down.
The file is that of https://github.com/czhuang/JSB-Chorales-dataset.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from itertools import permutations
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import toccata
from toccata.engine.sampling import log_probabilities
from toccata.musicmodel import Model
from toccata.tokenizers.grid import GridTokenizer, score_of_grid

SPLITS = ("train", "valid", "test")
STEPS = 4
"""Steps a quarter note: sixteenths."""
RESAMPLES = 10_000
Nats = tuple[NDArray[np.float64], float]
"""The nats of a piece's cells or steps, and those of its other ids together."""


def chorales(path: Path, split: str) -> list[NDArray[np.int64]]:
    """The chorales of a split, each as pitches ``int64[steps, 4]``, soprano first; -1 is a rest."""
    return [np.array(piece, np.int64) for piece in json.loads(path.read_text())[split]]


def convert(path: Path, out: Path) -> None:
    """Write every chorale as a MIDI file of four tracks, below the folder of its split."""
    for split in SPLITS:
        (out / split).mkdir(parents=True, exist_ok=True)
        for number, grid in enumerate(chorales(path, split)):
            score_of_grid(grid, STEPS).resample(480, 1).dump_midi(out / split / f"{number:03}.mid")


@dataclass(frozen=True)
class Figures:
    """Negative log-likelihood of the cells of some pieces, in nats a cell.

    Attributes:
        pieces: How many.
        cells: How many cells they have.
        cell_mean: Over all cells of all pieces.
        cell_ci95: The middle 95 % of that when pieces are drawn anew with replacement.
        piece_mean: The mean over pieces of the mean over a piece's cells.
        piece_ci95: The same interval of it.
        voices: The mean over the cells of each voice; empty where orders are averaged, which says a step's alone.
        others_a_piece: Nats a piece of the ids that are no cells: the end, and chord symbols.
    """

    pieces: int
    cells: int
    cell_mean: float
    cell_ci95: tuple[float, float]
    piece_mean: float
    piece_ci95: tuple[float, float]
    voices: tuple[float, ...]
    others_a_piece: float


def cell_nats(model: Model, grid: NDArray[np.int64], divide: float = 1.0) -> Nats:
    """The nats of each cell ``float64[steps, 4]``, soprano first, with all logits divided by a number."""
    tokenizer = model.tokenizer
    assert isinstance(tokenizer, GridTokenizer)
    ids = np.array([tokenizer.bos, *tokenizer.ids_of_grid(grid), tokenizer.eos], np.int32)
    nats = -np.asarray(log_probabilities(model.logits(ids[:-1]) / np.float32(divide), ids[1:].tolist()), np.float64)
    counted = tokenizer.layout.is_cell(ids[1:].astype(np.int64))
    cells = np.empty(grid.shape)
    cells[:, list(tokenizer.options.order)] = nats[counted].reshape(grid.shape)
    return cells, float(nats[~counted].sum())


def in_keys(model: Model, keys: int, grid: NDArray[np.int64]) -> Nats:
    """The nats of each cell, of the mean of its probabilities in ``keys`` keys up and down."""
    shifts = range(-keys, keys + 1)
    found = [cell_nats(model, np.where(grid < 0, grid, grid + shift)) for shift in shifts]
    likely = np.mean([np.exp(-cells) for cells, _ in found], axis=0)
    return -np.log(likely), float(np.mean([others for _, others in found]))


def in_all_orders(path: Path) -> list[Model]:
    """A model once for each order in which it can write the voices of a step, its own first."""
    own = toccata.load(path, precision="fp32")
    assert isinstance(own.tokenizer, GridTokenizer)
    orders = sorted(permutations(own.tokenizer.options.order), key=lambda order: order != own.tokenizer.options.order)
    models = [own, *(toccata.load(path, precision="fp32") for _ in orders[1:])]
    for model, order in zip(models, orders, strict=True):
        model.tokenizer = own.tokenizer.in_order(order)
    return models


def over_orders(models: Sequence[Model], divide: float, grid: NDArray[np.int64]) -> Nats:
    """The nats of each step ``float64[steps, 1]``, of the mean of its probabilities over the models."""
    found = [cell_nats(model, grid, divide) for model in models]
    steps = np.array([cells.sum(1, keepdims=True) for cells, _ in found])
    mean = np.log(len(models)) - np.logaddexp.reduce(-steps, axis=0)
    return mean, float(np.mean([others for _, others in found]))


def measure(grids: Sequence[NDArray[np.int64]], nats: Callable[[NDArray[np.int64]], Nats]) -> Figures:
    """Measure whole pieces."""
    each = [nats(grid) for grid in grids]
    sums, sizes = np.array([found.sum() for found, _ in each]), np.array([grid.size for grid in grids], np.float64)
    drawn = np.random.default_rng(0).integers(0, len(each), (RESAMPLES, len(each)))
    of_cells, of_pieces = sums[drawn].sum(1) / sizes[drawn].sum(1), (sums / sizes)[drawn].mean(1)
    low, high = np.quantile(of_cells, [0.025, 0.975]), np.quantile(of_pieces, [0.025, 0.975])
    voices = np.concatenate([found for found, _ in each]).mean(0)
    return Figures(
        pieces=len(each),
        cells=int(sizes.sum()),
        cell_mean=float(sums.sum() / sizes.sum()),
        cell_ci95=(float(low[0]), float(low[1])),
        piece_mean=float((sums / sizes).mean()),
        piece_ci95=(float(high[0]), float(high[1])),
        voices=tuple(float(v) for v in voices) if len(voices) > 1 else (),
        others_a_piece=float(np.mean([others for _, others in each])),
    )


def shown(figures: Figures, what: str) -> str:
    """The figures as text."""
    voices = "".join(f"  {name} {v:.3f}" for name, v in zip("SATB", figures.voices, strict=False))
    return (
        f"{what}: {figures.cell_mean:.4f} nats a cell ({figures.cell_ci95[0]:.3f} to {figures.cell_ci95[1]:.3f}), mean "
        f"over pieces {figures.piece_mean:.4f} ({figures.piece_ci95[0]:.3f} to {figures.piece_ci95[1]:.3f})\n"
        f"  {figures.pieces} pieces, {figures.cells:,} cells;{voices} all other ids {figures.others_a_piece:.1f} "
        "nats a piece"
    )


def main() -> None:
    """Train, or measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("train", "measure"))
    parser.add_argument("data", type=Path, help="Jsb16thSeparated.json")
    parser.add_argument("model", type=Path)
    parser.add_argument("settings", nargs="*", metavar="section.key=value")
    parser.add_argument("--minutes", type=float)
    parser.add_argument("--chords", action="store_true", help="train with a chord symbol before each step")
    parser.add_argument("--split", choices=SPLITS, default="valid")
    parser.add_argument("--orders", action="store_true", help="average over all orders of the voices of a step")
    parser.add_argument("--divide", type=float, default=1.0, help="with --orders, divide all logits by this")
    parser.add_argument("--keys", type=int, default=0, help="average over so many keys up and down: another figure")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_intermixed_args()
    if options.what == "train":
        settings = ["prepare.folders=true", *options.settings]
        settings += ["tokenizer.chords=true"] if options.chords else []
        with tempfile.TemporaryDirectory() as folder:
            convert(options.data, Path(folder))
            toccata.train(folder, options.model, recipe="jsb", settings=settings, minutes=options.minutes)
    grids = chorales(options.data, options.split)
    if options.orders:
        models = in_all_orders(options.model)
        model, figures = models[0], measure(grids, partial(over_orders, models, options.divide))
    else:
        model = toccata.load(options.model, precision="fp32")
        figures = measure(grids, partial(in_keys, model, options.keys))
    given = isinstance(model.tokenizer, GridTokenizer) and model.tokenizer.options.chords
    what = f"{'chord-given' if given else 'joint'}, {options.split} split"
    what += f", mean of {len(models)} orders, logits divided by {options.divide:g}" if options.orders else ""
    what += f", mean of {2 * options.keys + 1} keys" if options.keys else ""
    rows: list[dict[str, Any]] = [{"what": what, **asdict(figures)}]
    if options.json:
        json.dump({"rows": rows}, sys.stdout)
        print()
    else:
        print(shown(figures, what))


if __name__ == "__main__":
    main()
