"""What people can do with a cache: for the admin API, without knowing how it is made."""

from __future__ import annotations

from typing import Any, Protocol


class CacheControl(Protocol):
    """See `s3d.read_cache.backend.ReadCache`, which is one."""

    def page(self, bucket: str, prefix: str, after: tuple[str, str], limit: int) -> list[dict[str, Any]]: ...

    async def purge(self, bucket: str, prefix: str) -> int: ...

    def bucket_document(self, bucket: str) -> dict[str, Any]: ...

    def key_document(self, bucket: str, key: str) -> dict[str, Any] | None: ...

    def document(self) -> dict[str, Any]: ...
