"""Short forms for tests of versions."""

from __future__ import annotations

from typing import Any

from conformance.calling import Members, call

from s3d.s3.backend import Backend


async def versioning(backend: Backend, bucket: str, status: str) -> None:
    await call(backend, "PutBucketVersioning", {"Bucket": bucket, "VersioningConfiguration": {"Status": status}})


async def put(backend: Backend, at: Members, body: bytes, **members: Any) -> str | None:
    """The id of the version that was made."""
    return (await call(backend, "PutObject", {**at, **members}, body)).get("VersionId")


async def get(backend: Backend, at: Members, version: str | None = None) -> tuple[bytes, str | None]:
    """Body and version id."""
    got = await call(backend, "GetObject", {**at, "VersionId": version})
    return got["Body"], got.get("VersionId")


async def delete(backend: Backend, at: Members, version: str | None = None) -> tuple[bool | None, str | None]:
    """Whether the answer speaks of a delete marker, and its version id."""
    done = await call(backend, "DeleteObject", {**at, "VersionId": version})
    return done.get("DeleteMarker"), done.get("VersionId")


async def known(backend: Backend, bucket: str, **members: Any) -> list[tuple[str, str, bool, bool]]:
    """Key, version id, whether it is the latest, whether a delete marker: versions and then markers merged by key with
    the latest first, which is all that two lists tell of their common order."""
    found = await call(backend, "ListObjectVersions", {"Bucket": bucket, **members})
    rows = [
        (entry["Key"], entry["VersionId"], entry["IsLatest"], marker)
        for name, marker in (("Versions", False), ("DeleteMarkers", True))
        for entry in found.get(name) or []
    ]
    return sorted(rows, key=lambda row: (row[0].encode("utf-8", "surrogateescape"), not row[2]))
