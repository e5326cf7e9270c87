"""The table of settings: what derives from it holds for every row."""

from __future__ import annotations

import subprocess
import sys

import pytest

from s3d.daemon.settings import SETTINGS, Setting, closest

ROWS = list(SETTINGS.values())


def test_the_settings_of_this_version() -> None:
    assert list(SETTINGS) == [
        "S3D_CONFIG",
        "S3D_LOCAL_DIR",
        "S3D_ENDPOINT",
        "S3D_ADMIN_ENDPOINT",
        "S3D_ADMIN_TOKEN",
        "S3_ENDPOINT",
        "S3D_CREATE_BUCKETS",
        "S3D_DOMAIN",
        "S3D_REMOTE_ADDRESSING",
        "S3D_REMOTE_CONNECT_TIMEOUT",
        "S3D_REMOTE_IDLE_TIMEOUT",
        "S3D_REMOTE_RESPONSE_TIMEOUT",
        "S3D_REMOTE_CONNECTIONS",
        "S3D_REMOTE_CA_BUNDLE",
        "S3D_WRITE_QUEUE",
        "S3D_WRITE_QUEUE_DIR",
        "S3D_WRITE_QUEUE_MAX_SIZE",
        "S3D_WRITE_QUEUE_MAX_FILES",
        "S3D_WRITE_QUEUE_FILTER",
        "S3D_WRITE_QUEUE_HELD_MAX_SIZE",
        "S3D_WRITE_QUEUE_HELD_MAX_FILES",
        "S3D_WRITE_QUEUE_MAX_AGE",
        "S3D_WRITE_QUEUE_MAX_WAIT",
        "S3D_WRITE_QUEUE_FREE_SPACE",
        "S3D_WRITE_QUEUE_WORKERS",
        "S3D_WRITE_QUEUE_MAX_BANDWIDTH",
        "S3D_WRITE_QUEUE_UNKNOWN_BUCKETS",
        "S3D_WRITE_QUEUE_LEDGER_AGE",
        "S3D_READ_CACHE",
        "S3D_READ_CACHE_DIR",
        "S3D_READ_CACHE_FILTER",
        "S3D_READ_CACHE_MAX_SIZE",
        "S3D_READ_CACHE_MAX_FILES",
        "S3D_READ_CACHE_MAX_OBJECT",
        "S3D_READ_CACHE_MAX_AGE",
        "S3D_READ_CACHE_STALE",
        "S3D_READ_CACHE_NEGATIVE_AGE",
        "S3D_READ_CACHE_DEADLINE",
        "S3D_READ_CACHE_INACTIVE",
        "S3D_READ_CACHE_TAGS",
        "S3D_READ_CACHE_FREE_SPACE",
        "S3D_OPA_POLICY",
        "S3D_OPA_URL",
        "S3D_OPA_ON_ERROR",
        "S3D_OPA_TIMEOUT",
        "S3D_OPA_MAX_AGE",
        "S3D_OFFLINE_LIST",
        "S3D_TLS_CERT",
        "S3D_TLS_KEY",
        "S3D_LOG_LEVEL",
        "S3D_LOG_FORMAT",
        "S3D_SHUTDOWN_GRACE",
        "S3D_CLIENT_IDLE_TIMEOUT",
    ]


def test_names_derive() -> None:
    assert (SETTINGS["S3D_LOCAL_DIR"].key, SETTINGS["S3D_LOCAL_DIR"].flag) == ("local_dir", "--local-dir")
    assert (SETTINGS["S3_ENDPOINT"].key, SETTINGS["S3_ENDPOINT"].flag) == ("s3_endpoint", "--s3-endpoint")
    assert len({row.key for row in ROWS}) == len({row.flag for row in ROWS}) == len(ROWS)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_row(row: Setting) -> None:
    assert row.help.endswith(".")
    assert row.help.count(". ") == 0, "one sentence"
    assert row.metavar.isupper()
    if row.default is not None:
        row.read(row.default)
    with pytest.raises(ValueError, match=r"accepted|no such file|write "):
        row.read("\0")


def test_the_table_is_cheap_to_import() -> None:
    code = "import sys, s3d.daemon.settings; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"aiohttp", "botocore", "asyncio", "click", "ssl", "difflib"} & set(done.stdout.split())


def test_closest() -> None:
    assert closest("S3D_ENDPIONT", list(SETTINGS)) == "S3D_ENDPOINT"
    assert closest("S3D_CREDENTIALS", list(SETTINGS)) is None
