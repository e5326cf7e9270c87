"""Whose the objects are that wait: in a list each entry says it."""

from __future__ import annotations

from s3d.s3 import codec
from s3d.s3.codec import xml_read
from s3d.s3.codec.xml_read import local_name
from s3d.s3.codec.xml_write import copied
from s3d.s3.errors import S3Error
from s3d.write_queue.bucket_level import list_buckets
from s3d.write_queue.queue import Queue


async def owner(queue: Queue, bucket: str, *, ask: bool) -> str:
    """The element Owner of the list of all buckets, if the bucket is in it; nothing if not, or the remote does not say.
    ``ask``: the remote, once, if it is not known."""
    known = queue.owners.get(bucket)
    if known is None:
        known = _of(queue.buckets.last_list(), bucket)
        if not known and ask and (document := await _list(queue)) is not None:
            queue.owners[bucket] = known = _of(document, bucket)
    return known


async def _list(queue: Queue) -> bytes | None:
    try:
        response = await list_buckets(queue, codec.build_request("ListBuckets", {}))
    except S3Error:
        return None
    return response.body if response.status == 200 and isinstance(response.body, bytes) else None


def _of(document: bytes | None, bucket: str) -> str:
    if document is None:
        return ""
    try:
        root = xml_read.parse_answer(document)
    except ValueError:
        return ""
    names = {child.text for child in root.iter() if local_name(child.tag) == "Name"}
    found = next((child for child in root if local_name(child.tag) == "Owner"), None)
    return copied(found) if found is not None and bucket in names else ""
