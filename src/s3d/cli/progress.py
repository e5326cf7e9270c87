"""The progress bar, when a person watches: on stderr, and only if that is a terminal."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.progress import Progress

Advance = Callable[[int], None]
"""Called with the number of bytes that have just been transferred; a negative one takes back what must be repeated."""


@contextmanager
def bar(label: str, total: int | None, *, wanted: bool = True) -> Iterator[Advance]:
    """Shows a bar for the time of the block. ``total``: bytes, None when unknown."""
    with _shown(label, total, wanted=wanted) as (progress, task):
        yield (lambda count: progress.advance(task, count)) if progress is not None else ignore


@contextmanager
def growing(label: str, *, wanted: bool = True) -> Iterator[Callable[[int, int], None]]:
    """The same for work that becomes more while it goes on: called with bytes that are done, and bytes of all of it."""
    with _shown(label, None, wanted=wanted) as (progress, task):
        yield (
            (lambda done, total: progress.update(task, completed=done, total=total))
            if progress is not None
            else (lambda _done, _total: None)
        )


@contextmanager
def _shown(label: str, total: int | None, *, wanted: bool) -> Iterator[tuple[Progress | None, Any]]:
    if not wanted or not sys.stderr.isatty():
        yield None, None
        return
    from rich.console import Console
    from rich.markup import escape
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

    from s3d.cli.errors import readable

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(binary_units=True),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        yield progress, progress.add_task(escape(readable(label)), total=total)


def ignore(count: int) -> None:
    """Nobody watches."""
