"""``s3d get``: an object to stdout or into a file."""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from s3d.cli import options, progress
from s3d.cli.errors import Failure, readable
from s3d.cli.target import Target

if TYPE_CHECKING:
    from s3d.cli.client import Answer, Client


@click.command("get")
@options.object_target
@options.file("-o", "--output", "Write FILE, not stdout.")
@click.option(
    "--range", "extent", metavar="BYTES", help="A part of it, as in HTTP: 0-99, 100-, or -100 for the last ones."
)
@options.version_id
@options.part_size("What is larger is read into a file in ranges of this size.")
@options.jobs
@click.option("-q", "--quiet", is_flag=True, help="Neither metadata nor progress bar on stderr.")
@options.endpoint
def command(
    target: Target,
    *,
    path: Path | None,
    extent: str | None,
    version_id: str | None,
    part_size: int,
    jobs: int,
    quiet: bool,
    endpoint: str,
) -> None:
    """Read an object.

    \b
    s3d get bucket/key > file
    s3d get bucket/key -o file

    The data goes to stdout, the metadata to stderr. With -o, a large object is read in parallel ranges into
    FILE.s3d-part, which gets its name when all is there and verified; after an interruption the same command fetches only
    what is missing, unless the object has changed.
    """
    from s3d.cli.client import connect
    from s3d.cli.running import run

    if part_size < 1:
        raise click.BadParameter("must be at least one byte", param_hint="--part-size")
    members = target.members | ({"VersionId": version_id} if version_id else {})
    if extent:
        members["Range"] = f"bytes={extent.removeprefix('bytes=')}"

    async def main() -> None:
        async with connect(endpoint) as client:
            if path is None:
                await _to_stdout(client, members, target, quiet=quiet)
            elif extent or not _is_replaceable(path):
                await _as_stream(client, members, target, path, quiet=quiet)
            else:
                await _in_ranges(client, members, target, path, part_size=part_size, jobs=jobs, quiet=quiet)

    run(main())


async def _to_stdout(client: Client, members: dict[str, str], target: Target, *, quiet: bool) -> None:
    from s3d.cli.copy_out import copy_out

    show = _Announcement(target, quiet=quiet, watch=not sys.stdout.isatty())
    await copy_out(client, members | {"ChecksumMode": "ENABLED"}, sys.stdout.fileno(), show, str(target))


async def _as_stream(client: Client, members: dict[str, str], target: Target, path: Path, *, quiet: bool) -> None:
    """Into a device or a pipe; a range also into a file, which appears when it is complete."""
    from s3d.cli.copy_out import copy_out
    from s3d.cli.download import part_path

    show = _Announcement(target, quiet=quiet)
    members = members | {"ChecksumMode": "ENABLED"}
    if not _is_replaceable(path):
        with _opened(path) as descriptor:
            await copy_out(client, members, descriptor, show, str(target))
        return
    partial = part_path(path)
    try:
        with _opened(partial) as descriptor:
            await copy_out(client, members, descriptor, show, str(target))
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


async def _in_ranges(
    client: Client, members: dict[str, str], target: Target, path: Path, *, part_size: int, jobs: int, quiet: bool
) -> None:
    from s3d.cli.download import Download

    head = await client.ask("HeadObject", members | {"ChecksumMode": "ENABLED"})
    if (
        not {"ContentLength", "ETag"} <= head.members.keys()
    ):  # no S3, but an answer: there is nothing to cut or to hold on to
        return await _as_stream(client, members, target, path, quiet=quiet)
    download = Download(client, members, head, path, part_size=part_size, jobs=jobs)
    with _Announcement(target, quiet=quiet)(head) as advance, _explained(path):
        await download.run(advance)
    return None


class _Announcement:
    """Tells the metadata, then shows the progress."""

    def __init__(self, target: Target, *, quiet: bool, watch: bool = True) -> None:
        self._target = target
        self._quiet = quiet
        self._watch = watch

    @contextmanager
    def __call__(self, answer: Answer) -> Iterator[progress.Advance]:
        if not self._quiet:
            for line in metadata_lines(answer.headers.items()):
                click.echo(line, err=True)
            if not self._watch and is_binary(answer.headers.get("Content-Type", "")):
                click.echo("s3d: warning: the data may confuse the terminal; use -o FILE or a pipe", err=True)
        length = answer.headers.get("Content-Length")
        total = int(length) if length is not None else None
        with progress.bar(str(self._target), total, wanted=self._watch and not self._quiet) as advance:
            yield advance


def metadata_lines(headers: Iterable[tuple[str, str]]) -> Iterator[str]:
    """The headers that are about the object, not about the connection or the request."""
    for name, value in headers:
        lower = name.lower()
        about = lower.startswith(("content-", "x-amz-", "x-s3d-")) or lower in _ABOUT
        if about and lower not in _NOT_ABOUT:
            yield readable(f"{name}: {value}")


def is_binary(content_type: str) -> bool:
    """Whether a terminal is unlikely to show such data as text."""
    major, _, minor = content_type.partition(";")[0].strip().lower().partition("/")
    return major != "text" and not minor.endswith(("json", "xml", "javascript", "yaml"))


_ABOUT = {"etag", "last-modified", "cache-control", "expires"}
_NOT_ABOUT = {"x-amz-request-id", "x-amz-id-2"}


def _is_replaceable(path: Path) -> bool:
    """Whether a new file may take the path: nothing or a regular file is there. Raises Failure for a directory."""
    try:
        mode = path.stat().st_mode
    except OSError:
        return True
    if stat.S_ISDIR(mode):
        raise Failure(f"{path} is a directory; name a file.")
    return stat.S_ISREG(mode)


@contextmanager
def _opened(path: Path) -> Iterator[int]:
    with _explained(path):
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o666)
        try:
            yield descriptor
        finally:
            os.close(descriptor)


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    """Says in a sentence what the local file system refuses."""
    try:
        yield
    except OSError as error:
        raise Failure(f"Cannot write {path}: {error.strerror or error}.") from error
