from __future__ import annotations

import errno
import sqlite3

import pytest

from s3d.local.errors import is_no_room, refused


def sqlite_error(code: int) -> sqlite3.OperationalError:
    error = sqlite3.OperationalError("failed")
    error.sqlite_errorcode = code
    return error


@pytest.mark.parametrize(
    "error", [OSError(errno.ENOSPC, ""), OSError(errno.EDQUOT, ""), sqlite_error(sqlite3.SQLITE_FULL)]
)
def test_no_room(error: OSError | sqlite3.Error, caplog: pytest.LogCaptureFixture) -> None:
    assert is_no_room(error)
    answer = refused(error, "writing")
    assert (answer.code, answer.headers) == ("SlowDown", {"Retry-After": "30"})
    assert "no room on the disk" in caplog.text


@pytest.mark.parametrize(
    "error", [OSError(errno.EIO, ""), sqlite_error(sqlite3.SQLITE_IOERR), sqlite3.IntegrityError("x")]
)
def test_anything_else(error: OSError | sqlite3.Error, caplog: pytest.LogCaptureFixture) -> None:
    assert not is_no_room(error)
    assert refused(error, "writing").code == "InternalError"
    assert "the disk failed" in caplog.text
