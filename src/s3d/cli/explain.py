"""``s3d explain``: what becomes of an object, and why."""

from __future__ import annotations

import json
import os
from typing import Any

import click

from s3d.cli import admin, options, output
from s3d.cli.errors import visible
from s3d.cli.target import Target

_TIMEOUT = 60.0
"""Seconds: the daemon may have to ask the remote."""


@click.group("explain")
def command() -> None:
    """Show which rule decides about an object."""


@command.command("put")
@options.object_target
@options.described
@options.as_json
@options.admin_endpoint
def put(target: Target, *, described: options.Described, as_json: bool, admin_endpoint: str) -> None:
    """Show what would become of an object that is put now."""
    question = {"operation": "put", "bucket": target.bucket, "key": target.key, **described.members}
    _show(_ask(admin_endpoint, question), as_json=as_json)


@command.command("get")
@options.object_target
@options.as_json
@options.admin_endpoint
def get(target: Target, *, as_json: bool, admin_endpoint: str) -> None:
    """Show whether an object that is there is kept in the read cache."""
    question = {"operation": "get", "bucket": target.bucket, "key": target.key}
    _show(_ask(admin_endpoint, question), as_json=as_json)


def _ask(endpoint: str, question: dict[str, Any]) -> dict[str, Any]:
    return admin.ask(endpoint, "/explain", os.environ.get("S3D_ADMIN_TOKEN"), body=question, timeout=_TIMEOUT)


def _show(found: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        output.write_json(found)
        return
    for line in lines(found):
        output.write_line(visible(line))


def lines(found: dict[str, Any]) -> list[str]:
    """The answer for people."""
    shown: list[str] = []
    if (policy := found.get("policy")) is not None:
        says = "".join(f", {name} {json.dumps(value)}" for name, value in policy["says"].items())
        shown.append(f"policy: {'allowed' if policy['allowed'] else 'refused'}{says}")
        shown.append(f"  {policy['why']}")
    if found.get("state") is not None:
        shown.append(f"queue: {found['state']}")
    if (upload := found.get("upload")) is not None:
        shown.append(f"upload: {upload['state']}, by {upload['by']}")
        shown += [f"  {reason}" for reason in upload["why"]]
        deadline = f", deadline after {upload['deadline']:g} s" if upload["deadline"] is not None else ""
        shown.append(f"  priority {upload['priority']}{deadline}")
        if upload["room"] is not None:
            shown.append(f"  no room now: {upload['room']}")
    elif "upload" in found:
        shown.append("upload: at once, there is no write queue")
    if (cache := found.get("cache")) is not None:
        kept = {True: "kept", False: "not kept", None: "not known"}[cache["kept"]]
        shown.append(f"cache: {kept}, by {cache['by']}")
        shown += [f"  {reason}" for reason in cache["why"]]
    return shown
