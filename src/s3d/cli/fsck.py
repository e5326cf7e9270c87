"""``s3d fsck``: is everything that the embedded store holds what it was when it was stored?"""

from __future__ import annotations

import os
from pathlib import Path

import click

from s3d.cli import output
from s3d.cli.errors import CannotCheck, Misconfigured, readable


@click.command("fsck")
@click.argument("directory", metavar="[DIR]", type=click.Path(path_type=Path), required=False)
@click.option("--repair", is_flag=True, help="Also repair what can be repaired; what is damaged is kept aside.")
def command(directory: Path | None, *, repair: bool) -> int:
    """Check the embedded store.

    Every body is read and compared with its checksum, so this takes as long as reading the disk. DIR is the directory of
    a store that no daemon uses now; without it, the one that `s3d run` with S3_ENDPOINT=local: would use.

    The exit code is 0 when nothing was found, 1 when there are problems (each is a line), 2 when nothing was checked.
    """
    directory = directory or _configured()
    if not directory.is_dir():
        raise CannotCheck(f"There is no directory {readable(str(directory))}: name the directory of a store.")
    from s3d.local.directory import CannotOpen
    from s3d.standalone.fsck import check

    try:
        found = check(directory, lambda problem: output.write_line(readable(problem)), repair=repair)
    except CannotOpen as error:
        raise CannotCheck(str(error)) from error
    summary = f"{found} problem{'' if found == 1 else 's'}" if found else "no problems"
    click.echo(f"{readable(str(directory))}: {summary}", err=True)
    return 1 if found else 0


def _configured() -> Path:
    """The directory that the settings name for the embedded store, or that they would."""
    from s3d.daemon.config import ConfigError, embedded_store

    try:
        return embedded_store(os.environ).directory
    except ConfigError as error:
        raise Misconfigured(str(error)) from error
