"""The policy that regopy evaluates, in a process of its own."""

from __future__ import annotations

import asyncio
import errno
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from s3d.local.directory import CannotOpen
from s3d.policy.config import OnError, PolicyConfig
from s3d.policy.open import open_policy
from s3d.policy.own_engine import OwnEngine
from s3d.policy.policy import Policy
from s3d.policy.question import Question

Write = Callable[..., Path]
Opened = Callable[..., Policy]
PUT = Question("PutObject", "b", "k", 10, {}, {}, time=1.7e9)
SLOW = """package s3d

upload if input.size < 100
cache if {
    input.bucket == "slow"
    some x in numbers.range(1, 300)
    some y in numbers.range(1, 300)
    x * y == -1
}
"""
ENDLESS = SLOW.replace("300", "1000000")


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Writes a file of a policy: its text, and its path below the directory."""

    def write_text(text: str, name: str = "policy.rego") -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    return write_text


async def test_it_answers(write: Write, opened: Opened) -> None:
    path = write("package s3d\nupload if input.size < 100\npriority := 9 if input.size < 100\n")
    policy = opened(PolicyConfig(policy=path))
    answer = await policy.ask(PUT)
    assert (answer.upload, answer.priority, answer.failed) == (True, 9, False)
    assert answer.why == f"policy {path}"
    answer = await policy.ask(Question("PutObject", size=100))
    assert (answer.upload, answer.priority, answer.failed) == (None, None, False)
    document = policy.document()
    assert document.pop("loaded") > 1.7e9
    expected = {"engine": "own engine", "policy": str(path), "questions": 2, "failures": 0, "last_error": None}
    assert document == expected
    json.dumps(document)


async def test_a_directory_with_data(write: Write, opened: Opened, tmp_path: Path) -> None:
    write("package s3d\nimport data.lib\nupload if lib.small(input.size, data.limits.bytes)\n", "a.rego")
    write("package lib\nsmall(size, limit) if size < limit\n", "lib/b.rego")
    write("package s3d\nupload := no such\n", "a_test.rego")
    write('{"limits": {"files": 3}}', "data.json")
    write('{"bytes": 11}', "limits/data.json")
    policy = opened(PolicyConfig(policy=tmp_path))
    assert (await policy.ask(PUT)).upload is True
    write('{"bytes": 10}', "limits/data.json")
    await policy.reload()
    assert (await policy.ask(PUT)).upload is None


@pytest.mark.parametrize(
    ("text", "line", "says"),
    [
        ("package s3d\n\nx := := 1\n", 3, "Invalid assignment operator"),
        ("package s3d\n# ü\ny := 1\nx := 1 if {\n", 4, "this is unclosed"),
        ("package s3d\n\nupload if {\n\tinput.size == 77\n\tnosuch(1)\n}\n", 5, "there is no function nosuch"),
        (
            'package s3d\ncache if input.x == 3\nallow if net.cidr_contains("::/0", "::1")\n',
            3,
            "no function net.cidr_con",
        ),
        ("package s3d\nx := data.lib.f(1)\n", 2, "there is no function data.lib.f"),
        ("package s3d\nupload if y\n", None, "a rule uses a variable that nothing sets"),
        ("package s3d\nupload if cache\ncache if upload\n", None, "Recursion detected"),
        ("package s3d\nupload := true\nupload := false\n", None, "a rule with two values at once"),
        ("package other\nupload := true\n", None, "has no package s3d"),
        ("nothing", None, "has no package s3d"),
        ("", None, "Invalid file"),
    ],
)
def test_what_cannot_be_used_is_refused(write: Write, text: str, line: int | None, says: str) -> None:
    path = write(text)
    with pytest.raises(CannotOpen) as raised:
        open_policy(PolicyConfig(policy=path))
    assert str(path) in str(raised.value)
    if line is not None:
        assert f"{path}:{line}: " in str(raised.value)
    assert says in str(raised.value)


def test_a_mistake_in_one_of_many_files_is_found_there(write: Write, tmp_path: Path) -> None:
    write("package s3d\nupload := true\n", "a.rego")
    there = write("package s3d\n\ncache if nosuch(1)\n", "b/c.rego")
    write("package s3d\npin := true\n", "d.rego")
    with pytest.raises(CannotOpen, match=f"^{there}:3: there is no function nosuch"):
        open_policy(PolicyConfig(policy=tmp_path))


@pytest.mark.parametrize(
    ("files", "says"),
    [
        ({}, "is a directory without a .rego file"),
        ({"a_test.rego": "package s3d"}, "is a directory without a .rego file"),
        ({"a.rego": "package s3d", "data.json": "{"}, "data.json is no JSON"),
        ({"a.rego": "package s3d", "data.json": "[]"}, "data.json is no JSON object"),
        ({"a.rego": "package s3d", "data.json": '{"x": {"y": 1}}', "x/data.json": '{"y": 2}'}, "sets y, which another"),
    ],
)
def test_directories_that_cannot_be_used(write: Write, tmp_path: Path, files: dict[str, str], says: str) -> None:
    for name, text in files.items():
        write(text, name)
    with pytest.raises(CannotOpen, match=says):
        open_policy(PolicyConfig(policy=tmp_path))


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(CannotOpen, match=r"nothing.rego cannot be read \(No such file"):
        open_policy(PolicyConfig(policy=tmp_path / "nothing.rego"))
    (tmp_path / "latin.rego").write_bytes(b"package s3d\n# \xff\n")
    with pytest.raises(CannotOpen, match=r"latin.rego is no UTF-8"):
        open_policy(PolicyConfig(policy=tmp_path / "latin.rego"))


async def test_the_files_stay_as_they_are(write: Write, opened: Opened, tmp_path: Path) -> None:
    files = [write("package s3d\nx := 1\n", "a.rego"), write('{"x": {"y": 1}}', "data.json")]
    for file in files:
        os.utime(file, (1, 1))
    opened(PolicyConfig(policy=tmp_path))
    assert [file.stat().st_mtime for file in files] == [1, 1]
    assert sorted(os.listdir(tmp_path)) == ["a.rego", "data.json"]


def test_neither_regopy_nor_aiohttp_is_loaded_unless_they_are_used() -> None:
    program = "import sys, s3d.policy.open; print([name for name in ('regopy', 'aiohttp') if name in sys.modules])"
    assert subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout == "[]\n"


async def test_wrong_types_are_logged_once(write: Write, opened: Opened, caplog: pytest.LogCaptureFixture) -> None:
    path = write('package s3d\nupload := "yes" if input.size == 10\npriority := 11 if input.size == 11\n')
    policy = opened(PolicyConfig(policy=path, on_error=OnError.DENY))
    for _ in range(3):
        answer = await policy.ask(PUT)
        assert (answer.failed, answer.allow, answer.upload, answer.cache) == (True, False, False, False)
        assert "upload is a string, not true or false" in answer.why
    assert [record.error for record in caplog.records] == ["upload is a string, not true or false"]  # type: ignore[attr-defined]
    assert (await policy.ask(Question("PutObject", size=11))).failed
    assert len(caplog.records) == 2
    assert not (await policy.ask(Question("PutObject", size=12))).failed
    document = policy.document()
    assert (document["questions"], document["failures"]) == (5, 4)
    assert document["last_error"] == "priority is 11, not a whole number from 0 to 9"
    await policy.reload()
    caplog.clear()
    assert (await policy.ask(PUT)).failed
    assert len(caplog.records) == 1, "after a reload errors are new"


async def test_an_evaluation_that_fails_is_a_failure(write: Write, opened: Opened) -> None:
    path = write("package s3d\nupload := true\nupload := false if input.size == 10\n")
    policy = opened(PolicyConfig(policy=path))
    answer = await policy.ask(PUT)
    assert (answer.failed, answer.upload, answer.cache, answer.allow) == (True, False, False, None)
    assert "two values at once" in answer.why
    assert (await policy.ask(Question("PutObject", size=9))).upload is True


async def test_a_value_that_is_no_text_is_a_failure(write: Write, opened: Opened) -> None:
    policy = opened(PolicyConfig(policy=write('package s3d\nx := base64.decode(input.key) if input.key != "key"\n')))
    assert not (await policy.ask(Question("PutObject", key="YQ=="))).failed
    answer = await policy.ask(Question("PutObject", key="/w=="))
    assert answer.failed
    assert "no UTF-8" in answer.why


async def test_reload_reads_it_again(write: Write, opened: Opened, caplog: pytest.LogCaptureFixture) -> None:
    changes: list[int] = []
    path = write("package s3d\nupload := true\n")
    policy = opened(PolicyConfig(policy=path), lambda: changes.append(1))
    write("package s3d\nupload := false\n")
    assert (await policy.ask(PUT)).upload is True
    await policy.reload()
    assert (await policy.ask(PUT)).upload is False
    assert changes == [1]
    write("package s3d\n\nupload := := 1\n")
    await policy.reload()
    assert (await policy.ask(PUT)).upload is False, "the one from before stays"
    assert changes == [1]
    assert f"{path}:3: Invalid assignment" in policy.document()["last_error"]
    assert [record.levelname for record in caplog.records] == ["ERROR"]
    path.unlink()
    await policy.reload()
    assert (await policy.ask(PUT)).upload is False
    write("package s3d\ncache := true\n")
    await policy.reload()
    assert (await policy.ask(PUT)).cache is True
    assert policy.document()["last_error"] is None
    assert changes == [1, 1]


async def test_an_engine_that_breaks_at_its_start(
    write: Write, opened: Opened, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    policy = opened(PolicyConfig(policy=write("package s3d\nupload := true\n")))
    broken = tmp_path / "modules" / "regopy.py"
    broken.parent.mkdir()
    broken.write_text("import os\nos.abort()\n")
    monkeypatch.setenv("PYTHONPATH", str(broken.parent), prepend=os.pathsep)
    await policy.reload()
    assert "the engine ended with -6" in policy.document()["last_error"]
    broken.write_text("import time\ntime.sleep(100)\n")
    monkeypatch.setattr("s3d.policy.engine._START", 0.3)
    await policy.reload()
    assert "it takes longer than 0.3 s" in policy.document()["last_error"]
    assert (await policy.ask(PUT)).upload is True
    broken.write_text("raise ImportError('not here')\n")
    monkeypatch.setattr("s3d.policy.engine._START", 30.0)
    with pytest.raises(CannotOpen, match=r"not here.*pip install 's3-daemon\[policy\]'"):
        open_policy(PolicyConfig(policy=tmp_path / "policy.rego"))


async def test_questions_while_it_is_read_again(write: Write, opened: Opened) -> None:
    policy = opened(PolicyConfig(policy=write("package s3d\nupload if input.size < 100\n")))
    reloads = asyncio.gather(*(policy.reload() for _ in range(3)))
    while not reloads.done():
        assert (await policy.ask(PUT)).upload is True
        await asyncio.sleep(0)
    await reloads


async def test_a_slow_evaluation_does_not_stop_the_loop(write: Write, opened: Opened) -> None:
    policy = opened(PolicyConfig(policy=write(SLOW), timeout=30.0))
    asked = asyncio.gather(policy.ask(Question("PutObject", "slow", size=1)), policy.ask(PUT))
    turns = 0
    while not asked.done():
        turns += 1
        await asyncio.sleep(0)
    assert turns > 100
    assert [(answer.upload, answer.failed) for answer in await asked] == [(True, False)] * 2


async def test_an_evaluation_that_takes_too_long_is_ended_and_takes_nothing_with_it(
    write: Write, opened: Opened
) -> None:
    policy = opened(PolicyConfig(policy=write(ENDLESS), timeout=1.0))
    assert isinstance(policy, OwnEngine)
    assert (await policy.ask(PUT)).upload is True
    first = policy._engine
    endless, *others = await asyncio.gather(
        policy.ask(Question("PutObject", "slow", size=1)), *(policy.ask(PUT) for _ in range(40))
    )
    assert endless.failed
    assert "the policy takes longer than 1 s" in endless.why
    assert {(answer.upload, answer.failed) for answer in others} == {(True, False)}
    assert policy._engine is not first
    assert first._process.returncode == -9
    assert policy.document()["failures"] == 1


async def test_an_engine_that_ends_is_started_again(write: Write, opened: Opened) -> None:
    policy = opened(PolicyConfig(policy=write(SLOW), timeout=30.0))
    assert isinstance(policy, OwnEngine)
    assert (await policy.ask(PUT)).upload is True
    asked = asyncio.gather(policy.ask(Question("PutObject", "slow", size=1)), policy.ask(PUT))
    await asyncio.sleep(0)
    policy._engine._process.kill()
    assert [answer.failed for answer in await asked] == [False, False]
    await policy.reload()
    policy._engine._process.kill()  # before it was asked anything
    policy._engine._process.wait()
    assert not (await policy.ask(PUT)).failed
    assert policy.document()["failures"] == 0


async def test_what_ends_each_engine_has_no_answer(write: Write, opened: Opened) -> None:
    """A value that is nested 100,000 times ends the process; what is asked beside it is answered."""
    policy = opened(
        PolicyConfig(policy=write("package s3d\nx := json.unmarshal(input.key) if input.key\nupload := true\n"))
    )
    breaks = Question("PutObject", key="[" * 100_000 + "]" * 100_000)
    answers = await asyncio.gather(*(policy.ask(question) for question in (PUT, breaks, PUT, breaks, PUT)))
    assert [answer.failed for answer in answers] == [False, True, False, True, False]
    assert "the engine ended" in answers[1].why


async def test_the_time_in_line_is_not_that_of_an_evaluation(write: Write, opened: Opened) -> None:
    policy = opened(PolicyConfig(policy=write(SLOW), timeout=1.0))
    assert isinstance(policy, OwnEngine)
    first = policy._engine
    begun = time.monotonic()
    assert not (await policy.ask(Question("PutObject", "slow", size=1))).failed
    needed = int(1.5 / (time.monotonic() - begun)) + 1
    answers = await asyncio.gather(*(policy.ask(Question("PutObject", "slow", size=1)) for _ in range(needed)))
    assert time.monotonic() - begun > 1.0, "longer than the time-out"
    assert [answer.failed for answer in answers] == [False] * needed
    assert policy._engine is first


async def test_a_question_does_not_wait_for_ever(write: Write, opened: Opened, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("s3d.policy.own_engine._PATIENCE", 0.2)
    policy = opened(PolicyConfig(policy=write(ENDLESS), timeout=2.0))
    assert isinstance(policy, OwnEngine)
    asked = [policy.ask(Question("PutObject", "slow", size=1)), *(policy.ask(PUT) for _ in range(20))]
    answers = await asyncio.gather(*asked)
    assert {answer.failed for answer in answers} == {True}
    assert "did not come to a question within 0.4 s" in answers[-1].why
    monkeypatch.undo()
    assert not (await policy.ask(PUT)).failed


@pytest.mark.parametrize("gives_up", [False, True])
async def test_a_start_that_takes_longer_than_an_evaluation_may(
    write: Write, opened: Opened, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, *, gives_up: bool
) -> None:
    """It goes on when nobody waits for it any more."""
    policy = opened(PolicyConfig(policy=write("package s3d\nupload := true\n"), timeout=0.3))
    assert isinstance(policy, OwnEngine)
    first = policy._engine
    slow = tmp_path / "modules" / "sitecustomize.py"
    slow.parent.mkdir()
    slow.write_text("import time\ntime.sleep(0.6)\n")
    monkeypatch.setenv("PYTHONPATH", str(slow.parent), prepend=os.pathsep)
    first.kill()
    if gives_up:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await policy.ask(PUT)
        assert policy._engine is first
    answers = await asyncio.gather(*(policy.ask(PUT) for _ in range(3)))
    assert {(answer.upload, answer.failed) for answer in answers} == {(True, False)}
    assert policy._engine is not first


async def test_no_process_for_the_engine(
    write: Write, opened: Opened, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    policy = opened(PolicyConfig(policy=write("package s3d\nupload := true\n")))
    assert isinstance(policy, OwnEngine)

    def none(*_args: object, **_named: object) -> None:
        raise OSError(errno.EMFILE, "Too many open files")

    for name in ("socket.socketpair", "subprocess.Popen"):
        with monkeypatch.context() as patch:
            patch.setattr(f"s3d.policy.engine.{name}", none)
            await policy.reload()
            assert "its engine cannot be started ([Errno 24] Too many open files)" in policy.document()["last_error"]
            assert not (await policy.ask(PUT)).failed
            policy._engine.kill()
            assert "Too many open files" in (await policy.ask(PUT)).why
        policy._not_before = 0.0
        assert (await policy.ask(PUT)).upload is True
    caplog.clear()


async def test_after_its_end_no_engine_is_started(write: Write, opened: Opened) -> None:
    policy = opened(PolicyConfig(policy=write("package s3d\nupload := true\n")))
    assert isinstance(policy, OwnEngine)
    await policy.close()
    assert "s3d ends" in (await policy.ask(PUT)).why
    assert policy._engine._process.returncode == 0


async def test_the_end_does_not_wait_for_what_nobody_waits_for(write: Write, opened: Opened) -> None:
    policy = opened(PolicyConfig(policy=write(ENDLESS), timeout=60.0))
    assert isinstance(policy, OwnEngine)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.2):
            await policy.ask(Question("PutObject", "slow", size=1))
    await policy.close()
    assert policy._engine._process.returncode == -9


async def test_a_value_that_is_nested_too_deeply(write: Write, opened: Opened) -> None:
    policy = opened(PolicyConfig(policy=write("package s3d\nx := json.unmarshal(input.headers.deep)\n")))
    for depth, why in ((900, None), (1100, "a value is nested too deeply"), (100_000, "the engine ended")):
        answer = await policy.ask(Question("PutObject", headers={"deep": "[" * depth + "]" * depth}))
        assert answer.failed is (why is not None)
        assert why is None or why in answer.why
    assert not (await policy.ask(PUT)).failed


async def test_an_engine_that_cannot_be_started_again_is_not_tried_each_time(
    write: Write, opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write("package s3d\nupload := true\n")
    policy = opened(PolicyConfig(policy=path, timeout=30.0))
    assert isinstance(policy, OwnEngine)
    path.unlink()
    policy._engine.kill()
    assert "cannot be read" in (await policy.ask(PUT)).why
    write("package s3d\nupload := true\n")
    assert "cannot be read" in (await policy.ask(PUT)).why, "it is not tried again so soon"
    monkeypatch.setattr(policy, "_not_before", 0.0)
    assert (await policy.ask(PUT)).upload is True


async def test_who_gives_up_takes_no_answer_from_others(write: Write, opened: Opened) -> None:
    policy = opened(PolicyConfig(policy=write(SLOW + "priority := input.size if input.size < 10\n"), timeout=30.0))
    async with asyncio.TaskGroup() as group:
        first = group.create_task(policy.ask(Question("PutObject", "slow", size=1)))
        others = [group.create_task(policy.ask(Question("PutObject", "b", size=size))) for size in range(10)]
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        first.cancel()
        others[3].cancel()
    assert first.cancelled()
    assert others[3].cancelled()
    assert [task.result().priority for task in others if not task.cancelled()] == [0, 1, 2, 4, 5, 6, 7, 8, 9]


async def test_signals_that_mean_the_daemon_do_not_end_it(write: Write, opened: Opened) -> None:
    policy = opened(PolicyConfig(policy=write("package s3d\nupload := true\n")))
    assert isinstance(policy, OwnEngine)
    process = policy._engine._process
    assert os.getsid(process.pid) != os.getsid(0)
    process.send_signal(signal.SIGTERM)
    assert (await policy.ask(PUT)).upload is True
    await policy.close()
    assert process.returncode == 0


async def test_a_policy_does_not_see_the_settings(
    write: Write, opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AWS_SECRET_ACCESS_KEY", "S3D_ADMIN_TOKEN", "S3_ENDPOINT", "OTHER"):
        monkeypatch.setenv(name, "there")
    policy = opened(PolicyConfig(policy=write("package s3d\nenv := opa.runtime().env\npin if env[input.key]\n")))
    asked = {
        key: await policy.ask(Question("Op", key=key)) for key in ("OTHER", "AWS_SECRET_ACCESS_KEY", "S3_ENDPOINT")
    }
    assert [answer.pin for answer in asked.values()] == [True, None, None]


async def test_what_a_policy_prints_is_no_answer(write: Write, opened: Opened) -> None:
    policy = opened(
        PolicyConfig(policy=write('package s3d\nupload if {\n\tprint("{}", input.key)\n\tinput.key == "a"\n}\n'))
    )
    answers = await asyncio.gather(*(policy.ask(Question("PutObject", key=key)) for key in "bab"))
    assert [answer.upload for answer in answers] == [None, True, None]
