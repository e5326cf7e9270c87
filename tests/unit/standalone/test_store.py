from __future__ import annotations

import hashlib

from conformance.calling import call
from unit.standalone import opened
from unit.standalone.opened import BUCKET

from s3d.s3.message import S3Request
from s3d.standalone import history
from s3d.standalone.backend import Standalone
from s3d.standalone.store import Call, Store, now

backend, directory, store = opened.backend, opened.directory, opened.store
AT = {"Bucket": BUCKET, "Key": "k"}


async def test_the_segments_of_a_version(backend: Standalone, store: Store) -> None:
    for body in (b"", b"small"):
        await call(backend, "PutObject", AT, body)
        version = history.current(store.reader, store.bucket(BUCKET), b"k")
        assert version is not None
        assert [segment.data for segment in store.segments(version)] == ([body] if body else [])


async def test_the_segments_of_parts_are_in_their_order(backend: Standalone, store: Store) -> None:
    upload = AT | {"UploadId": (await call(backend, "CreateMultipartUpload", AT))["UploadId"]}
    bodies = {2: b"end", 1: bytes(5 << 20)}
    for number, body in bodies.items():
        await call(backend, "UploadPart", {**upload, "PartNumber": number}, body)
    parts = [{"PartNumber": number, "ETag": hashlib.md5(bodies[number]).hexdigest()} for number in (1, 2)]
    await call(backend, "CompleteMultipartUpload", {**upload, "MultipartUpload": {"Parts": parts}})
    version = history.current(store.reader, store.bucket(BUCKET), b"k")
    assert version is not None
    assert [segment.size for segment in store.segments(version)] == [5 << 20, 3]


def test_a_call_names_what_it_is_about() -> None:
    call = Call(S3Request("GET", "GetObject", body=b"x"), {"Bucket": "b", "Key": "\udcff\u00e4"})
    assert (call.bucket, call.key, call.body) == ("b", b"\xff\xc3\xa4", b"x")


def test_now_is_a_whole_second() -> None:
    assert isinstance(now(), int)
