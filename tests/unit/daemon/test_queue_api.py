"""The queue's part of the admin API, and `s3d queue` in front of it: what they take, what they refuse, what they show."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from s3d.cli.main import exit_code
from s3d.cli.queue import line
from s3d.daemon.admin import Admin
from s3d.daemon.config import AdminConfig
from s3d.daemon.status import Status
from s3d.write_queue.operation import Operation
from s3d.write_queue.shown import shown

ERROR = json.dumps({"code": "AccessDenied", "message": "no", "status": 403, "at": 1.0})


def operation(seq: int, state: str = "pending", **changed: Any) -> Operation:
    headers, error = "[]", ERROR if state == "failed" else None
    made = Operation(seq, "b", b"k%d" % seq, "put", state, 1e9, seq, 7, headers, None, 2, 0.0, error, 0, None)
    return replace(made, **changed)


@dataclass
class Fake:
    """`s3d.write_queue.control.Control` over a list."""

    operations: list[Operation]
    did: list[tuple[Any, ...]] = field(default_factory=list)
    left: int = 0

    def page(self, state: str | None, after: int, limit: int) -> list[Operation]:
        return [o for o in self.operations if o.seq > after and state in (None, o.state)][:limit]

    def find(self, seq: int) -> Operation | None:
        return next((o for o in self.operations if o.seq == seq), None)

    def of_key(self, bucket: str, key: str) -> list[Operation]:
        return [o for o in self.operations if (o.bucket, o.key) == (bucket, key.encode())]

    async def retry(self, operations: Sequence[Operation]) -> int:
        self.did.append(("retry", *(o.seq for o in operations)))
        return len(operations)

    async def drop(self, operations: Sequence[Operation]) -> int:
        self.did.append(("drop", *(o.seq for o in operations)))
        return len(operations)

    async def export(self, operations: Sequence[Operation], directory: Path) -> int:
        self.did.append(("export", str(directory), *(o.seq for o in operations)))
        return len(operations)

    async def flush(self, timeout: float | None) -> int:
        self.did.append(("flush", timeout))
        return self.left

    def pause(self) -> None:
        self.did.append(("pause",))

    def resume(self) -> None:
        self.did.append(("resume",))

    def document(self) -> dict[str, Any]:
        return {}


@pytest.fixture
def fake() -> Fake:
    return Fake([operation(1), operation(2, "failed"), operation(3, "failed"), operation(4, key=b"\xff")])


@pytest.fixture
async def url(fake: Fake) -> AsyncIterator[str]:
    admin = Admin(AdminConfig("127.0.0.1", 0), Status({}), lambda: True, fake)
    await admin.start()
    yield f"http://127.0.0.1:{admin.port}"
    await admin.stop()


async def ask(url: str, body: Any = None, **headers: str) -> tuple[int, dict[str, Any]]:
    """GET, or POST with a body."""
    async with aiohttp.ClientSession() as session:
        data = None if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
        async with session.request("GET" if body is None else "POST", url, data=data, headers=headers) as answer:
            return answer.status, await answer.json()


async def test_pages(url: str) -> None:
    status, first = await ask(f"{url}/queue?limit=2")
    assert status == 200
    assert ([entry["seq"] for entry in first["operations"]], first["next"]) == ([1, 2], 2)
    _, second = await ask(f"{url}/queue?limit=3&after=2")
    assert ([entry["seq"] for entry in second["operations"]], second["next"]) == ([3, 4], None)
    assert second["operations"][1]["key"] == "\\xff"
    assert second["operations"][0]["error"]["code"] == "AccessDenied"
    _, failed = await ask(f"{url}/queue?state=failed")
    assert [entry["seq"] for entry in failed["operations"]] == [2, 3]
    _, of_key = await ask(f"{url}/queue?bucket=b&key=k1")
    assert [entry["seq"] for entry in of_key["operations"]] == [1]


@pytest.mark.parametrize("query", ["state=new", "limit=0x", "limit=1001", "after=-1"])
async def test_what_a_page_does_not_take(url: str, query: str) -> None:
    status, document = await ask(f"{url}/queue?{query}")
    assert status == 400
    assert document["error"]


@pytest.mark.parametrize("what", ["retry", "drop"])
async def test_which_operations(url: str, fake: Fake, what: str) -> None:
    assert await ask(f"{url}/queue/{what}", {"seq": [2, 99]}) == (200, {"done": 1})
    assert await ask(f"{url}/queue/{what}", {"bucket": "b", "key": "k1"}) == (200, {"done": 1})
    assert await ask(f"{url}/queue/{what}", {"state": "failed"}) == (200, {"done": 2})
    assert fake.did == [(what, 2), (what, 1), (what, 2, 3)]


NOT_WHICH = [
    {},
    {"state": "pending"},
    {"bucket": "b"},
    {"seq": [True]},
    {"seq": ["1"]},
    {"seq": [1 << 63]},
    b"none",
    [1],
]


@pytest.mark.parametrize("body", NOT_WHICH)
@pytest.mark.parametrize("what", ["retry", "drop"])
async def test_not_without_saying_which(url: str, fake: Fake, what: str, body: Any) -> None:
    status, document = await ask(f"{url}/queue/{what}", body)
    assert status == 400
    assert document["error"]
    assert fake.did == []


async def test_the_rest(url: str, fake: Fake) -> None:
    assert await ask(f"{url}/queue/flush", {"wait": 1.5}) == (200, {"left": 0})
    assert (await ask(f"{url}/queue/flush", {"wait": -1}))[0] == 400
    assert (await ask(f"{url}/queue/export", {"state": "pending", "directory": "relative"}))[0] == 400
    assert await ask(f"{url}/queue/export", {"state": "pending", "directory": "/d"}) == (200, {"done": 2})
    assert await ask(f"{url}/queue/pause", {}) == (200, {"paused": True})
    assert await ask(f"{url}/queue/resume", {}) == (200, {"paused": False})
    assert fake.did == [("flush", 1.5), ("export", "/d", 1, 4), ("pause",), ("resume",)]


async def test_a_web_page_cannot_control_it(url: str, fake: Fake) -> None:
    status, _ = await ask(f"{url}/queue/drop", {"state": "failed"}, Origin="https://evil.test")
    assert status == 403
    assert fake.did == []


async def test_a_daemon_without_a_queue_says_so() -> None:
    admin = Admin(AdminConfig("127.0.0.1", 0), Status({}), lambda: True)
    await admin.start()
    status, document = await ask(f"http://127.0.0.1:{admin.port}/queue")
    await admin.stop()
    assert status == 400
    assert "S3D_WRITE_QUEUE=on" in document["error"]


async def command(url: str, *arguments: str) -> int:
    """The exit code of ``s3d queue``."""
    return await asyncio.to_thread(exit_code, ["queue", *arguments, "--admin-endpoint", url])


async def test_the_command_line(url: str, fake: Fake, capfd: pytest.CaptureFixture[str]) -> None:
    assert await command(url, "ls") == 0
    lines = capfd.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == ["1", "2", "3", "4"]
    assert "AccessDenied: no" in lines[1]
    assert await command(url, "ls", "--json", "b/k1") == 0
    assert json.loads(capfd.readouterr().out)["seq"] == 1
    assert await command(url, "ls", "--state", "failed") == 0
    assert len(capfd.readouterr().out.splitlines()) == 2
    assert await command(url, "retry", "--all") == 0
    assert await command(url, "drop", "--yes", "--seq", "2") == 0
    assert await command(url, "export", "/d", "b/k1") == 0
    assert await command(url, "pause") == await command(url, "resume") == 0
    assert await command(url, "flush", "--wait", "2") == 0
    assert fake.did == [
        *[("retry", 2, 3), ("drop", 2), ("export", "/d", 1), ("pause",), ("resume",)],
        ("flush", 2.0),
    ]


async def test_json_is_what_the_daemon_answers(url: str, fake: Fake, capfd: pytest.CaptureFixture[str]) -> None:
    fake.left = 3
    answers = {
        ("retry", "--all"): (0, {"done": 2}),
        ("drop", "--yes", "--seq", "2"): (0, {"done": 1}),
        ("export", "/d", "b/k1"): (0, {"done": 1}),
        ("pause",): (0, {"paused": True}),
        ("resume",): (0, {"paused": False}),
        ("flush", "--wait", "0"): (1, {"left": 3}),
    }
    for arguments, (code, document) in answers.items():
        assert await command(url, *arguments, "--json") == code
        assert json.loads(capfd.readouterr().out) == document


def test_a_line_says_when_it_is_tried_again() -> None:
    waits = shown(operation(1, error=ERROR, next_attempt=1e9 + 5))
    assert "(2 attempts, next 2001-" in line(waits)
    assert "next" not in line(shown(operation(1, "failed", attempts=1, next_attempt=1e9)))
    assert "(1 attempt; AccessDenied: no)" in line(shown(operation(1, "failed", attempts=1)))
    assert line(shown(operation(1))).endswith("b/k1")


async def test_what_is_left_is_a_failure(url: str, fake: Fake, capfd: pytest.CaptureFixture[str]) -> None:
    fake.left = 3
    assert await command(url, "flush", "--wait", "0") == 1
    assert "3 operations are left" in capfd.readouterr().err


@pytest.mark.parametrize("arguments", [["retry"], ["drop", "--yes"], ["retry", "--all", "b/k"], ["export", "/d"]])
async def test_the_command_line_wants_to_know_which(
    url: str, fake: Fake, arguments: list[str], capfd: pytest.CaptureFixture[str]
) -> None:
    assert await command(url, *arguments) == 2
    assert "Say which operations" in capfd.readouterr().err
    assert fake.did == []


async def test_nothing_is_dropped_without_a_yes(
    url: str, fake: Fake, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("click.termui.visible_prompt_func", lambda prompt: "n")
    assert await command(url, "drop", "--all") == 130
    assert fake.did == []
    capfd.readouterr()
