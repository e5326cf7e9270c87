"""Ends a process that uses the embedded store at every point where something reaches the disk, one after the other.

A point is the moment before and after each system call that changes the disk, half of each write, each statement that
changes the database, before and after each COMMIT. The calls are replaced in the child process alone, where Python looks
them up; the product has no hook for it. Each point costs two forks of this program: one child runs the scenario and
ends itself with SIGKILL at the point, the other opens what is left as the next start does, and looks.

    kill     the process ends, the machine goes on: what was written is there
    power    the machine ends: names that were not synced are undone, bytes that were not synced are half there

Run as a program: ``crash_points.py SCENARIO DIRECTORY STEP``; it prints one JSON object, a `Report`. With step 1 both modes
take each point, with step 2 one the odd ones and the other the even ones.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import logging
import os
import shutil
import signal
import sqlite3
import sys
import threading
import traceback
from collections.abc import Callable, Coroutine
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from conformance.calling import call
from e2e.crash_scenarios import SCENARIOS, Scenario
from e2e.directories import few_directories

from s3d.local import receive
from s3d.standalone.backend import Standalone
from s3d.standalone.config import StandaloneConfig
from s3d.standalone.fsck import check

_STATEMENTS = ("INSERT", "UPDATE", "DELETE", "CREATE", "COMMIT", "PRAGMA user_version =")
_LIMIT = 2000  # points of one scenario; more means that it does not end


@dataclass
class Report:
    """What came of one scenario."""

    points: list[str] = field(default_factory=list)
    """Those where the process ended."""
    wrong: list[str] = field(default_factory=list)
    """Where something was lost, torn or left; must be empty."""


class Points:
    """Replaces the calls in this process, and ends it at the n-th point, or at the first of that name."""

    def __init__(self, fatal: int | str, directory: Path, *, power: bool) -> None:
        self._fatal = fatal
        self._root = os.fspath(directory)
        self._passed = 0
        self._lock = threading.RLock()
        self._disk = Unsynced(directory, keeps_renames=hash(fatal) % 4 < 2) if power else None
        self._real = {
            name: getattr(os, name) for name in ("open", "write", "writev", "rename", "unlink", "mkdir", "fsync")
        }
        self._names: dict[int, str] = {}
        self.name = os.open(f"{directory}.point", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)

    def install(self) -> None:
        for name in self._real:
            setattr(os, name, getattr(self, f"_{name}"))
        connect = sqlite3.connect
        points = self

        class Connection(sqlite3.Connection):
            def execute(self, sql: str, *parameters: Any) -> sqlite3.Cursor:
                cursor = super().execute(sql, *parameters)
                if sql == "COMMIT":
                    points.at("after COMMIT")
                return cursor

            def executescript(self, sql: str) -> sqlite3.Cursor:
                cursor = super().executescript(sql)
                points.at("after a migration")
                return cursor

        def traced(*args: Any, **more: Any) -> sqlite3.Connection:
            connection = connect(*args, **more, factory=Connection)
            connection.set_trace_callback(points.statement)
            return connection

        sqlite3.connect = traced  # type: ignore[assignment]  # the child's own module

    def statement(self, sql: str) -> None:
        if sql.lstrip().startswith(_STATEMENTS):
            self.at(f"before {' '.join(sql.split()[:3])}")

    def at(self, name: str) -> None:
        with self._lock:
            self._passed += 1
            if self._fatal in (self._passed, name):
                self._end(name)

    def _end(self, name: str) -> None:
        self._real["write"](self.name, name.encode())
        if self._disk is not None:
            for function, real in self._real.items():
                setattr(os, function, real)
            self._disk.lose()
        os.kill(os.getpid(), signal.SIGKILL)

    def _around(self, name: str, path: Any, *args: Any, **more: Any) -> Any:
        """The call, with a point on each side if it is about the store."""
        if not os.fspath(path).startswith(self._root):
            return self._real[name](path, *args, **more)
        label = f"{name} {self._label(os.fspath(path))}"
        self.at(f"before {label}")
        if self._disk is not None:
            self._disk.before(name, os.fspath(path), *args)
        result = self._real[name](path, *args, **more)
        self.at(f"after {label}")
        return result

    def _label(self, path: str) -> str:
        if not path.startswith(self._root):
            return ".."
        return path[len(self._root) :].strip("/").split("/")[0] or "."

    def _open(self, path: Any, flags: int, *args: Any, **more: Any) -> int:
        inside = os.fspath(path).startswith(self._root)
        if inside and flags & os.O_CREAT and not os.path.exists(path):
            handle: int = self._around("open", path, flags, *args, **more)
        else:
            handle = self._real["open"](path, flags, *args, **more)
        self._names[handle] = os.fspath(path)
        return handle

    def _mkdir(self, path: Any, *args: Any, **more: Any) -> None:
        return self._around("mkdir", path, *args, **more)

    def _rename(self, path: Any, to: Any) -> None:
        self._around("rename", path, to)

    def _unlink(self, path: Any) -> None:
        self._around("unlink", path)

    def _fsync(self, handle: int) -> None:
        path = self._names.get(handle, "?")
        kind = "directory" if os.path.isdir(path) else "file"
        self.at(f"before fsync of a {kind} {self._label(path)}")
        self._real["fsync"](handle)
        if self._disk is not None:
            self._disk.synced(path)
        self.at(f"after fsync of a {kind} {self._label(path)}")

    def _writev(self, handle: int, pieces: list[bytes]) -> int:
        if self._disk is not None:
            self._disk.dirty.add(self._names.get(handle, "?"))
        whole = b"".join(pieces)
        self.at("before writev")
        done = self._real["write"](handle, whole[: len(whole) // 2])
        self.at("in the middle of writev")
        done += self._real["write"](handle, whole[done:])
        self.at("after writev")
        return int(done)

    def _write(self, handle: int, data: Any) -> int:
        return int(self._real["write"](handle, data))


class Unsynced:
    """What the disk may forget when the power goes."""

    def __init__(self, directory: Path, *, keeps_renames: bool) -> None:
        self._keeps_renames = keeps_renames  # a disk may remember a name, and not one that was made before it
        self.dirty: set[str] = set()
        self._kept = directory.with_name(f"{directory.name}.kept")
        shutil.rmtree(self._kept, ignore_errors=True)
        self._kept.mkdir()
        self._undo: list[tuple[str, Callable[[], None]]] = []

    def before(self, name: str, path: str, *args: Any) -> None:
        parent = os.path.dirname(path)
        if name in ("open", "mkdir") and not os.path.exists(path):
            remove = os.unlink if name == "open" else shutil.rmtree  # with a directory goes all that is in it
            self._undo.append((parent, lambda: remove(path)))
        elif name == "rename" and not self._keeps_renames:
            to = os.fspath(args[0])
            self._undo.append((os.path.dirname(to), lambda: os.rename(to, path)))
        elif name == "unlink" and os.path.exists(path):
            copy = f"{self._kept}/{len(self._undo)}"
            os.link(path, copy)
            self._undo.append((parent, lambda: os.rename(copy, path)))

    def synced(self, path: str) -> None:
        self.dirty.discard(path)
        self._undo = [(parent, undo) for parent, undo in self._undo if parent != path]

    def lose(self) -> None:
        for _, undo in reversed(self._undo):
            with contextlib.suppress(OSError):  # made and removed again
                undo()
        for path in self.dirty:
            if os.path.exists(path):
                os.truncate(path, os.path.getsize(path) // 2)


def in_child(work: Callable[[int], Coroutine[Any, Any, Any]]) -> tuple[int, str]:
    """Runs ``work`` in a fork of this process: its status as os.waitpid gives it, and what it said through the descriptor
    that ``work`` gets, or at its end as JSON."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        code = 1
        try:
            answer = asyncio.run(work(writing))
            if answer is not None:
                with open(writing, "w") as pipe:
                    json.dump(answer, pipe)
            code = 0
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(code)
    os.close(writing)
    with open(reading, "rb") as pipe:
        said = pipe.read()
    return os.waitpid(child, 0)[1], said.decode()


async def opened(directory: Path) -> Standalone:
    store = Standalone(StandaloneConfig(directory, ("plain", "versioned")))
    await store.open()
    return store


async def snapshot(store: Standalone, directory: Path) -> Any:
    """All that a client can see, without what differs from run to run (version ids, times)."""
    with contextlib.closing(sqlite3.connect(directory / "store.db")) as database:
        versions = database.execute(
            "SELECT name, CAST(key AS TEXT), seq, version, etag, size, 0 FROM object JOIN bucket ON bucket.id = bucket "
            "UNION ALL SELECT name, CAST(key AS TEXT), seq, version, etag, size, marker FROM noncurrent "
            "JOIN bucket ON bucket.id = bucket ORDER BY 1, 2, 3"
        ).fetchall()
        uploads = database.execute(
            "SELECT CAST(key AS TEXT), number, etag, size FROM upload LEFT JOIN part ON part.upload = upload.id "
            "ORDER BY 1, upload.id, 2"
        ).fetchall()
    seen = []
    for bucket, key, _, version, etag, size, marker in versions:
        body = None
        if not marker:
            members = {"Bucket": bucket, "Key": key, "VersionId": version or "null"}
            body = hashlib.md5((await call(store, "GetObject", members))["Body"]).hexdigest()
        seen.append([bucket, key, version is None, etag, size, marker, body])
    return {"versions": seen, "uploads": [list(row) for row in uploads]}


class Run:
    """One scenario."""

    def __init__(self, scenario: Scenario, directory: Path) -> None:
        self._scenario = scenario
        self._base = directory / "base"
        self._used = directory / "used"
        self.report = Report()

    def run(self, step: int) -> None:
        status, said = in_child(self._prepare)
        assert status == 0, f"the preparation failed: {said}"
        self._copy()
        status, said = in_child(self._reference)
        assert status == 0, f"the scenario failed: {said}"
        states = json.loads(said)
        for power in (False, True):
            for fatal in range(step if power else 1, _LIMIT, step):
                if not self._end_at(fatal, states, power=power):
                    break
        for name in self._scenario.passes - {point.partition(" ")[2] for point in self.report.points}:
            self._end_at(name, states, power=False)  # threads change the order: the n-th is not always the same

    def _end_at(self, fatal: int | str, states: list[Any], *, power: bool) -> bool:
        """Whether there is such a point."""
        self._copy()
        status, said = in_child(partial(self._die, fatal, power))
        if status == 0:
            return False
        name = f"{'power' if power else 'kill'} {Path(f'{self._used}.point').read_text()}"
        self.report.points.append(name)
        if not os.WIFSIGNALED(status):
            self.report.wrong.append(f"{name}: the scenario failed with {status}")
            return True
        wrong = self._look(states, len(said), power=power)
        self.report.wrong += [f"{name} ({len(said)} acknowledged): {text}" for text in wrong]
        return True

    def _copy(self) -> None:
        shutil.rmtree(self._used, ignore_errors=True)
        if self._base.exists():
            shutil.copytree(self._base, self._used)

    async def _prepare(self, writing: int) -> None:
        if self._scenario.fresh:
            return
        store = await opened(self._base)
        await call(store, "PutBucketVersioning", _ENABLED)
        await self._scenario.prepare(store)
        if self._scenario.left is not None:
            await self._scenario.left(store, self._base)  # as a crash leaves it: not closed
            return
        await store.close()

    async def _reference(self, writing: int) -> list[Any]:
        """What is seen after each acknowledged operation."""
        store = await opened(self._used)
        states = [await snapshot(store, self._used)]

        async def done() -> None:
            states.append(await snapshot(store, self._used))

        await self._scenario.run(store, done)
        await store.close()
        return states

    async def _die(self, fatal: int | str, power: bool, writing: int) -> None:
        Points(fatal, self._used, power=power).install()
        store = await opened(self._used)

        async def done() -> None:
            os.write(writing, b".")

        await self._scenario.run(store, done)
        await store.close()

    def _look(self, states: list[Any], acknowledged: int, *, power: bool) -> list[str]:
        """What is wrong with what is left, opened as the next start does it."""
        status, said = in_child(partial(self._state, power))
        if status != 0:
            return [f"the next start fails: {said}"]
        found = json.loads(said)
        wrong = list(found["problems"])
        if found["state"] not in states[acknowledged : acknowledged + 2]:
            wrong.append(f"found {found['state']}")
        return wrong

    async def _state(self, power: bool, writing: int) -> dict[str, Any]:
        problems: list[str] = []
        if (self._used / "store.db").exists():
            check(self._used, problems.append)  # a crashed store is whole before it is started again
        store = await opened(self._used)
        state = await snapshot(store, self._used)
        body = os.urandom(100_000)
        await call(store, "PutObject", {"Bucket": "plain", "Key": "after"}, body)  # and it works
        if (await call(store, "GetObject", {"Bucket": "plain", "Key": "after"}))["Body"] != body:
            problems.append("a new object is not what was put")
        await store.close()
        check(self._used, problems.append)
        problems += [f"left: {path}" for path in (self._used / "incoming").iterdir()]
        if power:  # a removal that the disk forgot wastes room until fsck finds it, and harms nothing
            problems = [text for text in problems if not text.endswith("belongs to no object")]
        return {"state": state, "problems": problems}


_ENABLED = {"Bucket": "versioned", "VersioningConfiguration": {"Status": "Enabled"}}


def main(scenario: str, directory: str, step: str) -> None:
    logging.disable()
    few_directories(receive)
    run = Run(SCENARIOS[scenario], Path(directory))
    run.run(int(step))
    json.dump(asdict(run.report), sys.stdout)


if __name__ == "__main__":
    main(*sys.argv[1:])
