"""``s3d cache``: what is in the daemon's read cache, filling it and emptying it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

import click

from s3d.cli import admin, options, output, progress, render
from s3d.cli.errors import Failure, readable
from s3d.cli.target import Target, TargetType

_PAGE = 500
_LONG = 600.0  # seconds: a large cache takes long to empty
_NOT_FETCHED = {"not_kept": "are not kept by rule", "no_room": "had no room", "failed": "failed"}


@click.group("cache")
def command() -> None:
    """Show, fill and empty the read cache."""


@command.command("ls")
@click.argument("target", metavar="[BUCKET[/PREFIX]]", type=TargetType(), required=False)
@options.as_json
@options.admin_endpoint
def ls(target: Target | None, *, as_json: bool, admin_endpoint: str) -> None:
    """List the objects of which something is in the cache."""
    for entry in _entries(admin_endpoint, target):
        if as_json:
            output.write_json(entry)
        else:
            output.write_line(line(entry))


@command.command("stat")
@options.as_json
@options.admin_endpoint
def stat(*, as_json: bool, admin_endpoint: str) -> None:
    """Show how full the cache is, and what it has saved since the daemon started."""
    found = admin.ask(admin_endpoint, "/status", os.environ.get("S3D_ADMIN_TOKEN")).get("read_cache")
    if found is None:
        raise Failure("This daemon has no read cache: start it with S3D_READ_CACHE=on.")
    if as_json:
        output.write_json(found)
        return
    for name, value in found.items():
        output.write_line(f"{name.replace('_', ' '):<21} {'-' if value is None else value}")


@command.command("purge")
@click.argument("target", metavar="[BUCKET[/PREFIX]]", type=TargetType(), required=False)
@click.option("--all", "everything", is_flag=True, help="All of it.")
@options.as_json
@options.admin_endpoint
def purge(target: Target | None, *, everything: bool, as_json: bool, admin_endpoint: str) -> None:
    """Remove objects from the cache; the remote keeps them."""
    if (target is not None) == everything:
        raise click.UsageError("Say which: BUCKET, BUCKET/PREFIX or --all.")
    chosen: dict[str, Any] = {"all": True}
    if target is not None:
        chosen = {"bucket": target.bucket, "prefix": target.key}
    token = os.environ.get("S3D_ADMIN_TOKEN")
    answer = admin.ask(admin_endpoint, "/cache/purge", token, body=chosen, timeout=_LONG)
    if as_json:
        output.write_json(answer)
    else:
        output.write_line(f"{answer['done']} removed")


@command.command("warm")
@click.argument("target", metavar="BUCKET[/PREFIX]", type=TargetType())
@click.option(
    "--since", metavar="AGE|DATE", type=options.SinceType(), help="Only what has changed since: 36h, 2026-11-01."
)
@click.option("--parallel", type=click.IntRange(1, 64), default=8, show_default=True, help="Objects at a time.")
@click.option("-q", "--quiet", is_flag=True, help="Do not show a progress bar.")
@options.as_json
@options.admin_endpoint
def warm(
    target: Target, *, since: float | None, parallel: int, quiet: bool, as_json: bool, admin_endpoint: str
) -> None:
    """Fetch objects that are not in the cache.

    The remote is asked for a list; what is listed and not here is fetched. The exit code is 1 if something could not be.
    """
    body = {"bucket": target.bucket, "prefix": target.key, "since": since, "parallel": parallel}
    found: dict[str, Any] = {}
    with progress.growing(f"warm {target.bucket}/{target.key}", wanted=not quiet) as tell:
        for found in admin.lines(admin_endpoint, "/cache/warm", os.environ.get("S3D_ADMIN_TOKEN"), body, timeout=_LONG):
            tell(found["done_bytes"], found["bytes"])
    if as_json:
        output.write_json(found)
    elif found:
        output.write_line(warmed(found))
    if not found or not found["ended"]:
        raise Failure(f"It came to no end: {readable(found.get('error') or 'the daemon stopped')}")
    if found["failed"]:
        raise Failure(f"{found['failed']} objects could not be fetched, one for: {readable(found['error'] or '')}")


def warmed(found: dict[str, Any]) -> str:
    """What became of the objects, in a line."""
    parts = [f"{found['fetched']} fetched ({found['fetched_bytes']} bytes)", f"{found['here']} were here"]
    parts += [f"{found[name]} {words}" for name, words in _NOT_FETCHED.items() if found[name]]
    return ", ".join(parts)


@command.command("pin")
@click.argument("target", metavar="BUCKET[/PREFIX]", type=TargetType())
@options.admin_endpoint
def pin(target: Target, *, admin_endpoint: str) -> None:
    """Keep objects in the cache, and fresh: those of a bucket, or whose keys begin with PREFIX."""
    _ask(admin_endpoint, "pin", target)


@command.command("unpin")
@click.argument("target", metavar="BUCKET[/PREFIX]", type=TargetType())
@options.admin_endpoint
def unpin(target: Target, *, admin_endpoint: str) -> None:
    """The reverse of pin, with the same BUCKET[/PREFIX]. What is here stays until room is needed."""
    if not _ask(admin_endpoint, "unpin", target)["done"]:
        raise Failure("That is not pinned: see s3d cache pins. A pin by a tag goes with the tag.")


@command.command("pins")
@options.as_json
@options.admin_endpoint
def pins(*, as_json: bool, admin_endpoint: str) -> None:
    """List what is pinned: by command, by the tag of a bucket, by the tag of an object."""
    for found in admin.ask(admin_endpoint, "/cache/pins", os.environ.get("S3D_ADMIN_TOKEN"))["pins"]:
        if as_json:
            output.write_json(found)
        else:
            output.write_line(f"{found['by']:<8} {found['bucket']}/{found['prefix']}")


def _ask(endpoint: str, what: str, target: Target) -> dict[str, Any]:
    body = {"bucket": target.bucket, "prefix": target.key}
    return admin.ask(endpoint, f"/cache/{what}", os.environ.get("S3D_ADMIN_TOKEN"), body=body, timeout=_LONG)


def line(entry: dict[str, Any]) -> str:
    """One entry: when it was confirmed, "?" if it is to be again, "p" if it is pinned, bytes that are here, bytes of the
    object, name."""
    confirmed = render.time(datetime.fromtimestamp(entry["confirmed"]).astimezone())
    mark = "?" if entry["ask"] else " "
    pinned = "p" if entry["pinned"] else " "
    return f"{confirmed}{mark}{pinned} {entry['cached']:>14} {entry['size']:>14} {entry['bucket']}/{entry['key']}"


def _entries(endpoint: str, target: Target | None) -> Iterator[dict[str, Any]]:
    query: dict[str, Any] = {"limit": _PAGE}
    if target is not None:
        query |= {"bucket": target.bucket, "prefix": target.key}
    while True:
        text = urlencode(query, errors="surrogateescape")
        page = admin.ask(endpoint, f"/cache?{text}", os.environ.get("S3D_ADMIN_TOKEN"))
        yield from page["entries"]
        if page["next"] is None:
            return
        query |= {"after_bucket": page["next"]["bucket"], "after_key": page["next"]["key"]}
