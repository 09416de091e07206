"""Estimates of how long a recipe trains on this machine, from a measurement of ten seconds that is cached."""

from __future__ import annotations

import importlib.metadata
import math
import os
from collections.abc import Callable
from contextlib import suppress
from datetime import date
from pathlib import Path
from typing import Any

from toccata.errors import MissingExtra, ToccataError
from toccata.files import read_json, user_cache, write_json
from toccata.look import recipe_rows
from toccata.model.config import DecoderConfig
from toccata.recipes import Recipe
from toccata.recipes import load as load_recipe
from toccata.training.compute import machine as machine_of
from toccata.training.threads import threads_that_wait_briefly

SECONDS = 8.0
"""The length of the measurement; about ten with loading torch."""
_FILE = "speed.json"


def recipe_table(
    *, times: bool = True, again: bool = False, say: Callable[[str], None] | None = None
) -> dict[str, Any]:
    """Describe each recipe, with how long it would train on this machine.

    Args:
        times: Estimate the times, which takes ten seconds the first time.
        again: Measure even if there is a cached measurement.
        say: Called with a message before a measurement.

    Returns:
        ``recipes``, see `toccata.look.recipe_rows`, each with its estimated ``seconds`` or None; ``measured``, see
        :func:`speed`, or None; ``why``, the reason if there are no times.
    """
    rows, found, why = recipe_rows(), None, None if times else "not asked for"
    if times:
        try:
            found = speed(again, say)
        except ToccataError as error:
            why = error.message
    for row in rows:
        recipe = load_recipe(row["name"])
        row["seconds"] = None if found is None else round(seconds(recipe, recipe.decoder(row["tokens"]), found))
    return {"recipes": rows, "measured": found, "why": why}


def speed(again: bool = False, say: Callable[[str], None] | None = None) -> dict[str, Any]:
    """Return how fast this machine trains, from the cached measurement or a new one.

    A measurement is valid for one version of toccata and of torch on one machine.

    Args:
        again: Measure even if there is a cached measurement.
        say: Called with a message before a measurement.

    Returns:
        See `toccata.training.speed.measure`; ``date`` of the measurement; ``busy``, whether the machine was busy with
        other programs then.

    Raises:
        MissingExtra: torch is not installed.
        ToccataError: torch cannot be loaded, or not be used.
    """
    try:
        torch = importlib.metadata.version("torch")
    except importlib.metadata.PackageNotFoundError:
        raise MissingExtra('training needs torch: pip install "toccata[train]"') from None
    machine = machine_of(torch)
    cached = user_cache() / _FILE
    if not again and (known := _known(cached, machine)) is not None:
        return known
    if say is not None:
        say("Measuring for ten seconds how fast this machine trains, once (--no-time: not at all)")
    busy = _busy()
    try:
        with threads_that_wait_briefly():  # as a training's
            from toccata.training.speed import measure

        found = {**measure(SECONDS), "date": date.today().isoformat(), "busy": busy}
    except (ImportError, OSError, RuntimeError) as error:
        why = " ".join(str(error).split())[:200]
        raise ToccataError(f"how fast this machine trains cannot be measured: {why}", kind="no-speed") from None
    with suppress(OSError):  # without a cache the only cost is another measurement
        write_json(cached, {"machine": machine, "speed": found})
    return found


def seconds(recipe: Recipe, config: DecoderConfig, found: dict[str, Any]) -> float:
    """Estimate how long ``recipe`` trains with a decoder of this shape, at a speed that :func:`speed` returned."""
    options = recipe.training
    if options.minutes is not None:
        return options.minutes * 60
    rate = _rate(config.width, found["rates"])
    tokens = options.micro_batch_size * options.gradient_accumulation_steps * config.context
    step = tokens * config.work(config.context) / rate + config.parameters * found["update"]
    if options.optimizer == "muon":
        step += _muon(config) / rate
    measured = options.evaluations * options.valid_rows * config.context * config.work(config.context) / 3 / rate
    return float(options.steps * step + measured)


def _rate(width: int, rates: list[dict[str, Any]]) -> float:
    """Interpolate the operations a second at a width by its logarithm; constant beyond the measured widths."""
    narrow, wide = sorted(rates, key=lambda known: known["width"])
    part = math.log(width / narrow["width"]) / math.log(wide["width"] / narrow["width"])
    part = min(1.0, max(0.0, part))
    return float(narrow["rate"] * (wide["rate"] / narrow["rate"]) ** part)


def _muon(config: DecoderConfig) -> float:
    """Return the operations of one step of Muon: five rounds of three products for each hidden matrix."""
    keys = (config.heads + 2 * config.kv_heads) * config.head_width
    ups = 2 if config.mlp == "swiglu" else 1
    shapes = (
        (keys, config.width),
        (config.width, config.width),
        (ups * config.ffn, config.width),
        (config.ffn, config.width),
    )
    each = ((min(shape), max(shape)) for shape in shapes)
    return config.layers * sum(5 * (4 * small * small * large + 2 * small**3) for small, large in each)


def _busy() -> bool:
    """Return whether other programs used half of the machine or more in the last minute; False if unknown."""
    try:
        return os.getloadavg()[0] > 0.5 * (os.cpu_count() or 1)
    except (AttributeError, OSError):  # Windows
        return False


def _known(path: Path, machine: dict[str, Any]) -> dict[str, Any] | None:
    """Return the cached measurement, if it is valid and of this machine."""
    try:
        cached = read_json(path)
        found = cached["speed"]
        whole = all(known["width"] > 0 and known["rate"] > 0 for known in found["rates"]) and len(found["rates"]) == 2
        known = whole and found["update"] >= 0 and isinstance(found["date"], str) and isinstance(found["busy"], bool)
        return dict(found) if known and cached["machine"] == machine else None
    except (OSError, ValueError, KeyError, TypeError):
        return None
