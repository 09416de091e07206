"""Figures of a server in the text format of Prometheus."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Sequence

from toccata.server.guard import App, Message, Receive, Scope, Send

ROUTE = "toccata.route"
"""The key in a request's scope with the name of its route, for the figures."""
FIRST_NOTE = (0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1.0, 2.0, 5.0, 10.0)
SECONDS = (0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0)
KIND = "text/plain; version=0.0.4; charset=utf-8"


class Histogram:
    """How many values are at most so large, and their sum."""

    def __init__(self, bounds: Sequence[float]) -> None:
        self.bounds, self.counts, self.sum = bounds, [0] * (len(bounds) + 1), 0.0

    def add(self, value: float) -> None:
        """Count a value."""
        self.counts[bisect_left(self.bounds, value)] += 1
        self.sum += value

    def lines(self, name: str) -> Iterable[str]:
        """Yield its lines."""
        total = 0
        for bound, count in zip((*map(str, self.bounds), "+Inf"), self.counts, strict=True):
            total += count
            yield f'{name}_bucket{{le="{bound}"}} {total}'
        yield f"{name}_sum {self.sum:.6f}"
        yield f"{name}_count {total}"


class Metrics:
    """Counts of one server; used in the event loop alone."""

    def __init__(self) -> None:
        self.requests: Counter[tuple[str, int]] = Counter()
        self.verbs: Counter[tuple[str, str]] = Counter()  # by verb and state
        self.tokens = self.notes = 0
        self.first_note, self.seconds = Histogram(FIRST_NOTE), Histogram(SECONDS)

    def counting(self, app: App) -> App:
        """Return an app that counts the requests to ``app`` by their route and status."""

        async def counted(scope: Scope, receive: Receive, send: Send) -> None:
            async def watch(message: Message) -> None:
                if message["type"] == "http.response.start":
                    self.requests[scope.get(ROUTE, "none"), message["status"]] += 1
                await send(message)

            await app(scope, receive, watch if scope["type"] == "http" else send)

        return counted

    def text(self, active: int, models: int) -> str:
        """Return all figures.

        Args:
            active: Verbs that wait or run.
            models: Models that are open.
        """
        lines = ["# HELP toccata_requests_total Requests by route and status.", "# TYPE toccata_requests_total counter"]
        for (route, status), count in sorted(self.requests.items()):
            lines.append(f'toccata_requests_total{{route="{route}",status="{status}"}} {count}')
        lines += ["# HELP toccata_verbs_total Verbs that ended, by their end.", "# TYPE toccata_verbs_total counter"]
        for (verb, state), count in sorted(self.verbs.items()):
            lines.append(f'toccata_verbs_total{{verb="{verb}",state="{state}"}} {count}')
        for name, kind, about, value in (
            ("toccata_tokens_total", "counter", "Tokens decoded.", self.tokens),
            ("toccata_notes_total", "counter", "Notes decoded.", self.notes),
            ("toccata_verbs_active", "gauge", "Verbs that wait or run.", active),
            ("toccata_models_open", "gauge", "Models that are open.", models),
        ):
            lines += [f"# HELP {name} {about}", f"# TYPE {name} {kind}", f"{name} {value}"]
        for name, about, histogram in (
            ("toccata_first_note_seconds", "Seconds from a request to its first note.", self.first_note),
            ("toccata_verb_seconds", "Seconds from a request to its end.", self.seconds),
        ):
            lines += [f"# HELP {name} {about}", f"# TYPE {name} histogram", *histogram.lines(name)]
        return "\n".join(lines) + "\n"
