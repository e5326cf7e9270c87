"""The progress bar, when a person watches: on stderr, and only if that is a terminal."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

Advance = Callable[[int], None]
"""Called with the number of bytes that have just been transferred; a negative one takes back what must be repeated."""


@contextmanager
def bar(label: str, total: int | None, *, wanted: bool = True) -> Iterator[Advance]:
    """Shows a bar for the time of the block. ``total``: bytes, None when unknown."""
    if not wanted or not sys.stderr.isatty():
        yield ignore
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
        task = progress.add_task(escape(readable(label)), total=total)
        yield lambda count: progress.advance(task, count)


def ignore(count: int) -> None:
    """Nobody watches."""
