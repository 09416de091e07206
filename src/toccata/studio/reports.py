"""Reports of finished ideas: what of them is known from the training music, and which of them is the best."""

from __future__ import annotations

import json
import math
import re
from collections import OrderedDict
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from typing import Any

from toccata import api
from toccata.errors import ToccataError
from toccata.musicmodel import Model
from toccata.piece import Piece
from toccata.server.decoding import Decoders
from toccata.studio.hub import Hub
from toccata.studio.library import Library
from toccata.studio.rows import Take

_MOST_BATCHES, _MOST_RANKERS = 64, 4


class Reporter:
    """Makes reports, one after the other, in a thread of its own."""

    def __init__(self, library: Library, decoders: Decoders, hub: Hub) -> None:
        self._library, self._decoders, self._hub = library, decoders, hub
        self._worker = ThreadPoolExecutor(1, thread_name_prefix="reports")
        self._rankers: OrderedDict[str, tuple[Model, api.Ranker | None]] = OrderedDict()
        self._batches: dict[str, dict[str, tuple[float, list[str], Any]]] = {}
        self._last: Future[None] | None = None

    def add(self, take: Take, music: Piece) -> None:
        """Report on a finished idea, and once more on those that were requested with it."""
        with suppress(RuntimeError):  # the studio is being closed
            self._last = self._worker.submit(self._report, take, music)

    def wait(self) -> None:
        """Wait for the reports that were begun."""
        if self._last is not None:
            self._last.result()

    def close(self) -> None:
        """End the thread; what was not begun is left out."""
        self._worker.shutdown(wait=True, cancel_futures=True)

    def _report(self, take: Take, music: Piece) -> None:
        try:
            model = self._decoders.decoder(take.model).model
            ranker = self._ranker(model)
            found = None
            if ranker is not None and ranker.judge is not None:
                found = _originality(ranker.judge, music)
            ranked = None if ranker is None else ranker.weigh(music)
        except ToccataError:
            return  # the model went away; the idea is there all the same
        batch = self._batches.setdefault(take.batch or take.id, {})
        while len(self._batches) > _MOST_BATCHES:
            del self._batches[next(iter(self._batches))]
        total = math.inf if ranked is None else ranked.total
        batch[take.id] = (total, [] if ranked is None else re.split("[;,] ", ranked.words), found)
        order = sorted(batch, key=lambda name: batch[name][0])
        for name, (_, reasons, original) in batch.items():
            ranking = {"place": order.index(name) + 1, "of": len(order), "reasons": reasons}
            report = {"take": name, "originality": original, "ranking": None if ranked is None else ranking}
            with suppress(ToccataError):
                self._library.set_report(name, json.dumps(report))
            self._hub.publish({"type": "report", "take": name, "report": report})

    def _ranker(self, model: Model) -> api.Ranker | None:
        """Return what ranks pieces of a model; None: the model does not know what is usual."""
        key = str(model.folder.path)
        if key not in self._rankers or self._rankers[key][0] is not model:
            try:
                self._rankers[key] = model, api.Ranker.of(model)
            except ToccataError:
                self._rankers[key] = model, None
        self._rankers.move_to_end(key)
        while len(self._rankers) > _MOST_RANKERS:
            self._rankers.popitem(last=False)
        return self._rankers[key][1]


def report_of(library: Library, take: str) -> dict[str, Any]:
    """Return the report of a take; one without any says so."""
    row = library.store.do(lambda db: db.execute("SELECT report FROM take WHERE id = ?", (take,)).fetchone())
    if row is None or row["report"] is None:
        return {"take": take, "originality": None, "ranking": None}
    report: dict[str, Any] = json.loads(row["report"])
    return report


def _originality(judge: api.Judge, music: Piece) -> dict[str, Any]:
    found = judge.of(music)
    if not found.notes:
        sample = "; only a sample of its passages is compared" if found.at_least else ""
        return {
            "verdict": f"no passage is known from the training music{sample}", "longest": 0, "source": None,
            "from": None, "to": None,
        }  # fmt: skip
    least, normal = "at least " if found.at_least else "", judge.usual(music)
    usual = ""
    if normal is not None:
        more = "more than" if found.notes > normal.notes_90 else "no more than"
        usual = f", {more} is usual in music by people"
    bar = "" if not found.bar else f", bar {found.bar}"
    return {
        "verdict": f"{least}{found.notes} notes in a row are known from the training music{usual}",
        "longest": found.notes,
        "source": f"{found.path}{bar}",
        "from": found.start,
        "to": found.end,
    }
