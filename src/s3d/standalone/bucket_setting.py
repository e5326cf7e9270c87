"""One setting of a bucket: its row, and the operations that put, get and delete it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from s3d.local.database import Connection
from s3d.s3 import codec
from s3d.s3.errors import S3Error
from s3d.s3.message import S3Response
from s3d.standalone import bucket as buckets
from s3d.standalone.bucket import Bucket
from s3d.standalone.store import Call, Members, Store

Handler = Callable[[Store, Call], Awaitable[S3Response]]


def _accept(connection: Connection, bucket: Bucket, value: str | None) -> None:
    """The check of a setting that depends on no other."""


@dataclass(frozen=True, slots=True)
class Setting:
    """How a setting is stored and said."""

    name: str
    """As in ``bucket_setting.name``."""
    missing: str
    """The error code when it is not set."""
    stored: Callable[[Call], str | None]
    """The text to keep, from the input of the put; None: nothing. Raises S3Error for what S3 refuses."""
    members: Callable[[str], Members]
    """The output of the get, from that text."""
    check: Callable[[Connection, Bucket, str | None], None] = _accept
    """Raises S3Error if the bucket's state forbids the text; inside the transaction."""


def read(connection: Connection, bucket: Bucket, name: str) -> str | None:
    """The text of a setting; None if it is not set."""
    query = "SELECT value FROM bucket_setting WHERE bucket = ? AND name = ?"
    row = connection.execute(query, (bucket.id, name)).fetchone()
    return row[0] if row else None


def write(connection: Connection, bucket: Bucket, name: str, value: str | None) -> None:
    """Sets it; None removes it."""
    if value is None:
        connection.execute("DELETE FROM bucket_setting WHERE bucket = ? AND name = ?", (bucket.id, name))
    else:
        connection.execute("INSERT OR REPLACE INTO bucket_setting VALUES (?, ?, ?)", (bucket.id, name, value))


def not_set(bucket: Bucket, code: str) -> S3Error:
    """The error of a get when nothing is set."""
    return S3Error(code, elements={"BucketName": bucket.name})


def putter(setting: Setting) -> Handler:
    """The operation that sets it. Errors: NoSuchBucket, those of the setting."""

    async def put(store: Store, call: Call) -> S3Response:
        store.bucket(call.bucket)
        value = setting.stored(call)

        def change(connection: Connection) -> None:
            bucket = buckets.find(connection, call.bucket)
            setting.check(connection, bucket, value)
            write(connection, bucket, setting.name, value)

        await store.database.change(change)
        return codec.build_response(call.request.operation, {})

    return put


def getter(setting: Setting) -> Handler:
    """The operation that reads it. Errors: NoSuchBucket, that of a setting that is not set."""

    async def get(store: Store, call: Call) -> S3Response:
        bucket = store.bucket(call.bucket)
        value = read(store.reader, bucket, setting.name)
        if value is None:
            raise not_set(bucket, setting.missing)
        return codec.build_response(call.request.operation, setting.members(value))

    return get


def deleter(setting: Setting) -> Handler:
    """The operation that removes it, also when it is not set. Errors: NoSuchBucket."""

    async def delete(store: Store, call: Call) -> S3Response:
        def change(connection: Connection) -> None:
            write(connection, buckets.find(connection, call.bucket), setting.name, None)

        await store.database.change(change)
        return codec.build_response(call.request.operation, {})

    return delete
