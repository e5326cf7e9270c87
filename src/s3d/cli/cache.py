"""``s3d cache``: what is in the daemon's read cache, and emptying it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

import click

from s3d.cli import admin, options, output, render
from s3d.cli.errors import Failure
from s3d.cli.target import Target, TargetType

_PAGE = 500
_LONG = 600.0  # seconds: a large cache takes long to empty


@click.group("cache")
def command() -> None:
    """Show and empty the read cache."""


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
        output.write_line(f"{name.replace('_', ' '):<12} {'-' if value is None else value}")


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


def line(entry: dict[str, Any]) -> str:
    """One entry: when it was confirmed, bytes that are here, bytes of the object, name."""
    confirmed = render.time(datetime.fromtimestamp(entry["confirmed"]).astimezone())
    mark = "?" if entry["ask"] else " "
    return f"{confirmed}{mark} {entry['cached']:>14} {entry['size']:>14} {entry['bucket']}/{entry['key']}"


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
