"""``s3d filter``: trying filters out."""

from __future__ import annotations

import click

from s3d.cli import options, output
from s3d.cli.errors import visible
from s3d.cli.target import Target


@click.group("filter")
def command() -> None:
    """Try filters out."""


@command.command("check")
@click.argument("text", metavar="FILTER")
@options.object_target
@options.described
@click.option(
    "--bucket-tag",
    "of_bucket",
    metavar="NAME=VALUE",
    type=options.PairType(),
    multiple=True,
    help="A tag of the bucket.",
)
@options.as_json
def check(
    text: str,
    target: Target,
    *,
    described: options.Described,
    of_bucket: tuple[tuple[str, str], ...],
    as_json: bool,
) -> None:
    """Say whether a filter fits an object. The exit code is 1 if it does not, 2 if it is no filter.

    No daemon is asked: the object is what the options say.
    """
    from s3d.filters.facts import Facts
    from s3d.filters.match import Filters
    from s3d.filters.parse import FilterError

    try:
        filters = Filters.of(text)
    except FilterError as error:
        raise click.UsageError(visible_lines(f"{error}\n{error.pointed()}")) from error
    known = Facts(
        target.bucket,
        target.key,
        described.size,
        described.headers,
        described.metadata,
        described.tags,
        dict(of_bucket),
    )
    fits, reasons = filters.matches(known), filters.explained(known)
    if as_json:
        found = [{"filter": r.filter, "fits": r.matches, "misses": r.misses} for r in reasons]
        output.write_json({"fits": fits, "filters": found})
    else:
        for reason in reasons:
            why = "fits" if reason.matches else f"does not fit: {reason.misses}"
            output.write_line(visible(f"{reason.filter} {why}"))
        output.write_line("it fits" if fits else "it does not fit")
    if not fits:
        raise click.exceptions.Exit(1)


def visible_lines(text: str) -> str:
    """Without control characters but line breaks."""
    return "\n".join(map(visible, text.splitlines()))
