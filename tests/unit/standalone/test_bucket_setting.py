from __future__ import annotations

import pytest
from conformance.calling import call, refused

from s3d.local.database import Connection
from s3d.s3 import codec
from s3d.s3.errors import S3Error
from s3d.standalone import bucket_setting
from s3d.standalone.backend import Standalone
from s3d.standalone.bucket import Bucket
from s3d.standalone.bucket_setting import Setting
from s3d.standalone.store import Call


async def test_a_row(backend: Standalone, bucket: str) -> None:
    store = backend._store
    found = store.bucket(bucket)

    def written(value: str | None) -> None:
        bucket_setting.write(store.database.reader, found, "policy", value)

    store.reader.execute("PRAGMA query_only = OFF")
    assert bucket_setting.read(store.reader, found, "policy") is None
    written("1")
    written("2")
    assert bucket_setting.read(store.reader, found, "policy") == "2"
    assert bucket_setting.read(store.reader, found, "cors") is None
    written(None)
    assert bucket_setting.read(store.reader, found, "policy") is None


async def test_what_the_check_refuses_is_not_kept(backend: Standalone, bucket: str) -> None:
    def check(connection: Connection, at: Bucket, value: str | None) -> None:
        assert bucket_setting.read(connection, at, "policy") is None
        if value == "wrong":
            raise S3Error("AccessDenied")

    setting = Setting("policy", "NoSuchBucketPolicy", lambda call: call.members["Policy"], lambda text: {}, check)
    put = bucket_setting.putter(setting)

    async def send(where: str, text: str) -> None:
        request = codec.build_request("PutBucketPolicy", {"Bucket": where, "Policy": text})
        await put(backend._store, Call(request, {"Bucket": where, "Policy": text}))

    with pytest.raises(S3Error, match="AccessDenied"):
        await send(bucket, "wrong")
    with refused(404, "NoSuchBucketPolicy"):
        await call(backend, "GetBucketPolicy", {"Bucket": bucket})
    with pytest.raises(S3Error, match="NoSuchBucket"):
        await send("other", "right")
    await send(bucket, "right")
    assert (await call(backend, "GetBucketPolicy", {"Bucket": bucket}))["Policy"] == "right"
