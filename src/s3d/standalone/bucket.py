"""A bucket as it is stored, and who owns everything."""

from __future__ import annotations

import re
from dataclasses import dataclass

from multidict import CIMultiDict

from s3d.local.database import Connection
from s3d.s3.errors import S3Error

OWNER = {"ID": "75aa57f09aa0c8caeab4f8c24e99d10f8e7faeebf76c078efc7c6caea54ba06a", "DisplayName": "s3d"}
"""The one owner, in the form of S3: a canonical user id has 64 hex digits."""

_ACCOUNT = re.compile(r"\w{12}", re.ASCII)
_EXPECTED_OWNER = ("x-amz-expected-bucket-owner", "x-amz-source-expected-bucket-owner")


def check_expected_owner(headers: CIMultiDict[str]) -> None:
    """Whose bucket the request believes it to be. Any account will do: an application says that of its own, which is not
    known here. Raises InvalidBucketOwnerAWSAccountID for what is no account."""
    for name in _EXPECTED_OWNER:
        owner = headers.get(name)
        if owner is not None and owner != OWNER["ID"] and not _ACCOUNT.fullmatch(owner):
            message = f"The value of the expected bucket owner parameter must be an AWS Account ID... [{owner}]"
            raise S3Error("InvalidBucketOwnerAWSAccountID", message)


@dataclass(frozen=True, slots=True)
class Bucket:
    """A row of ``bucket``; see `s3d.standalone.schema` for the columns."""

    id: int
    name: str
    created: int
    location: str
    versioning: str | None


def find(connection: Connection, name: str) -> Bucket:
    """Raises NoSuchBucket."""
    row = None
    if name.isascii():  # no bucket has another name, and SQLite takes no text that is not UTF-8
        query = "SELECT id, name, created, location, versioning FROM bucket WHERE name = ?"
        row = connection.execute(query, (name,)).fetchone()
    if row is None:
        raise S3Error("NoSuchBucket", elements={"BucketName": name})
    return Bucket(*row)
