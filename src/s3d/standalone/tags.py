"""Tag sets: their forms and their limits ("Categorizing your objects using tags", Amazon S3 User Guide)."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable

from s3d.s3.errors import S3Error
from s3d.s3.uri import parse_query

OBJECT_LIMIT, BUCKET_LIMIT = 10, 50
_BROKEN_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")
_ALLOWED = re.compile(r"[\w\s+\-=.:/@]*")  # letters, digits and spaces of any script (\w, \s), and these signs


def of_header(text: str | None) -> str | None:
    """The tags of an ``x-amz-tagging`` header, which has the form of a query, as they are stored; a name alone has an empty
    value. Raises InvalidTag, BadRequest, InvalidArgument."""
    if not text:
        return None
    pairs = parse_query(text)
    if len(dict(pairs)) < len(pairs) or _BROKEN_ESCAPE.search(text):
        message = (
            "The header 'x-amz-tagging' shall be encoded as UTF-8 then URLEncoded URL query parameters without tag name "
            "duplicates."
        )
        elements = {"ArgumentName": "x-amz-tagging", "ArgumentValue": text}
        raise S3Error("InvalidArgument", message, elements=elements)
    return stored(pairs, OBJECT_LIMIT)


def of_members(tagging: dict[str, object], limit: int) -> str | None:
    """The tags of a ``Tagging`` document, as they are stored. Raises InvalidTag, BadRequest."""
    tag_set = tagging.get("TagSet") or []
    assert isinstance(tag_set, list)  # noqa: S101  # the codec gives lists for lists
    return stored([(tag["Key"], tag["Value"]) for tag in tag_set], limit)


def stored(pairs: Iterable[tuple[str, str]], limit: int) -> str | None:
    """JSON, in the order of the keys; None for no tags."""
    tags = list(pairs)
    if len(tags) > limit:
        what = "Object" if limit == OBJECT_LIMIT else "Bucket"
        raise S3Error("BadRequest", f"{what} tags cannot be greater than {limit}")
    found: dict[str, str] = {}
    for key, value in tags:
        if key in found:
            raise S3Error("InvalidTag", "Cannot provide multiple Tags with the same key", elements={"TagKey": key})
        if key.lower().startswith("aws:"):
            message = "System tags cannot be added/updated by requester"
            raise S3Error("InvalidTag", message, elements={"TagKey": key})
        if not 1 <= len(key) <= 128 or not _ALLOWED.fullmatch(key):
            raise S3Error("InvalidTag", "The TagKey you have provided is invalid", elements={"TagKey": key})
        if len(value) > 256 or not _ALLOWED.fullmatch(value):
            raise S3Error(
                "InvalidTag", "The TagValue you have provided is invalid", elements={"TagKey": key, "TagValue": value}
            )
        found[key] = value
    return json.dumps(found, sort_keys=True) if found else None


def members(text: str | None) -> list[dict[str, str]]:
    """The ``TagSet`` of stored tags."""
    return [{"Key": key, "Value": value} for key, value in json.loads(text).items()] if text else []
