"""Requests that no page sends: each is answered in one line, and nothing of the library changes."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from studio_support import Page, two_hands

JUNK = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=8,
)
FIELDS = [
    *("seq", "take", "operations", "locks", "verb", "model", "bars", "tracks", "n", "seed", "arguments", "title"),
    *("star", "tempo", "meter", "a", "b", "better", "kind", "music", "name", "minutes", "base", "type", "track"),
    *("program", "drum", "remove", "add", "tick", "quartersPerMinute"),
]
BODY = st.dictionaries(st.sampled_from(FIELDS), JUNK, max_size=6)
ROUTES = [
    ("POST", "pieces"), ("PATCH", "pieces/{piece}"), ("POST", "pieces/{piece}/edits"), ("POST", "pieces/{piece}/undo"),
    ("POST", "pieces/{piece}/goto"), ("POST", "pieces/{piece}/accept"), ("PUT", "pieces/{piece}/locks"),
    ("POST", "pieces/{piece}/ideas"), ("POST", "takes/{take}/again"), ("PATCH", "takes/{take}"),
    ("POST", "takes/{take}/link"), ("POST", "ratings"), ("POST", "trainings"), ("POST", "takes/{take}/stop"),
]  # fmt: skip


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from(ROUTES), BODY)
def test_junk_is_answered_in_one_line(page: Page, route: tuple[str, str], body: dict[str, Any]) -> None:
    pieces = page.studio.library.pieces()
    piece = page.get(f"pieces/{pieces[-1].id}") if pieces else page.open(two_hands())
    path = route[1].format(piece=piece["id"], take=piece["take"])
    answer = page.client.request(route[0], f"/studio/{path}", json=body)
    assert answer.status_code < 500, answer.text
    if answer.status_code >= 400:
        assert "\n" not in answer.json()["error"]["message"]
        assert len(answer.json()["error"]["message"]) < 600


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.dictionaries(st.sampled_from(FIELDS), JUNK, min_size=1, max_size=8), st.sampled_from(["notes", "program"]))
def test_an_edit_of_junk_changes_nothing(page: Page, operation: dict[str, Any], kind: str) -> None:
    pieces = page.studio.library.pieces()
    piece = page.get(f"pieces/{pieces[-1].id}") if pieces else page.open(two_hands())
    body = {"seq": piece["seq"], "operations": [{**operation, "type": kind}]}
    answer = page.client.post(f"/studio/pieces/{piece['id']}/edits", json=body)
    assert answer.status_code < 500, answer.text
    if answer.status_code >= 400:
        assert page.get(f"pieces/{piece['id']}") == piece


@pytest.mark.parametrize(
    "path", ["stream?after=x", "stream?after=-1", "music/..", "music/%00/check", "trainings/%2e%2e"]
)
def test_paths_that_lead_nowhere(page: Page, path: str) -> None:
    assert page.client.get(f"/studio/{path}").status_code in (400, 404, 405, 422)


def test_the_verbs_over_http_are_here_too(page: Page) -> None:
    assert page.client.get("/v1/models").status_code == 200
    assert page.client.get("/v1/models", headers={"authorization": ""}).status_code == 401
    assert page.client.get("/health", headers={"authorization": ""}).status_code == 200
    assert page.client.get("/page/nobody.js", headers={"authorization": ""}).status_code == 404
    assert page.client.get("/page/../studio.py", headers={"authorization": ""}).status_code in (401, 404)
    assert page.client.get("/page/%2e%2e/routes.py", headers={"authorization": ""}).status_code == 404
