"""``s3d status``: the daemon as it describes itself, or the state of a bucket or of an object."""

from __future__ import annotations

import os
from datetime import datetime
from typing import TYPE_CHECKING, Any

import click

from s3d.cli import admin, options, output, render
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

    The exit code is 1 when the daemon does not answer, or when there is no such bucket or object.
    """
    token = os.environ.get("S3D_ADMIN_TOKEN")
    document = _resource(target, endpoint) if target else admin.ask(admin_endpoint, "/status", token)
    if as_json:
        output.write_json(document, indent=2)
    else:
        for line in render.document_lines(condensed(document)):
            output.write_line(line)


def condensed(document: dict[str, Any]) -> dict[str, Any]:
    """The status without the settings that are at their defaults, and with one line for each of the others."""
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
