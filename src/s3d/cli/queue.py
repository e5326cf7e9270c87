"""``s3d queue``: what waits in the daemon's write queue, and what is to become of it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import click

from s3d.cli import admin, options, output, render
from s3d.cli.errors import Failure
from s3d.cli.target import Target, TargetType

_PAGE = 500
_LONG = 3700.0  # seconds: longer than the daemon waits, or than it takes to write files

STATES = click.Choice(["pending", "pushing", "failed", "held"])


@click.group("queue")
def command() -> None:
    """Show and control the write queue."""


@command.command("ls")
@click.argument("target", metavar="[BUCKET/KEY]", type=TargetType(with_key=True), required=False)
@click.option("--state", type=STATES, help="Only operations in this state.")
@options.as_json
@options.admin_endpoint
def ls(target: Target | None, *, state: str | None, as_json: bool, admin_endpoint: str) -> None:
    """List the operations that are not at the remote, oldest first."""
    for operation in _operations(admin_endpoint, target, state):
        if as_json:
            output.write_json(operation)
        else:
            output.write_line(line(operation))


@command.command("flush")
@click.option(
    "--wait", metavar="SECONDS", type=click.FloatRange(0, 3600), default=60.0, show_default=True, help="At most."
)
@options.as_json
@options.admin_endpoint
def flush(*, wait: float, as_json: bool, admin_endpoint: str) -> None:
    """Wait until everything is at the remote. The exit code is 1 if something is left."""
    answer = _ask(admin_endpoint, "flush", {"wait": wait})
    left = answer["left"]
    if as_json:
        output.write_json(answer)
    if left:
        raise Failure(f"{left} operations are left after {wait:g} s: see s3d queue ls, and s3d status")


@command.command("retry")
@click.argument("target", metavar="[BUCKET/KEY]", type=TargetType(with_key=True), required=False)
@click.option("--seq", type=int, multiple=True, metavar="NUMBER", help="This operation; may be repeated.")
@click.option("--all", "everything", is_flag=True, help="All that failed.")
@options.as_json
@options.admin_endpoint
def retry(target: Target | None, *, seq: tuple[int, ...], everything: bool, as_json: bool, admin_endpoint: str) -> None:
    """Push operations again that failed for good."""
    answer = _ask(admin_endpoint, "retry", _chosen(target, seq, everything=everything))
    _tell(answer, f"{answer['done']} to be pushed again", as_json=as_json)


@command.command("drop")
@click.argument("target", metavar="[BUCKET/KEY]", type=TargetType(with_key=True), required=False)
@click.option("--seq", type=int, multiple=True, metavar="NUMBER", help="This operation; may be repeated.")
@click.option("--all", "everything", is_flag=True, help="All that failed.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@options.as_json
@options.admin_endpoint
def drop(
    target: Target | None, *, seq: tuple[int, ...], everything: bool, yes: bool, as_json: bool, admin_endpoint: str
) -> None:
    """Remove operations and their bytes for good: they never reach the remote."""
    chosen = _chosen(target, seq, everything=everything)
    if not yes:
        click.confirm("These operations and their bytes are lost then. Go on?", abort=True)
    answer = _ask(admin_endpoint, "drop", chosen)
    _tell(answer, f"{answer['done']} dropped", as_json=as_json)


@command.command("export")
@click.argument("directory", type=click.Path(file_okay=False, path_type=Path))
@click.argument("target", metavar="[BUCKET/KEY]", type=TargetType(with_key=True), required=False)
@click.option("--seq", type=int, multiple=True, metavar="NUMBER", help="This operation; may be repeated.")
@click.option("--all", "everything", is_flag=True, help="All that failed.")
@options.as_json
@options.admin_endpoint
def export(
    directory: Path,
    target: Target | None,
    *,
    seq: tuple[int, ...],
    everything: bool,
    as_json: bool,
    admin_endpoint: str,
) -> None:
    """Write operations as files into a directory of the daemon's machine; they stay in the queue."""
    chosen = _chosen(target, seq, everything=everything) | {"directory": str(directory.absolute())}
    answer = _ask(admin_endpoint, "export", chosen)
    _tell(answer, f"{answer['done']} written to {directory.absolute()}", as_json=as_json)


@command.command("pause")
@options.as_json
@options.admin_endpoint
def pause(*, as_json: bool, admin_endpoint: str) -> None:
    """Begin no further push."""
    _tell(_ask(admin_endpoint, "pause", {}), None, as_json=as_json)


@command.command("resume")
@options.as_json
@options.admin_endpoint
def resume(*, as_json: bool, admin_endpoint: str) -> None:
    """Push again."""
    _tell(_ask(admin_endpoint, "resume", {}), None, as_json=as_json)


def line(operation: dict[str, Any]) -> str:
    """One operation: number, when it was accepted, state, what it is, bytes, name, and the last error."""
    accepted = render.time(datetime.fromtimestamp(operation["accepted"]).astimezone())
    text = (
        f"{operation['seq']:>8} {accepted} {operation['state']:<8} {operation['operation']:<6} {operation['size']:>12}"
    )
    return f"{text} {operation['bucket']}/{operation['key']}{_trouble(operation)}"


def _trouble(operation: dict[str, Any]) -> str:
    """Attempts, when the next one is, and the last error; nothing of an operation that had none."""
    error, following = operation.get("error"), operation.get("next_attempt")
    if not error:
        return ""
    attempts = f"{operation['attempts']} attempt{'' if operation['attempts'] == 1 else 's'}"
    if following and operation["state"] != "failed":
        attempts += f", next {render.time(datetime.fromtimestamp(following).astimezone())}"
    return f"  ({attempts}; {error['code']}: {error['message']})"


def _operations(endpoint: str, target: Target | None, state: str | None) -> Iterator[dict[str, Any]]:
    query: dict[str, Any] = {"limit": _PAGE}
    if target is not None:
        query |= {"bucket": target.bucket, "key": target.key}
    if state is not None:
        query["state"] = state
    after: int | None = 0
    while after is not None:
        text = urlencode(query | {"after": after}, errors="surrogateescape")
        page = admin.ask(endpoint, f"/queue?{text}", os.environ.get("S3D_ADMIN_TOKEN"))
        yield from (found for found in page["operations"] if state in (None, found["state"]))
        after = page["next"]


def _chosen(target: Target | None, seq: tuple[int, ...], *, everything: bool) -> dict[str, Any]:
    """What the admin API takes for which operations."""
    if (target is not None) + bool(seq) + everything != 1:
        raise click.UsageError("Say which operations: BUCKET/KEY, --seq NUMBER, or --all.")
    if target is not None:
        return {"bucket": target.bucket, "key": target.key}
    return {"seq": list(seq)} if seq else {"state": "failed"}


def _ask(endpoint: str, what: str, body: dict[str, Any]) -> dict[str, Any]:
    return admin.ask(endpoint, f"/queue/{what}", os.environ.get("S3D_ADMIN_TOKEN"), body=body, timeout=_LONG)


def _tell(answer: dict[str, Any], text: str | None, *, as_json: bool) -> None:
    if as_json:
        output.write_json(answer)
    elif text is not None:
        output.write_line(text)
