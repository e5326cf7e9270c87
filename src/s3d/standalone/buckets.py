"""Buckets: create, head, list, delete, location."""

from __future__ import annotations

from collections.abc import Iterable

from s3d.local.database import Connection
from s3d.standalone.store import Store, now


async def create_missing(store: Store, names: Iterable[str]) -> None:
    """Creates those of the buckets that are not there."""

    def change(connection: Connection) -> None:
        for name in names:
            connection.execute(
                "INSERT OR IGNORE INTO bucket (name, created, location) VALUES (?, ?, '')", (name, now())
            )

    await store.database.change(change)
