"""``s3d status``: the daemon as it describes itself, or the state of a bucket or of an object."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, Any

import click

from s3d.cli import admin, options, output, queue, queue_status, render
from s3d.cli.errors import S3Failure
from s3d.cli.target import Target, TargetType

if TYPE_CHECKING:
    from s3d.cli.client import Answer, Client


@click.command("status")
@click.argument("target", metavar="[BUCKET[/KEY]]", type=TargetType(), required=False)
@options.as_json
@options.admin_endpoint
@options.endpoint
def command(target: Target | None, *, as_json: bool, admin_endpoint: str, endpoint: str) -> None:
    """Show the state of the daemon, of a bucket or of an object.

    Of a bucket and of an object it shows what HeadBucket and HeadObject tell, what the write queue knows (what waits,
    what failed, what was pushed last), and what of it is in the read cache.

    The exit code is 1 when the daemon does not answer, and when there is no such bucket or object or the remote that
    would know is away: also if the write queue knows something of it, which is shown then.
    """
    if target is None:
        _show(condensed, admin.ask(admin_endpoint, "/status", os.environ.get("S3D_ADMIN_TOKEN")), as_json=as_json)
        return
    queued, in_cache = _parts(queue_status.ask(target, admin_endpoint, endpoint))
    failure: S3Failure | None = None
    try:
        document = _resource(target, endpoint)
    except S3Failure as error:
        if not queue_status.knows_something(queued):
            raise
        failure, document = error, target_document(target)
    if queued is not None:
        document["queue"] = queued
    if in_cache is not None:
        document["cache"] = in_cache
    _show(queue_status.readable, document, as_json=as_json)
    if failure is not None:
        raise failure


def _parts(found: dict[str, Any] | None) -> tuple[dict[str, Any] | None, dict[str, Any] | None]:
    """What the daemon says of its queue, and of its cache; None: it has none, or has nothing of it."""
    if found is None:
        return None, None
    in_cache = found.pop("cache", None)
    return found or None, in_cache


def _show(readable: Callable[[dict[str, Any]], dict[str, Any]], document: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        output.write_json(document, indent=2)
        return
    for line in render.document_lines(readable(document)):
        output.write_line(line)


def target_document(target: Target) -> dict[str, Any]:
    """What is known without an answer: its name."""
    return {"bucket": target.bucket, "key": target.key} if target.key else {"bucket": target.bucket}


def condensed(document: dict[str, Any]) -> dict[str, Any]:
    """The status without the settings that are at their defaults, and with one line for each of the others and for the
    oldest operation."""
    queued = document.get("write_queue")
    if isinstance(queued, dict) and queued.get("oldest"):
        document = {**document, "write_queue": {**queued, "oldest": queue.line(queued["oldest"]).strip()}}
    settings = document.get("settings")
    if not isinstance(settings, dict):
        return document
    changed = {
        name: f"{entry.get('value')} ({entry['source']})"
        for name, entry in settings.items()
        if isinstance(entry, dict) and entry.get("source", "default") != "default"
    }
    return {**document, "settings": changed}


def _resource(target: Target, endpoint: str) -> dict[str, Any]:
    from s3d.cli.client import connect
    from s3d.cli.running import run

    async def main() -> dict[str, Any]:
        async with connect(endpoint) as client:
            if not target.key:
                return bucket_document(target, await client.ask("HeadBucket", target.members))
            answer = await client.ask("HeadObject", target.members)
            return object_document(target, answer, await _tag_count(client, target, answer))

    return run(main())


def bucket_document(target: Target, answer: Answer) -> dict[str, Any]:
    """What HeadBucket tells."""
    return {"bucket": target.bucket, "region": answer.headers.get("x-amz-bucket-region")}


def object_document(target: Target, answer: Answer, tags: int | None) -> dict[str, Any]:
    """What HeadObject tells, and the number of tags (None: not known)."""
    members = answer.members
    modified = members.get("LastModified")
    return {
        "bucket": target.bucket,
        "key": target.key,
        "size": members.get("ContentLength"),
        "type": members.get("ContentType"),
        "etag": str(members.get("ETag", "")).strip('"'),
        "modified": modified.isoformat() if isinstance(modified, datetime) else modified,
        "version_id": members.get("VersionId"),
        "state": answer.headers.get("x-s3d-state"),
        "tags": tags,
        "metadata": members.get("Metadata") or {},
    }


async def _tag_count(client: Client, target: Target, answer: Answer) -> int | None:
    """S3 tells the number only where there are tags and the caller may read them; other servers never do."""
    if "x-amz-tagging-count" in answer.headers:
        return int(answer.headers["x-amz-tagging-count"])
    try:
        return len((await client.call("GetObjectTagging", target.members)).get("TagSet") or [])
    except S3Failure as error:
        return 0 if error.code == "NoSuchTagSet" else None
