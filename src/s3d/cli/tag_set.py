"""Tag sets as S3 writes them and as people do, and how a change is merged into one. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

Pairs = Iterable[tuple[str, str]]


def from_members(tag_set: Iterable[Mapping[str, str]]) -> dict[str, str]:
    """The ``TagSet`` member of an answer as a dict in its order."""
    return {tag["Key"]: tag.get("Value", "") for tag in tag_set}


def to_members(tags: Mapping[str, str]) -> list[dict[str, str]]:
    """A dict as a ``TagSet`` member."""
    return [{"Key": key, "Value": value} for key, value in tags.items()]


def merged(current: Mapping[str, str], changes: Pairs) -> dict[str, str]:
    """The current tags with the changes laid over; a tag keeps its place, of equal names the last one wins."""
    return {**current, **dict(changes)}
