"""``s3d rm``: objects by name, or everything below a prefix."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import click

from s3d.cli import options, output
from s3d.cli.errors import Failure, S3Failure, readable
from s3d.cli.target import Target, TargetType

if TYPE_CHECKING:
    from s3d.cli.client import Client


@click.command("rm")
@click.argument("targets", metavar="BUCKET/KEY...", type=TargetType(), nargs=-1, required=True)
@click.option("-r", "--recursive", is_flag=True, help="Delete every object whose key begins with what is named.")
@click.option(
    "-f", "--force", is_flag=True, help="Missing objects are no failure; allows --recursive on a whole bucket."
)
@options.version_id
@click.option("-n", "--dry-run", is_flag=True, help="Only print what would be deleted.")
@click.option("-v", "--verbose", is_flag=True, help="Print what is deleted.")
@options.endpoint
def command(
    targets: tuple[Target, ...],
    *,
    recursive: bool,
    force: bool,
    version_id: str | None,
    dry_run: bool,
    verbose: bool,
    endpoint: str,
) -> int:
    """Delete objects.

    \b
    s3d rm bucket/key bucket/other
    s3d rm --recursive bucket/prefix/
    s3d rm --recursive --force bucket      all objects of the bucket; the bucket stays

    PREFIX is a text that keys begin with: without a / at its end, prefix also means prefix2. Every object is tried; the
    exit code is 1 when one could not be deleted, or was not there and --force was not given.
    """
    _check(targets, recursive=recursive, force=force, version_id=version_id)
    from s3d.cli.client import connect
    from s3d.cli.running import run

    async def main() -> int:
        async with connect(endpoint) as client:
            removal = Removal(client, force=force, dry_run=dry_run, verbose=verbose)
            for target in targets:
                if recursive:
                    await removal.below(target)
                else:
                    await removal.one(target, version_id)
            return 1 if removal.failures else 0

    return run(main())


def _check(targets: Iterable[Target], *, recursive: bool, force: bool, version_id: str | None) -> None:
    """Raises UsageError where the command line would delete more or less than it says."""
    if recursive and version_id:
        raise click.UsageError("--version-id names one version of one object; leave out --recursive")
    for target in targets:
        if not target.key and not recursive:
            raise click.UsageError(f"{target} is a bucket; name objects, or use --recursive --force for all of them")
        if not target.key and not force:
            raise click.UsageError(f"--recursive on the whole bucket {target} needs --force")


class Removal:
    """Deletes objects, says what went wrong with each and counts that."""

    def __init__(self, client: Client, *, force: bool, dry_run: bool, verbose: bool) -> None:
        self._client = client
        self._force = force
        self._dry_run = dry_run
        self._say = verbose or dry_run
        self.failures = 0

    async def one(self, target: Target, version_id: str | None = None) -> None:
        """Deletes one object. S3 does not say whether there was one, so that is asked first."""
        members = target.members | ({"VersionId": version_id} if version_id else {})
        try:
            if not self._force:
                await self._client.call("HeadObject", members)
            if not self._dry_run:
                await self._client.call("DeleteObject", members)
        except S3Failure as error:
            if error.status == 404 and self._force and error.code != "NoSuchBucket":
                return
            self._fail(error)
        else:
            self._tell(target)

    async def below(self, prefix: Target) -> None:
        """Deletes everything whose key begins with that of ``prefix``, a page of the listing at a time."""
        from s3d.cli import listing

        count = 0
        async for page in listing.objects(self._client, prefix):
            keys = [str(entry["Key"]) for entry in page.get("Contents") or []]
            count += len(keys)
            await self._batch(prefix.bucket, keys)
        if not count and prefix.key and not self._force:
            self._fail(Failure(f"There is nothing to delete. ({readable(str(prefix))})"))

    async def _batch(self, bucket: str, keys: list[str]) -> None:
        """At most 1,000 keys, which is what a page has and what DeleteObjects takes."""
        if self._dry_run:
            for key in keys:
                self._tell(Target(bucket, key))
            return
        for key in keys:
            if not fits_xml(key):
                await self.one(Target(bucket, key))
        named = [key for key in keys if fits_xml(key)]
        if not named:
            return
        delete = {"Objects": [{"Key": key} for key in named], "Quiet": True}
        answer = await self._client.call("DeleteObjects", {"Bucket": bucket, "Delete": delete})
        failed = set()
        for error in answer.get("Errors") or []:
            key = str(error.get("Key", ""))
            failed.add(key)
            text = f"{error.get('Code', 'InternalError')}: {error.get('Message', '')} ({bucket}/{readable(key)})"
            self._fail(Failure(text))
        for key in named:
            if key not in failed:
                self._tell(Target(bucket, key))

    def _tell(self, target: Target) -> None:
        if self._say:
            output.write_line(f"{'would delete' if self._dry_run else 'deleted'} {target}")

    def _fail(self, error: Failure) -> None:
        self.failures += 1
        error.show()


def fits_xml(key: str) -> bool:
    """Whether an XML 1.0 document can carry the key: no control characters, no bytes that are not UTF-8. Line ends could
    be written, but not every reader gives them back as they were."""
    return not any(char < " " or "\ud800" <= char <= "\udfff" or char in "\x7f\ufffe\uffff" for char in key)
