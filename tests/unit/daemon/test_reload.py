"""Reading the configuration again."""

from __future__ import annotations

import asyncio
import logging
import os
import shutil
import signal
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from unit.daemon.test_run import child

from s3d.daemon.config import Config, load
from s3d.daemon.reload import Reloader
from s3d.s3.errors import S3Error


class Reloading:
    """A reloader of a file, and what it lets the daemon use."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.applied: list[str] = []
        self.error: Exception | None = None
        self.reloader = Reloader(self.load(), self.load, self.apply, 0.01)

    def load(self) -> Config:
        return load({"config": str(self.file)}, {})

    async def apply(self, config: Config) -> None:
        self.applied.append(str(config.rules.upload))
        if self.error is not None:
            raise self.error

    async def until(self, count: int) -> None:
        async with asyncio.timeout(10):
            while len(self.applied) < count:
                await asyncio.sleep(0.01)


@pytest.fixture
async def it(tmp_path: Path) -> AsyncIterator[Reloading]:
    file = tmp_path / "s3d.toml"
    file.write_text('write_queue_filter = "one"\n')
    it = Reloading(file)
    task = asyncio.get_running_loop().create_task(it.reloader.run())
    await asyncio.sleep(0)
    yield it
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_when_the_file_changes(it: Reloading) -> None:
    it.file.write_text('write_queue_filter = "two"\n')
    await it.until(1)
    new = it.file.with_suffix(".new")
    new.write_text('write_queue_filter = "six"\n')
    os.replace(new, it.file)  # as editors do it
    await it.until(2)
    await asyncio.sleep(0.1)
    assert it.applied == ["two", "six"]


async def test_when_it_is_asked_for(it: Reloading) -> None:
    it.reloader.ask()
    await it.until(1)
    assert it.applied == ["one"]


@pytest.mark.parametrize(
    "text", ['write_queue_filter = "two["\n', "write_queue_filter = \n", 'write_queue_filtre = "two"\n']
)
async def test_a_file_that_cannot_be_used_changes_nothing(
    it: Reloading, text: str, caplog: pytest.LogCaptureFixture
) -> None:
    it.file.write_text(text)
    await asyncio.sleep(0.1)
    assert it.applied == []
    assert "stays as it was" in caplog.text
    caplog.clear()
    it.file.write_text('write_queue_filter = "two"\n')
    await it.until(1)
    assert it.applied == ["two"]


async def test_a_file_that_goes_and_comes(it: Reloading, caplog: pytest.LogCaptureFixture) -> None:
    it.file.unlink()
    await asyncio.sleep(0.1)
    assert it.applied == []
    assert "stays as it was" in caplog.text
    caplog.clear()
    it.file.write_text('write_queue_filter = "two"\n')
    await it.until(1)


async def test_what_needs_a_restart_is_told(it: Reloading, caplog: pytest.LogCaptureFixture) -> None:
    it.file.write_text('write_queue_filter = "two"\nlog_level = "debug"\nwrite_queue = true\n')
    await it.until(1)
    (record,) = [r for r in caplog.records if "next start" in r.message]
    assert record.settings == "S3D_LOG_LEVEL, S3D_WRITE_QUEUE"  # type: ignore[attr-defined]
    caplog.clear()


async def test_a_disk_that_fails_meanwhile(it: Reloading, caplog: pytest.LogCaptureFixture) -> None:
    it.error = S3Error("InternalError", "the disk fails")
    it.reloader.ask()
    await it.until(1)
    assert "not all objects were decided again" in caplog.text
    caplog.clear()
    it.error = None
    it.reloader.ask()
    await it.until(2)


async def test_a_defect_ends_nothing(it: Reloading, caplog: pytest.LogCaptureFixture) -> None:
    it.error = OSError(24, "Too many open files")
    it.reloader.ask()
    await it.until(1)
    await asyncio.sleep(0.05)
    assert "reading the configuration again met a defect" in caplog.text
    caplog.clear()
    it.error = None
    it.file.write_text('write_queue_filter = "two"\n')
    await it.until(2)


async def test_a_policy_that_is_replaced_while_it_is_looked_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    below = tmp_path / "policy" / "below"
    below.mkdir(parents=True)
    (below / "a.rego").write_text("package s3d\n")
    config = load({}, {"S3_ENDPOINT": "local:", "S3D_OPA_POLICY": str(below.parent)})
    applied: list[Config] = []

    async def apply(config: Config) -> None:
        applied.append(config)

    task = asyncio.get_running_loop().create_task(Reloader(config, lambda: config, apply, 0.01).run())
    real = os.scandir

    def scandir(path: Any = ".") -> Any:
        if path == below or path == str(below):
            shutil.rmtree(below, ignore_errors=True)
        return real(path)

    await asyncio.sleep(0.05)
    monkeypatch.setattr(os, "scandir", scandir)
    async with asyncio.timeout(10):
        while not applied:
            await asyncio.sleep(0.01)
    assert not task.done()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


def test_by_a_signal(tmp_path: Path) -> None:
    file = tmp_path / "s3d.toml"
    file.write_text('write_queue_filter = "one"\n')
    with child("ready", tmp_path, S3D_CONFIG=str(file), S3D_SHUTDOWN_GRACE="7") as it:
        it.wait_for("serves S3")
        it.process.send_signal(signal.SIGHUP)
        it.wait_for("read again")
        file.write_text('write_queue_filter = "two"\n')
        it.wait_for("read again")
        it.process.send_signal(signal.SIGTERM)
        it.process.send_signal(signal.SIGHUP)
        it.wait_for("stopped")
        assert it.end() == (0, "apply(one)\napply(two)\nstop(7.0)\n")


@pytest.fixture(autouse=True)
def log(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
