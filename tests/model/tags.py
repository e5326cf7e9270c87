"""Tags of objects and buckets ("Categorizing your storage using tags", Amazon S3 User Guide)."""

from __future__ import annotations

import unicodedata
from urllib.parse import parse_qsl

from model.store import Answer, Bucket, Call, Members

from s3d.s3.errors import S3Error

_LIMITS = {"Object": 10, "Bucket": 50}


def tags_of_header(text: str | None) -> dict[str, str]:
    """The tags of an ``x-amz-tagging`` header, which has the form of a query."""
    pairs = parse_qsl(text or "", keep_blank_values=True)
    if len(dict(pairs)) < len(pairs):
        raise S3Error("InvalidArgument", elements={"ArgumentName": "x-amz-tagging", "ArgumentValue": text or ""})
    return _checked(pairs, "Object")


def _checked(pairs: list[tuple[str, str]], owner: str) -> dict[str, str]:
    """Raises what S3 says of a wrong tag set."""
    if len(pairs) > _LIMITS[owner]:
        raise S3Error("BadRequest", f"{owner} tags cannot be greater than {_LIMITS[owner]}")
    for name, value in pairs:
        if not 1 <= len(name) <= 128 or not _writable_text(name):
            raise S3Error("InvalidTag", "The TagKey you have provided is invalid", elements={"TagKey": name})
        if len(value) > 256 or not _writable_text(value):
            elements = {"TagKey": name, "TagValue": value}
            raise S3Error("InvalidTag", "The TagValue you have provided is invalid", elements=elements)
    if len(dict(pairs)) < len(pairs):
        twice = next(name for position, (name, _) in enumerate(pairs) if name in dict(pairs[:position]))
        raise S3Error("InvalidTag", "Cannot provide multiple Tags with the same key", elements={"TagKey": twice})
    return dict(pairs)


def _writable_text(text: str) -> bool:
    """Letters, white space and numbers of any script, and a few signs."""
    return all(unicodedata.category(sign)[0] in "LZN" or sign in "_.:/=+-@" for sign in text)


def _of_document(call: Call, owner: str) -> dict[str, str]:
    return _checked([(tag["Key"], tag["Value"]) for tag in call.members["Tagging"].get("TagSet") or []], owner)


def _tag_set(tags: dict[str, str]) -> list[Members]:
    return [{"Key": name, "Value": value} for name, value in sorted(tags.items())]


def put_object_tagging(bucket: Bucket, call: Call) -> Answer:
    tags = _of_document(call, "Object")
    found = bucket.read(call.key, call.version, call.request.method)
    found.tags = tags
    return Answer(bucket.named(found))


def get_object_tagging(bucket: Bucket, call: Call) -> Answer:
    found = bucket.read(call.key, call.version)
    return Answer({"TagSet": _tag_set(found.tags), **bucket.named(found)})


def delete_object_tagging(bucket: Bucket, call: Call) -> Answer:
    found = bucket.read(call.key, call.version, call.request.method)
    found.tags = {}
    return Answer(bucket.named(found))


def put_bucket_tagging(bucket: Bucket, call: Call) -> Answer:
    bucket.configurations["GetBucketTagging"] = {"TagSet": _tag_set(_of_document(call, "Bucket"))}
    return Answer()
