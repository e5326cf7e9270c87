"""Failures that a person caused or can do something about: one sentence on stderr and an exit code, never a traceback.

click.ClickException
├── click.UsageError          2    the command line makes no sense
└── Failure                   1    anything else that went wrong
    ├── S3Failure             1    S3 answered with an error; keeps its code, status and request id
    ├── Unreachable           1    the daemon did not answer
    ├── Misconfigured         2    the settings of ``s3d run`` make no sense
    └── CannotCheck           2    ``s3d fsck`` has looked at nothing, or ``s3d audit`` came to no end
Interrupted              128 + n   signal n ended it (130: Ctrl-C, 141: nobody reads stdout, 143: SIGTERM)
"""

from __future__ import annotations

import signal
from typing import IO, Any

import click

_CONTROL = {code: f"\\x{code:02x}" for code in [*range(32), *range(127, 160)]}


def visible(text: str) -> str:
    """The text with control characters written as ``\\x1b``: a key must not steer a terminal."""
    return text.translate(_CONTROL)


def readable(key: str) -> str:
    """A key inside of a sentence: visible, and bytes that are not UTF-8 as ``\\xff``."""
    return visible(key.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace"))


class Failure(click.ClickException):
    """``message`` is a sentence for a person."""

    def show(self, file: IO[Any] | None = None) -> None:
        for line in self.format_message().splitlines():
            click.echo(f"s3d: {line}", file=file, err=file is None)


class S3Failure(Failure):
    """An S3 error answer about ``resource`` (``bucket/key``)."""

    def __init__(self, code: str, message: str, *, status: int, request_id: str = "", resource: str = "") -> None:
        super().__init__(
            f"{code}: {readable(' '.join(message.split()))}" + (f" ({readable(resource)})" if resource else "")
        )
        self.code = code
        self.status = status
        self.request_id = request_id
        self.resource = resource


class Unreachable(Failure):
    """Nothing answered S3 or HTTP at ``endpoint``."""

    def __init__(self, endpoint: str, reason: str) -> None:
        super().__init__(f"No daemon answers at {endpoint}: {reason}. Start it with: s3d run")


class Misconfigured(Failure):
    """The daemon cannot start with these settings."""

    exit_code = 2


class CannotCheck(Failure):
    """What was to be checked could not be. Not 1: that says that something is damaged, or differs."""

    exit_code = 2


class Interrupted(Exception):
    """A signal says to stop."""

    def __init__(self, number: signal.Signals) -> None:
        super().__init__(number.name)
        self.exit_code = 128 + number
