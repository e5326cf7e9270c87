"""``s3d put``: an object from a file or from stdin."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import click

from s3d.cli import options, output, parts
from s3d.cli.content_type import guess
from s3d.cli.errors import Failure
from s3d.cli.target import Target

if TYPE_CHECKING:
    from s3d.cli.client import Answer


@click.command("put")
@options.object_target
@options.file("-i", "--input", "Read FILE, not stdin.")
@click.option("--content-type", metavar="TYPE", help="Media type; without it, guessed from the name.")
@click.option(
    "-m", "--metadata", metavar="NAME=VALUE", type=options.PairType(), multiple=True, help="User metadata; repeatable."
)
@click.option(
    "-t", "--tag", "tags", metavar="NAME=VALUE", type=options.PairType(), multiple=True, help="A tag; repeatable."
)
@options.part_size("What is larger goes in parts of this size, in larger ones where 10,000 would not do.")
@options.jobs
@click.option("-q", "--quiet", is_flag=True, help="No progress bar.")
@click.option("-v", "--verbose", is_flag=True, help="Say on stderr what was written.")
@options.as_json
@options.endpoint
def command(
    target: Target,
    *,
    path: Path | None,
    content_type: str | None,
    metadata: tuple[tuple[str, str], ...],
    tags: tuple[tuple[str, str], ...],
    part_size: int,
    jobs: int,
    quiet: bool,
    verbose: bool,
    as_json: bool,
    endpoint: str,
) -> None:
    """Write an object.

    \b
    s3d put bucket/key < file
    s3d put bucket/key -i file
    tar c directory | s3d put bucket/backup.tar

    Large input is uploaded in parallel parts; when that fails or is interrupted, the parts are taken back, and an object
    that was there before is still there. Each body is sent with a checksum that S3 verifies.
    """
    if not parts.MIN_PART <= part_size <= parts.MAX_PART:
        raise click.BadParameter("S3 takes parts of 5MiB to 5GiB", param_hint="--part-size")
    media_type = content_type or guess(target.key) or guess(str(path or ""))
    members = target.members | _object_members(media_type, metadata, tags)
    with _open(path) as file:
        answer, size = _upload(members, file, endpoint, part_size=part_size, jobs=jobs, show=not quiet)
    report = _report(target, size, answer)
    if as_json:
        output.write_json(report)
    if verbose:
        click.echo(f"{target} {report['etag']} {size}", err=True)


def _object_members(
    content_type: str | None, metadata: tuple[tuple[str, str], ...], tags: tuple[tuple[str, str], ...]
) -> dict[str, Any]:
    """The members that PutObject and CreateMultipartUpload have in common."""
    members: dict[str, Any] = {}
    if content_type:
        members["ContentType"] = content_type
    if metadata:
        members["Metadata"] = dict(metadata)
    if tags:
        from s3d.s3.uri import format_query

        members["Tagging"] = format_query(list(dict(tags).items()))
    return members


def _upload(
    members: dict[str, Any], file: BinaryIO, endpoint: str, *, part_size: int, jobs: int, show: bool
) -> tuple[Answer, int]:
    """The answer to the upload and the bytes of the object."""
    from s3d.cli import progress
    from s3d.cli.client import connect
    from s3d.cli.running import run
    from s3d.cli.source import open_source
    from s3d.cli.upload import Upload

    async def main() -> tuple[Answer, int]:
        source = open_source(file)
        async with connect(endpoint) as client:
            with progress.bar(members["Key"], source.size, wanted=show and not file.isatty()) as advance:
                upload = Upload(client, members, source, part_size, jobs, advance)
                return await upload.run(), upload.size

    return run(main())


def _open(path: Path | None) -> BinaryIO:
    """The input, unbuffered: it is read by its descriptor. stdin stays open."""
    try:
        if path is None:
            return open(sys.stdin.fileno(), "rb", buffering=0, closefd=False)
        if path.is_dir():
            raise Failure(f"{path} is a directory; put writes one object.")
        return path.open("rb", buffering=0)
    except OSError as error:
        raise Failure(f"Cannot read {path}: {error.strerror}.") from error


def _report(target: Target, size: int, answer: Answer) -> dict[str, Any]:
    return {
        "bucket": target.bucket,
        "key": target.key,
        "size": size,
        "etag": str(answer.members.get("ETag", "")).strip('"'),
        "version_id": answer.members.get("VersionId"),
        "state": answer.headers.get("x-s3d-state"),
    }
