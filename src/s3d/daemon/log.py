"""The log: standard library logging to stderr, as text for people or as one JSON object a line for machines.

A record's fields (``extra=...`` of the logging call) stand beside its message, never inside it. Keys, user agents and
error texts come from strangers: nothing in them can begin a new line, steer a terminal or break the JSON.

Budget: an access record costs at most 10 us, since there is one per request. So those are written together, a tenth of a
second's or 200 at a time; anything else is written at once, behind what waits here. What waits is lost with `kill -9`.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import sys
import time
from collections.abc import Mapping
from typing import Any, TextIO

from s3d.daemon.config import LogConfig

_OWN = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime", "taskName", "fields"}
"""Attributes that every record has; all others are its fields."""

_ACCESS = "s3d.access"
_TOGETHER, _TOGETHER_SECONDS = 200, 0.1

_encode = json.JSONEncoder(default=str, separators=(",", ":")).encode
_encode_readable = json.JSONEncoder(default=str, ensure_ascii=False).encode


def setup(config: LogConfig, stream: TextIO | None = None) -> None:
    """Sends all records to the stream (stderr) and nothing anywhere else.

    The level is that of s3d's own loggers; libraries stay at warning, because at debug level HTTP and AWS libraries log
    credentials and signatures.
    """
    stream = stream or sys.stderr
    as_text = config.format == "text" or (config.format == "auto" and stream.isatty())
    handler = _Handler(stream)
    handler.setFormatter(TextFormatter() if as_text else JsonFormatter())
    # "Optimization" in the logging HOWTO: what no formatter here prints need not be gathered for every record.
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    logging._srcfile = None
    root = logging.getLogger()
    for old in root.handlers[:]:
        root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(logging.WARNING)
    logging.getLogger("s3d").setLevel(config.level.upper())
    logging.captureWarnings(True)


class _Handler(logging.StreamHandler[TextIO]):
    """Writes access records together, so that a request does not wait for a write of its own."""

    def __init__(self, stream: TextIO) -> None:
        super().__init__(stream)
        self._waiting: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        if record.name != _ACCESS or record.levelno > logging.INFO or (loop := asyncio._get_running_loop()) is None:
            self._flush_or_say_so(record)
            super().emit(record)
            return
        if not self._waiting:
            loop.call_later(_TOGETHER_SECONDS, self._flush_later)
        self._waiting.append(self.format(record) + self.terminator)
        if len(self._waiting) >= _TOGETHER:
            self._flush_or_say_so(record)

    def _flush_or_say_so(self, record: logging.LogRecord) -> None:
        """Who logs goes on, also when the log's disk is full or its reader is gone, as with logging's own handlers."""
        try:
            self.flush()
        except (OSError, ValueError):
            self.handleError(record)

    def flush(self) -> None:
        with self.lock or contextlib.nullcontext():
            if self._waiting:
                lines, self._waiting = self._waiting, []
                self.stream.write("".join(lines))
            super().flush()

    def _flush_later(self) -> None:
        with contextlib.suppress(OSError, ValueError):  # nobody reads the log any more: there is no place to say so
            self.flush()


class _Clock:
    """RFC 3339 times in UTC with milliseconds; the part up to the second is kept for the next record."""

    __slots__ = ("_second", "_text")

    def __init__(self) -> None:
        self._second = -1
        self._text = ""

    def text(self, created: float) -> str:
        second = int(created)
        if second != self._second:
            self._second, self._text = second, time.strftime("%Y-%m-%dT%H:%M:%S.", time.gmtime(second))
        return f"{self._text}{int((created - second) * 1000):03d}Z"


def _fields(record: logging.LogRecord) -> dict[str, Any]:
    """Those of a request stand together in the record: looking for them among all attributes takes a third of the time."""
    fields: dict[str, Any] | None = record.__dict__.get("fields")
    if fields is not None:
        return fields
    return {name: value for name, value in record.__dict__.items() if name not in _OWN and value is not None}


class JsonFormatter(logging.Formatter):
    """One line of ASCII per record: ``time``, ``level``, ``logger``, ``message``, the fields that are not None, and
    ``exception`` with the traceback. Bytes of a key that are no UTF-8 appear as ``\\udcXX`` (PEP 383): nothing is lost.
    """

    def __init__(self) -> None:
        super().__init__()
        self._clock = _Clock()

    def format(self, record: logging.LogRecord) -> str:
        line = {
            "time": self._clock.text(record.created),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **_fields(record),
        }
        if trace := _traceback(self, record):
            line["exception"] = trace
        return _encode(line)


class TextFormatter(logging.Formatter):
    """``TIME LEVEL LOGGER MESSAGE name=value ...``; a traceback follows on lines that begin with spaces."""

    def __init__(self) -> None:
        super().__init__()
        self._clock = _Clock()

    def format(self, record: logging.LogRecord) -> str:
        message = _one_line(record.getMessage())
        fields = "".join(f" {name}={_quoted(value)}" for name, value in _fields(record).items())
        line = f"{self._clock.text(record.created)} {record.levelname:<7} {record.name} {message}{fields}"
        trace = "".join(f"\n    {_one_line(part)}" for part in _traceback(self, record).splitlines())
        return line + trace


def _traceback(formatter: logging.Formatter, record: logging.LogRecord) -> str:
    parts = []
    if record.exc_info and record.exc_info[0]:
        parts.append(formatter.formatException(record.exc_info))
    if record.stack_info:
        parts.append(formatter.formatStack(record.stack_info))
    return "\n".join(parts)


def _one_line(text: str) -> str:
    """The text with everything that is not printable (controls, line ends, direction marks, surrogates) escaped."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else ascii(char)[1:-1] for char in text)


def _quoted(value: object) -> str:
    """The value of a field: one plain word as it is, else a JSON string, so that fields can be told apart."""
    if isinstance(value, float):
        return f"{value:.6g}"
    text = value if isinstance(value, str) else str(value)
    if not text.isprintable():
        return _encode(text)
    if not text or " " in text or '"' in text or "=" in text:
        return _encode_readable(text)
    return text


def log_asyncio(_loop: asyncio.AbstractEventLoop, context: Mapping[str, Any]) -> None:
    """The event loop's exception handler: an exception that nobody awaited is an error in the log.

    Only the message, the exception and the name of the task are logged: other objects' texts could hold secrets.
    """
    exception = context.get("exception")
    task = context.get("task") or context.get("future")
    logging.getLogger("s3d.asyncio").error(
        "%s",
        context.get("message") or "exception in the event loop",
        exc_info=exception if isinstance(exception, BaseException) else None,
        extra={"task": task.get_name() if isinstance(task, asyncio.Task) else None},
    )
