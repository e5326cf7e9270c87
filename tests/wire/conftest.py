"""What every wire test has: the event loop of production, no proxy, and a log in which nothing unexpected stands."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import uvloop


def pytest_asyncio_loop_factories(config: pytest.Config, item: pytest.Item) -> dict[str, Callable[[], Any]]:
    """The daemon runs on uvloop, whose transports are not those of asyncio."""
    factory: Callable[[], asyncio.AbstractEventLoop] = uvloop.new_event_loop
    return {"uvloop": factory}


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment may name a proxy, which is not meant for loopback."""
    monkeypatch.setenv("NO_PROXY", "*")


@pytest.fixture
def expected_log() -> list[str]:
    """Begins of log messages that this test causes on purpose; it appends them."""
    return []


@pytest.fixture(autouse=True)
def clean_log(caplog: pytest.LogCaptureFixture, expected_log: list[str]) -> Iterator[None]:
    """Fails the test when a warning or an error was logged that it does not expect."""
    caplog.set_level(logging.INFO)
    yield
    unexpected = [
        f"{record.levelname} {record.name}: {record.getMessage()} {record.exc_text or ''}"
        for record in caplog.get_records("call")
        if record.levelno >= logging.WARNING and not record.getMessage().startswith(tuple(expected_log))
    ]
    assert not unexpected
