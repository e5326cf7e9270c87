"""``s3d set``: the tags of an object or a bucket."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from s3d.cli import options, output, tag_set
from s3d.cli.errors import S3Failure
from s3d.cli.target import Target, TargetType

if TYPE_CHECKING:
    from s3d.cli.client import Client


@click.command("set")
@click.argument("target", metavar="BUCKET[/KEY]", type=TargetType())
@click.option(
    "-t", "--tag", "tags", metavar="NAME=VALUE", type=options.PairType(), multiple=True, help="A tag; repeatable."
)
@click.option("--reset", is_flag=True, help="Replace the tag set instead of merging into it; without --tag, delete it.")
@options.version_id
@options.as_json
@options.endpoint
def command(
    target: Target,
    *,
    tags: tuple[tuple[str, str], ...],
    reset: bool,
    version_id: str | None,
    as_json: bool,
    endpoint: str,
) -> None:
    """Change or show the tags of an object or a bucket.

    With --tag: merges the tags into those that are there. Without --tag and --reset: prints them, one NAME=VALUE a line.
    """
    from s3d.cli.client import connect
    from s3d.cli.running import run

    if version_id and not target.key:
        raise click.UsageError("--version-id is for objects: buckets have no versions")

    async def main() -> None:
        async with connect(endpoint) as client:
            scope = Tags(client, target, version_id)
            if not tags and not reset:
                _show(await scope.read(), as_json=as_json)
            elif not tags:
                await scope.delete()
            else:
                await scope.write(tag_set.merged({} if reset else await scope.read(), tags))

    run(main())


class Tags:
    """The tag set of one object (or a version of it) or one bucket."""

    def __init__(self, client: Client, target: Target, version_id: str | None = None) -> None:
        self._client = client
        self._members: dict[str, str] = target.members | ({"VersionId": version_id} if version_id else {})
        self._level = "Object" if target.key else "Bucket"

    async def read(self) -> dict[str, str]:
        """The tags; none at all is no error."""
        try:
            answer = await self._client.call(f"Get{self._level}Tagging", self._members)
        except S3Failure as error:
            if error.code == "NoSuchTagSet":
                return {}
            raise
        return tag_set.from_members(answer.get("TagSet") or [])

    async def write(self, tags: dict[str, str]) -> None:
        """Replaces the tag set."""
        members = {**self._members, "Tagging": {"TagSet": tag_set.to_members(tags)}}
        await self._client.call(f"Put{self._level}Tagging", members)

    async def delete(self) -> None:
        """Deletes the tag set."""
        await self._client.call(f"Delete{self._level}Tagging", self._members)


def _show(tags: dict[str, str], *, as_json: bool) -> None:
    if as_json:
        output.write_json(tags)
        return
    for key, value in tags.items():
        output.write_line(f"{key}={value}")
