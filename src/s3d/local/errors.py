"""What a failing disk means to an S3 client."""

from __future__ import annotations

import errno
import logging
import sqlite3

from s3d.s3.errors import S3Error

log = logging.getLogger("s3d.local")

_NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT})


def refused(error: OSError | sqlite3.Error, what: str) -> S3Error:
    """The answer for something that the disk did not do; logged, since only the operator can do something about it.

    No room is SlowDown, which SDKs repeat: nothing was accepted, so nothing is lost. All else is InternalError. ``what``
    is what was tried, for the log.
    """
    if is_no_room(error):
        log.error("no room on the disk", extra={"doing": what, "error": str(error)})
        return S3Error("SlowDown", "The store has no room on its disk.", headers={"Retry-After": "30"})
    log.error("the disk failed", extra={"doing": what, "error": f"{type(error).__name__}: {error}"})
    return S3Error("InternalError")


def is_no_room(error: OSError | sqlite3.Error) -> bool:
    """Whether the disk is full."""
    if isinstance(error, OSError):
        return error.errno in _NO_ROOM
    return getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_FULL
