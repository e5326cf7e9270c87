"""What a start finds of the operations of the last run."""

from __future__ import annotations

from pathlib import Path

import pytest
from unit.write_queue.opened import Opened, opened
from unit.write_queue.test_engine import LARGE
from unit.write_queue.test_push_upload import upload

from s3d.write_queue import start_check
from s3d.write_queue.start_check import check_all


def files(queue: Opened, directory: Path, key: str) -> list[Path]:
    """Those of the bodies of an object."""
    operation = queue.journal.of_key("bucket", key.encode())[0]
    version = queue.journal.version(operation)
    assert version is not None
    names = [segment.file for segment in queue.journal.segments(version) if segment.file is not None]
    return [path for path in directory.rglob("*") if path.name in names]


async def found(queue: Opened) -> dict[str, tuple[str, str | None]]:
    """State and error of each key, after the check."""
    await check_all(queue.journal, queue.store.bodies)
    operations = queue.journal.page(None, 0, 99)
    return {o.key.decode(): (o.state, (o.last_error() or {}).get("code")) for o in operations}


async def test_what_is_whole_stays_as_it_is(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async with opened(tmp_path, versioning="Enabled") as queue:
        await queue.put("small")
        await queue.put("empty", b"")
        await queue.put("large", LARGE)
        await upload(queue, "parts")
        await queue.do("DeleteObject", {"Key": "deleted"})
        await queue.do("CopyObject", {"Key": "copy", "CopySource": "bucket/large"})
        assert {state for state, _ in (await found(queue)).values()} == {"pending"}
        assert caplog.text == ""


async def test_what_is_damaged_fails_and_is_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(start_check, "_PAGE", 2)
    async with opened(tmp_path, versioning="Enabled") as queue:
        for key in ("first", "gone", "short", "long", "last"):
            await queue.put(key, LARGE)
        await upload(queue, "parts")
        await queue.put("small")
        files(queue, tmp_path, "gone")[0].unlink()
        files(queue, tmp_path, "short")[0].write_bytes(LARGE[:-1])
        files(queue, tmp_path, "long")[0].write_bytes(LARGE + b"?")
        files(queue, tmp_path, "parts")[1].unlink()
        await queue.store.database.change(
            lambda c: c.execute("UPDATE body SET data = x'00' WHERE data IS NOT NULL AND size = 4") and None
        )
        states = await found(queue)
        whole = {"first", "last"}
        assert {key for key, (state, _) in states.items() if state == "pending"} == whole
        assert {code for key, (_, code) in states.items() if key not in whole} == {"LocalDamage"}
        assert "operations of the last run are damaged" in caplog.text
        caplog.clear()


async def test_one_that_was_pushed_meanwhile_is_not_damaged(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with opened(tmp_path, versioning="Enabled") as queue:
        await queue.put("k", LARGE)
        files(queue, tmp_path, "k")[0].unlink()
        monkeypatch.setattr(queue.journal, "find", lambda _: None)
        assert (await found(queue))["k"] == ("pending", None)
        assert caplog.text == ""


async def test_a_journal_that_cannot_be_written(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with opened(tmp_path, versioning="Enabled") as queue:
        await queue.put("k", LARGE)

        def fails(*_: object) -> None:
            raise OSError(5, "no disk")

        monkeypatch.setattr(queue.store.bodies, "open_file", fails)
        assert (await found(queue))["k"] == ("pending", None)
        assert "could not be checked" in caplog.text
        caplog.clear()
