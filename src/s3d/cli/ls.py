"""``s3d ls``: buckets, or the objects below a prefix."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

import click

from s3d.cli import options, output
from s3d.cli.target import Target, TargetType

if TYPE_CHECKING:
    from s3d.cli.client import Client


@click.command("ls")
@click.argument("target", metavar="[BUCKET[/PREFIX]]", type=TargetType(), required=False)
@click.option("-r", "--recursive", is_flag=True, help="List everything below the prefix, with whole keys.")
@click.option("--human-readable", is_flag=True, help="Sizes such as 1.5 MiB instead of bytes.")
@options.as_json
@options.endpoint
def command(target: Target | None, *, recursive: bool, human_readable: bool, as_json: bool, endpoint: str) -> int:
    """List buckets or objects.

    Without an argument: the buckets. With one: the objects whose key begins with PREFIX, one level deep; what lies deeper
    shows as PRE lines. Lines are printed as they arrive. With --json each line is an object. The exit code is 1 when
    nothing begins with PREFIX.
    """
    from s3d.cli.client import connect
    from s3d.cli.running import run

    async def main() -> int:
        async with connect(endpoint) as client:
            if target is None:
                return await _list_buckets(client, as_json=as_json)
            delimiter = None if recursive else "/"
            found = await _list_objects(client, target, delimiter, as_json=as_json, human=human_readable)
            return 0 if found or not target.key else 1

    return run(main())


async def _list_buckets(client: Client, *, as_json: bool) -> int:
    from s3d.cli import listing, render

    async for page in listing.buckets(client):
        for bucket in page:
            if as_json:
                output.write_json({"bucket": bucket["Name"], "created": _iso(bucket.get("CreationDate"))})
            else:
                output.write_line(render.bucket_line(bucket))
        output.flush()
    return 0


async def _list_objects(client: Client, target: Target, delimiter: str | None, *, as_json: bool, human: bool) -> int:
    """Prints the listing; returns the number of lines."""
    from s3d.cli import listing, render

    lines = 0
    shown_from = target.key.rfind("/") + 1 if delimiter else 0
    async for page in listing.objects(client, target, delimiter=delimiter):
        for kind, entry in in_key_order(page):
            lines += 1
            if as_json:
                output.write_json(_document(kind, entry))
            elif kind == "Prefix":
                output.write_line(render.prefix_line(entry["Prefix"][shown_from:]))
            else:
                output.write_line(render.object_line(entry, entry["Key"][shown_from:], human=human))
        output.flush()
    return lines


def in_key_order(page: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    """Prefixes and objects of a page as one list in S3's order: that of the bytes of the UTF-8."""
    entries = [("Prefix", entry) for entry in page.get("CommonPrefixes") or []]
    entries += [("Key", entry) for entry in page.get("Contents") or []]
    return sorted(entries, key=lambda item: str(item[1][item[0]]).encode("utf-8", "surrogateescape"))


def _document(kind: str, entry: dict[str, Any]) -> dict[str, Any]:
    if kind == "Prefix":
        return {"prefix": entry["Prefix"]}
    return {
        "key": entry["Key"],
        "size": entry.get("Size"),
        "etag": str(entry.get("ETag", "")).strip('"'),
        "last_modified": _iso(entry.get("LastModified")),
        "storage_class": entry.get("StorageClass"),
    }


def _iso(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment else None
