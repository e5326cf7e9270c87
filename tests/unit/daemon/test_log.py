"""The forms of the log, and that nothing a stranger sends can forge or break a line."""

from __future__ import annotations

import asyncio
import io
import json
import logging
import warnings
from collections.abc import Iterator
from typing import Any

import pytest

from s3d.daemon import log
from s3d.daemon.config import LogConfig
from s3d.daemon.values import Secret

HOSTILE = 'a\nb\r\x1b[31m"x=y" \u202e\u2028\udcff\x00'


class Stream(io.StringIO):
    def __init__(self, *, terminal: bool = False) -> None:
        super().__init__()
        self.terminal = terminal

    def isatty(self) -> bool:
        return self.terminal


@pytest.fixture(autouse=True)
def _logging_as_before() -> Iterator[None]:
    """What `log.setup` changes is the process's: put it back."""
    root, ours = logging.getLogger(), logging.getLogger("s3d")
    before = root.handlers[:], root.level, ours.level
    names = ("logThreads", "logProcesses", "logMultiprocessing", "_srcfile")
    switches = {name: getattr(logging, name) for name in names}
    yield
    root.handlers[:], level, our_level = before
    root.setLevel(level)
    ours.setLevel(our_level)
    logging.captureWarnings(False)
    for name, value in switches.items():
        setattr(logging, name, value)


def set_up(form: str, level: str = "info", *, terminal: bool = False) -> Stream:
    stream = Stream(terminal=terminal)
    log.setup(LogConfig(level, form), stream)
    return stream


def record(stream: Stream) -> dict[str, Any]:
    lines = stream.getvalue().splitlines()
    assert len(lines) == 1
    found: dict[str, Any] = json.loads(lines[0])
    return found


def test_json_line() -> None:
    stream = set_up("json")
    extra = {"status": 200, "seconds": 0.5, "key": "a b", "error": None}
    logging.getLogger("s3d.access").info("%s done", "GetObject", extra=extra)
    found = record(stream)
    assert found.pop("time").endswith("Z")
    assert found == {
        "level": "info",
        "logger": "s3d.access",
        "message": "GetObject done",
        "status": 200,
        "seconds": 0.5,
        "key": "a b",
    }


@pytest.mark.parametrize("form", ["json", "text"])
def test_time_is_utc_with_milliseconds(form: str) -> None:
    formatter = log.JsonFormatter() if form == "json" else log.TextFormatter()
    made = logging.makeLogRecord({"msg": "x", "levelname": "INFO", "name": "s3d"})
    for created, text in [
        (0.0, "1970-01-01T00:00:00.000Z"),
        (1700000000.0425, "2023-11-14T22:13:20.042Z"),
        (1700000000.9999, "2023-11-14T22:13:20.999Z"),
        (1700000001.5, "2023-11-14T22:13:21.500Z"),
    ]:
        made.created = created
        assert text in formatter.format(made)


def test_json_keeps_hostile_text_whole_in_one_line_of_ascii() -> None:
    stream = set_up("json")
    logging.getLogger("s3d").info(HOSTILE, extra={"key": HOSTILE})
    assert stream.getvalue().isascii()
    found = record(stream)
    assert found["message"] == found["key"] == HOSTILE


def test_text_line() -> None:
    stream = set_up("text")
    extra = {"key": "a b", "seconds": 0.00123456789, "status": 200, "name_": "é", "empty": "", "none": None, "q": "a=b"}
    logging.getLogger("s3d.x").warning("it happened", extra=extra)
    line = stream.getvalue().split(" ", 1)[1]
    assert line == ('WARNING s3d.x it happened key="a b" seconds=0.00123457 status=200 name_=é empty="" q="a=b"\n')


def test_text_escapes_hostile_text() -> None:
    stream = set_up("text")
    logging.getLogger("s3d").info(HOSTILE, extra={"key": HOSTILE})
    text = stream.getvalue()
    assert len(text.splitlines()) == 1
    assert text.removesuffix("\n").isprintable()
    assert 'key="a\\nb\\r\\u001b[31m\\"x=y\\"' in text


def test_a_traceback_stays_with_its_record() -> None:
    for form in ("json", "text"):
        stream = set_up(form)
        try:
            raise ValueError("first\n2023-01-01T00:00:00.000Z INFO forged\x1b[2J")
        except ValueError:
            logging.getLogger("s3d").exception("failed")
        text = stream.getvalue()
        assert "ValueError" in text
        assert "\x1b" not in text
        lines = text.splitlines()
        assert all(line.startswith("    ") for line in lines[1:])
        if form == "json":
            assert "forged" in json.loads(lines[0])["exception"]


def test_auto_is_text_on_a_terminal_only() -> None:
    terminal, pipe = set_up("auto", terminal=True), Stream()
    logging.getLogger("s3d").info("x")
    assert " INFO " in terminal.getvalue()
    log.setup(LogConfig("info", "auto"), pipe)
    logging.getLogger("s3d").info("x")
    assert record(pipe)["message"] == "x"


def test_level() -> None:
    for level, expected in [("debug", "dwe"), ("info", "we"), ("warning", "we"), ("error", "e")]:
        stream = set_up("json", level)
        logger = logging.getLogger("s3d.a")
        logger.debug("d")
        logger.warning("w")
        logger.error("e")
        assert "".join(json.loads(line)["message"] for line in stream.getvalue().splitlines()) == expected


def test_libraries_log_warnings_only_whatever_the_level() -> None:
    stream = set_up("json", "debug")
    logging.getLogger("botocore.auth").debug("signature")
    logging.getLogger("aiohttp").warning("w")
    assert record(stream)["logger"] == "aiohttp"


def test_a_second_setup_replaces_the_first() -> None:
    first, second = set_up("json"), set_up("json")
    logging.getLogger("s3d").info("x")
    assert first.getvalue() == ""
    assert record(second)["message"] == "x"


def test_warnings_are_logged() -> None:
    stream = set_up("json")
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        logging.captureWarnings(False)
        logging.captureWarnings(True)
        warnings.warn("careful", UserWarning, stacklevel=1)
    assert "careful" in record(stream)["message"]


def test_a_secret_in_a_field_is_hidden() -> None:
    for form in ("json", "text"):
        stream = set_up(form)
        logging.getLogger("s3d").info("token %s", Secret("hunter2"), extra={"token": Secret("hunter2")})
        assert "***" in stream.getvalue()
        assert "hunter2" not in stream.getvalue()


async def test_an_exception_that_nobody_awaited_is_logged() -> None:
    stream = set_up("json")
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(log.log_asyncio)

    def fail() -> None:
        raise ValueError("nobody saw this")

    loop.call_soon(fail)
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    found = record(stream)
    assert (found["level"], found["logger"]) == ("error", "s3d.asyncio")
    assert "nobody saw this" in found["exception"]


async def test_the_task_is_named_and_other_objects_are_not_logged() -> None:
    stream = set_up("json")
    task = asyncio.current_task()
    assert task is not None
    task.set_name("push")
    context = {"message": "went wrong", "task": task, "transport": "password"}
    log.log_asyncio(asyncio.get_running_loop(), context)
    found = record(stream)
    assert (found["message"], found["task"]) == ("went wrong", "push")
    assert "password" not in stream.getvalue()
    assert "exception" not in found


async def test_access_records_are_written_together_and_stay_in_order() -> None:
    stream = set_up("json")
    access = logging.getLogger("s3d.access")
    access.info("first")
    access.info("second")
    assert stream.getvalue() == ""
    logging.getLogger("s3d.other").info("third")
    access.warning("fourth")
    assert [json.loads(line)["message"] for line in stream.getvalue().splitlines()] == [
        "first",
        "second",
        "third",
        "fourth",
    ]


async def test_waiting_access_records_are_written_soon() -> None:
    stream = set_up("json")
    logging.getLogger("s3d.access").info("first")
    async with asyncio.timeout(10):
        while not stream.getvalue():
            await asyncio.sleep(0.01)


async def test_many_access_records_do_not_wait() -> None:
    stream = set_up("json")
    for _ in range(200):
        logging.getLogger("s3d.access").info("request")
    assert len(stream.getvalue().splitlines()) == 200


async def test_who_logs_goes_on_when_the_log_cannot_be_written(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The disk of the log is often that of the store: what says that it is full must not break what it speaks of."""

    class Full(Stream):
        def write(self, text: str) -> int:
            raise OSError(28, "No space left on device")

    log.setup(LogConfig(format="json"), Full())
    access = logging.getLogger("s3d.access")
    access.info("waits")
    logging.getLogger("s3d.local").error("no room on the disk")
    for _ in range(log._TOGETHER + 1):
        access.info("waits")
    (handler,) = logging.getLogger().handlers
    assert isinstance(handler, log._Handler)
    handler._waiting.clear()  # else the end of the test would write them
    assert "No space left on device" in capsys.readouterr().err
