"""``s3d audit``: is everything that was pushed at the remote, as it was pushed?"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

import click

from s3d.cli import admin, options, output, render
from s3d.cli.errors import CannotCheck, Failure, readable
from s3d.cli.target import Target, TargetType

_TIMEOUT = 3700.0  # seconds: a page asks the remote up to a hundred times
_FINE = ("same", "deleted")
_DIFFERENT = ("gone", "changed", "exists", "unknown")
_STATUSES = (*_FINE, *_DIFFERENT, "skipped")


@click.command("audit")
@click.argument("target", metavar="[BUCKET[/PREFIX]]", type=TargetType(), required=False)
@click.option("--all", "everything", is_flag=True, help="Also print what is as it was pushed, and what is on its way.")
@click.option("--newest", is_flag=True, help="Only the newest of each key, not older versions of it.")
@options.as_json
@options.admin_endpoint
def command(target: Target | None, *, everything: bool, newest: bool, as_json: bool, admin_endpoint: str) -> int:
    """Compare what was pushed with the remote.

    The daemon asks the remote for every object that its write queue pushed and remembers (S3D_WRITE_QUEUE_LEDGER_AGE), by
    HeadObject. A line is printed for what is gone, what has changed, what was deleted and exists, and what the remote
    would not say. Others may change the bucket, too: a difference is not yet a fault.

    The exit code is 0 when nothing differs, 1 when something does or is unknown, 2 when it came to no end: the remote is
    away, or the daemon does not answer.
    """
    counts: Counter[str] = Counter()
    away: str | None = None
    for page in _pages(admin_endpoint, _asked(target, newest=newest)):
        away = page["away"]
        for entry in page["entries"]:
            if away and entry["status"] == "unknown":
                continue
            counts[entry["status"]] += 1
            if everything or entry["status"] in _DIFFERENT:
                _print(entry, as_json=as_json)
        output.flush()
        if away:
            break
    if as_json:
        output.write_json({"summary": {status: counts[status] for status in _STATUSES}, "away": away})
    click.echo(summary(counts), err=True)
    if away:
        raise CannotCheck(f"The remote is away, so not everything was compared: {readable(away)}")
    return 1 if any(counts[status] for status in _DIFFERENT) else 0


def _asked(target: Target | None, *, newest: bool) -> dict[str, Any]:
    asked: dict[str, Any] = {"versions": not newest}
    return asked | ({"bucket": target.bucket, "prefix": target.key} if target else {})


def _pages(endpoint: str, asked: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Raises CannotCheck."""
    after: str | None = None
    while True:
        body = asked | ({"after": after} if after else {})
        try:
            page = admin.ask(endpoint, "/audit", os.environ.get("S3D_ADMIN_TOKEN"), body=body, timeout=_TIMEOUT)
        except Failure as error:
            raise CannotCheck(error.message) from error
        yield page
        if not page["next"]:
            return
        if page["next"] == after:
            raise CannotCheck("The audit does not end: the daemon answered the same page twice.")
        after = page["next"]


def _print(entry: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        output.write_json(entry)
    else:
        output.write_line(line(entry))


def line(entry: Mapping[str, Any]) -> str:
    """One entry: what came out, the name, and why."""
    version = f" version {entry['version_id']}" if not entry["newest"] else ""
    why = "; ".join(_why(entry))
    return f"{entry['status']:<8} {entry['bucket']}/{entry['key']}{version}" + (f"  ({why})" if why else "")


def _why(entry: Mapping[str, Any]) -> Iterator[str]:
    at = render.time(datetime.fromtimestamp(entry["pushed"]).astimezone())
    found = entry["found"] or {}
    if entry["status"] == "gone":
        yield f"pushed {at}, {entry['size']} bytes"
    elif entry["status"] == "exists":
        yield f"deleted {at}, has {found.get('size')} bytes, modified {found.get('modified')}"
    elif entry["status"] == "changed":
        yield from (_difference(name, entry, found) for name in entry["differs"])
        yield f"pushed {at}, modified {found.get('modified')}"
    elif entry["status"] == "unknown" and entry["error"]:
        yield f"{entry['error']['code']}: {entry['error']['message']}"
    if entry["kept"] is not None:
        is_there = "is still there" if entry["kept"] else "is not there as it was pushed either"
        yield f"its version {entry['version_id']} {is_there}"


def _difference(name: str, entry: Mapping[str, Any], found: Mapping[str, Any]) -> str:
    if name == "checksum":
        algorithm, _, value = entry["checksum"].partition(":")
        return f"{algorithm} {found['checksums'].get(algorithm)}, pushed {value}"
    return f"{'ETag' if name == 'etag' else name} {found.get(name)}, pushed {entry[name]}"


def summary(counts: Mapping[str, int]) -> str:
    """A sentence."""
    compared = sum(counts.get(status, 0) for status in (*_FINE, *_DIFFERENT))
    if not any(counts.values()):
        return "nothing to compare: the ledger has no such entries"
    named = [f"{counts[status]} {status}" for status in _STATUSES if counts.get(status)]
    return f"{compared} compared: {', '.join(named)}"
