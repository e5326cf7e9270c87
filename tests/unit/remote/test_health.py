"""Whether the remote answers: changes are logged, repeats are not."""

from __future__ import annotations

import logging

import pytest

from s3d.remote.health import Health


def test_changes(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    health = Health()
    assert (health.reachable, health.document()["error"]) == (None, None)
    health.answered()
    health.answered()
    assert not caplog.records
    health.failed("gone")
    health.failed("still gone")
    assert health.document() == {"reachable": False, "since": health.document()["since"], "error": "still gone"}
    health.answered()
    assert health.document()["reachable"] is True
    assert health.document()["error"] is None
    assert [(r.levelname, r.getMessage()) for r in caplog.records] == [
        ("WARNING", "the remote does not answer"),
        ("INFO", "the remote answers again"),
    ]


def test_a_remote_that_was_never_there(caplog: pytest.LogCaptureFixture) -> None:
    health = Health()
    health.failed("gone")
    assert [r.levelname for r in caplog.records] == ["WARNING"]
