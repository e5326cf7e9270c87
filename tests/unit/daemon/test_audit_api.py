"""``POST /audit``, and `s3d audit` in front of it: what is asked, what is refused, what is shown, the exit code."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import aiohttp
import pytest
from unit.daemon.test_queue_api import ask

from s3d.cli.main import exit_code
from s3d.daemon.admin import Admin
from s3d.daemon.admin_request import BadRequest
from s3d.daemon.audit_api import position, token, wanted
from s3d.daemon.config import AdminConfig
from s3d.daemon.status import Status
from s3d.write_queue.audit import Checked, Found, Page, Wanted
from s3d.write_queue.backend import WriteQueue
from s3d.write_queue.ledger import Entry, Position

ENTRY = Entry(1, "b", b"k", "put", 5, "e", "CRC32:x", "v1", 1e9, 1e9, 1)
AWAY = {"code": "ServiceUnavailable", "message": "gone", "status": 503, "at": 1.0}
SAME = Checked(ENTRY, "same", found=Found(5, "e"))
DELETED = Checked(replace(ENTRY, kind="delete"), "deleted")
GONE = Checked(replace(ENTRY, key=b"gone"), "gone", kept=True)
CHANGED = Checked(
    replace(ENTRY, key=b"c\xff"), "changed", ("size", "etag", "checksum"), Found(6, "f", {"CRC32": "y"}, "v2", "now")
)
EXISTS = Checked(replace(ENTRY, kind="delete", key=b"back"), "exists", found=Found(7, "g", modified="now"))
UNKNOWN = Checked(replace(ENTRY, key=b"u"), "unknown", error={"code": "AccessDenied", "message": "no"})
SKIPPED = Checked(replace(ENTRY, key=b"s"), "skipped")
OLDER = Checked(replace(ENTRY, key=b"o", newest=0), "gone")
UNASKED = Checked(replace(ENTRY, key=b"unasked"), "unknown", error=AWAY)


class Fake(WriteQueue):
    """Has pages, which it gives one after the other."""

    def __init__(self) -> None:
        self.pages: list[list[Checked]] = [[SAME]]
        self.asked: list[Wanted] = []
        self.away: str | None = None

    async def audit(self, wanted: Wanted) -> Page:
        self.asked.append(wanted)
        number = wanted.after.seq if wanted.after else 0
        following = Position("b", b"\xff", number + 1) if number + 1 < len(self.pages) else None
        return Page(self.pages[number], following, self.away)


@pytest.fixture
def fake() -> Fake:
    return Fake()


@pytest.fixture
async def url(fake: Fake) -> AsyncIterator[str]:
    admin = Admin(AdminConfig("127.0.0.1", 0), Status({}), lambda: True, fake)
    await admin.start()
    yield f"http://127.0.0.1:{admin.port}"
    await admin.stop()


async def test_a_page(url: str, fake: Fake) -> None:
    fake.pages = [[CHANGED], [GONE]]
    status, document = await ask(f"{url}/audit", {"bucket": "b", "prefix": "\udcff", "limit": 7, "versions": False})
    assert status == 200
    assert document["away"] is None
    assert document["entries"] == [
        {
            "bucket": "b",
            "key": "c\\xff",
            "status": "changed",
            "operation": "put",
            "pushed": 1e9,
            "size": 5,
            "etag": "e",
            "checksum": "CRC32:x",
            "version_id": "v1",
            "newest": True,
            "differs": ["size", "etag", "checksum"],
            "found": {"size": 6, "etag": "f", "checksums": {"CRC32": "y"}, "version_id": "v2", "modified": "now"},
            "kept": None,
            "error": None,
        }
    ]
    assert fake.asked == [Wanted("b", b"\xff", None, 7, versions=False)]
    _, second = await ask(f"{url}/audit", {"after": document["next"]})
    assert ([entry["key"] for entry in second["entries"]], second["next"]) == (["gone"], None)
    assert fake.asked[1] == Wanted(None, b"", Position("b", b"\xff", 1), 100, versions=True)


@pytest.mark.parametrize(
    "body",
    [
        {"prefix": "p"},
        {"bucket": 1},
        {"bucket": "b", "prefix": "\ud800"},
        {"limit": 0},
        {"limit": 1001},
        {"limit": True},
        {"limit": "5"},
        {"versions": 1},
        {"after": 1},
        {"after": "x"},
        {"after": "ü"},
        {"after": "bnVsbA=="},
        {"after": "WyJiIiwgIjZiIiwgLTFd"},
        {"after": "WzEsICI2YiIsIDFd"},
        {"key": "k"},
        b"none",
    ],
)
async def test_what_it_does_not_take(url: str, fake: Fake, body: Any) -> None:
    status, document = await ask(f"{url}/audit", body)
    assert status == 400
    assert document["error"]
    assert fake.asked == []


def test_positions_as_text() -> None:
    place = Position("b", b"\xff/\x00", 1 << 60)
    assert position(token(place)) == place
    with pytest.raises(BadRequest):
        position(token(place)[:-5])


def test_nothing_asked_is_everything() -> None:
    assert wanted({}) == wanted({"bucket": "", "prefix": "", "after": None}) == Wanted()


async def test_it_is_no_page_for_browsers(url: str, fake: Fake) -> None:
    assert (await ask(f"{url}/audit"))[0] == 405
    assert (await ask(f"{url}/audit", {}, Origin="https://evil.test"))[0] == 403
    assert fake.asked == []


async def test_without_a_queue() -> None:
    admin = Admin(AdminConfig("127.0.0.1", 0), Status({}), lambda: True)
    await admin.start()
    status, document = await ask(f"http://127.0.0.1:{admin.port}/audit", {})
    await admin.stop()
    assert (status, "S3D_WRITE_QUEUE=on" in document["error"]) == (400, True)


async def test_a_page_that_is_cut_off_is_no_error_of_ours(
    url: str, fake: Fake, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The daemon stops: who asks sees the connection end."""

    async def cut_off(wanted: Wanted) -> Page:
        raise asyncio.CancelledError

    monkeypatch.setattr(fake, "audit", cut_off)
    with pytest.raises(aiohttp.ClientError):
        await ask(f"{url}/audit", {})
    assert caplog.records == []


async def command(url: str, *arguments: str) -> int:
    """The exit code of ``s3d audit``."""
    return await asyncio.to_thread(exit_code, ["audit", *arguments, "--admin-endpoint", url])


async def test_nothing_differs(url: str, fake: Fake, capfd: pytest.CaptureFixture[str]) -> None:
    fake.pages = [[SAME], [], [DELETED, SKIPPED]]
    assert await command(url) == 0
    assert capfd.readouterr() == ("", "2 compared: 1 same, 1 deleted, 1 skipped\n")
    assert await command(url, "--all", "b/p", "--newest") == 0
    assert [line.split()[0] for line in capfd.readouterr().out.splitlines()] == ["same", "deleted", "skipped"]
    assert [(w.bucket, w.prefix, w.versions) for w in fake.asked[::3]] == [(None, b"", True), ("b", b"p", False)]


async def test_nothing_was_pushed(url: str, fake: Fake, capfd: pytest.CaptureFixture[str]) -> None:
    fake.pages = [[]]
    assert await command(url) == 0
    assert capfd.readouterr().err == "nothing to compare: the ledger has no such entries\n"


@pytest.mark.parametrize(
    ("checked", "said"),
    [
        (GONE, ["gone     b/gone  (pushed 2001-", ", 5 bytes; its version v1 is still there)"]),
        (replace(GONE, kept=False), ["its version v1 is not there as it was pushed either)"]),
        (
            CHANGED,
            [
                "changed  b/c\\xff  (size 6, pushed 5; ETag f, pushed e; CRC32 y, pushed x; pushed 2001-",
                "modified now)",
            ],
        ),
        (EXISTS, ["exists   b/back  (deleted 2001-", ", has 7 bytes, modified now)"]),
        (UNKNOWN, ["unknown  b/u  (AccessDenied: no)"]),
        (OLDER, ["gone     b/o version v1  (pushed 2001-"]),
    ],
)
async def test_what_differs(
    url: str, fake: Fake, checked: Checked, said: list[str], capfd: pytest.CaptureFixture[str]
) -> None:
    fake.pages = [[SAME, checked]]
    assert await command(url) == 1
    out, err = capfd.readouterr()
    assert all(piece in out for piece in said), out
    assert len(out.splitlines()) == 1
    assert err == f"2 compared: 1 same, 1 {checked.status}\n"


async def test_json(url: str, fake: Fake, capfd: pytest.CaptureFixture[str]) -> None:
    fake.pages = [[SAME, GONE]]
    assert await command(url, "--json") == 1
    entry, summary = (json.loads(line) for line in capfd.readouterr().out.splitlines())
    assert (entry["status"], entry["key"]) == ("gone", "gone")
    counts = {"same": 1, "deleted": 0, "gone": 1, "changed": 0, "exists": 0, "unknown": 0, "skipped": 0}
    assert summary == {"summary": counts, "away": None}


async def test_the_remote_is_away(url: str, fake: Fake, capfd: pytest.CaptureFixture[str]) -> None:
    fake.pages, fake.away = [[GONE, UNASKED], [SAME]], "no route"
    assert await command(url) == 2
    out, err = capfd.readouterr()
    assert [line.split()[0] for line in out.splitlines()] == ["gone"]
    assert err == ("1 compared: 1 gone\ns3d: The remote is away, so not everything was compared: no route\n")
    assert len(fake.asked) == 1


async def test_an_older_daemon_that_does_not_end(
    url: str, fake: Fake, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    async def again(wanted: Wanted) -> Page:
        return Page([], Position("b", b"k", 1), None)

    monkeypatch.setattr(fake, "audit", again)
    assert await command(url) == 2
    assert "does not end" in capfd.readouterr().err


async def test_no_daemon(capfd: pytest.CaptureFixture[str]) -> None:
    assert await command("http://127.0.0.1:9") == 2
    assert "No daemon answers" in capfd.readouterr().err
