"""The models as the page lists them: what each can do."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from toccata import api
from toccata.midi.levels import COUNTS
from toccata.server.decoding import Decoders

_WHOLE_BEATS = ("codes", "grid", "text")
"""Schemes of tokens without notes of their own, which can only be continued."""


def model_list(decoders: Decoders) -> list[dict[str, Any]]:
    """Return the models that can be used, the default one first."""
    return [_shown(row) for row in decoders.models() if row["error"] is None]


def _shown(row: dict[str, Any]) -> dict[str, Any]:
    path = Path(row["path"])
    recipe: dict[str, Any] = next((made.about["recipe"] for made in api.models(path)), {})
    examples = recipe.get("examples") or {}
    coverage = api.Coverage.from_json(row.get("coverage"))
    programs = [] if coverage is None else sorted(coverage.instruments)
    learned = bool(examples.get("controls"))
    styles = list(row.get("styles") or [])
    return {
        "name": row["name"],
        "title": str(row["name"]).replace("-", " ").replace("_", " "),
        "bundled": path.resolve().is_relative_to(Path(api.__file__).resolve().parent),
        "verbs": _verbs(recipe, bool(examples.get("fill")), programs),
        "programs": programs,
        "styles": styles if len(styles) > 1 and learned else [],
        "controls": dict(COUNTS) if learned else {},
        "bytes": sum(file.stat().st_size for file in path.iterdir() if file.is_file()),
    }


def _verbs(recipe: dict[str, Any], fills: bool, programs: list[int]) -> list[str]:
    scheme = str((recipe.get("tokenizer") or {}).get("scheme", ""))
    verbs = ["continue", "generate"]
    if scheme in _WHOLE_BEATS:
        return verbs
    if fills:
        verbs += ["infill", "vary", "harmonise"]
        if len(programs) != 1:
            verbs.append("accompany")
        return verbs
    return [*verbs, "vary"]
