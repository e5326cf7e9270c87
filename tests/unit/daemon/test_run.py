"""Running: start, signals, exit codes and the sentences for what keeps it from starting."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import signal
import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from peers import clean_env

from s3d.daemon import run
from s3d.daemon.config import load
from s3d.local.directory import CannotOpen
from s3d.server.sockets import CannotListen

CHILD = Path(__file__).with_name("run_child.py")
REMOTE = {"S3_ENDPOINT": "http://remote.test"}


class Child:
    """A running child process; its log is read line by line."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process

    def wait_for(self, text: str) -> str:
        """The rest of the log up to the record whose message has the text; fails when the log ends before."""
        assert self.process.stderr is not None
        seen = []
        for line in self.process.stderr:
            seen.append(line)
            if not line.startswith("{"):
                continue  # a traceback of an interpreter that could not even begin
            message: str = json.loads(line)["message"]
            if text in message:
                return message
        raise AssertionError(f"the log ended without {text!r}:\n{''.join(seen)}")

    def end(self) -> tuple[int, str]:
        """Exit code and what was written to stdout."""
        output, _ = self.process.communicate(timeout=30)
        return self.process.returncode, output


@contextlib.contextmanager
def child(behaviour: str, directory: Path, **settings: str) -> Iterator[Child]:
    env = clean_env(**{**REMOTE, "S3D_LOCAL_DIR": str(directory), **settings})
    command = [sys.executable, str(CHILD), behaviour]
    process = subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    watchdog = threading.Timer(60, process.kill)  # a child that does not do what is waited for fails, not hangs, a test
    watchdog.start()
    try:
        yield Child(process)
    finally:
        watchdog.cancel()
        process.kill()
        process.communicate()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_with_the_grace_and_exit_code_0(number: signal.Signals, tmp_path: Path) -> None:
    with child("ready", tmp_path, S3D_SHUTDOWN_GRACE="7") as it:
        message = it.wait_for("serves S3")
        assert "http://localhost:1234 for http://remote.test; admin on http://localhost:1235" in message
        it.process.send_signal(number)
        it.wait_for("stopping")
        it.wait_for("stopped")
        assert it.end() == (0, "stop(7.0)\n")


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_second_signal_ends_at_once(number: signal.Signals, code: int, tmp_path: Path) -> None:
    with child("slow", tmp_path) as it:
        it.wait_for("serves S3")
        it.process.send_signal(signal.SIGTERM)
        it.wait_for("stopping")
        it.process.send_signal(number)
        assert it.end() == (code, "stop(30.0)\n")


def test_an_embedded_store_says_how_to_use_it(tmp_path: Path) -> None:
    with child("ready", tmp_path, S3_ENDPOINT="local:", S3D_CREATE_BUCKETS="first second") as it:
        message = it.wait_for("serves S3")
        assert f"http://localhost:1234 for the embedded store in {tmp_path / 'standalone'}; admin on" in message
        it.process.send_signal(signal.SIGTERM)
        it.wait_for("stopped")
        code, output = it.end()
    assert code == 0
    assert output.startswith(f"S3 is on http://localhost:1234 and keeps its objects in {tmp_path / 'standalone'}.\n")
    assert "s3://first/" in output
    assert output.endswith("stop(30.0)\n")


def test_nobody_has_to_read_how_to_use_it(tmp_path: Path) -> None:
    with child("ready", tmp_path, S3_ENDPOINT="local:", CLOSE_STDOUT="1") as it:
        it.wait_for("serves S3")
        it.process.send_signal(signal.SIGTERM)
        it.wait_for("stopped")
        assert it.end()[0] == 0


def test_a_store_that_cannot_be_opened(tmp_path: Path) -> None:
    with child("in use", tmp_path, S3_ENDPOINT="local:") as it:
        assert it.wait_for("cannot be opened") == "the local storage cannot be opened: it is in use"
        assert it.end() == (1, "stop(0)\n")


def test_a_port_in_use(tmp_path: Path) -> None:
    with child("busy", tmp_path) as it:
        message = it.wait_for("cannot listen")
        assert message == "cannot listen on localhost:33334: the port is in use in S3D_ADMIN_ENDPOINT"
        assert it.end() == (1, "stop(0)\n")


def test_the_service_manager_is_told(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        manager.settimeout(30)
        with child("ready", tmp_path, NOTIFY_SOCKET=str(tmp_path / "notify")) as it:
            it.wait_for("serves S3")
            assert manager.recv(100) == b"READY=1"
            it.process.send_signal(signal.SIGTERM)
            it.wait_for("stopped")
            assert manager.recv(100) == b"STOPPING=1"
            assert it.end()[0] == 0


def test_no_remote_is_exit_code_2_with_what_to_set(tmp_path: Path) -> None:
    with child("ready", tmp_path, S3_ENDPOINT="", AWS_ACCESS_KEY_ID="", AWS_SECRET_ACCESS_KEY="") as it:
        message = it.wait_for("no remote")
        assert "set S3_ENDPOINT=" in message
        assert "AWS_ACCESS_KEY_ID/AWS_SECRET_ACCESS_KEY" in message
        assert "S3_ENDPOINT=local:" in message
        assert it.end() == (2, "")


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name in list(os.environ):
        if name.startswith(("AWS_", "S3_")):
            monkeypatch.delenv(name)
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, os.devnull)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    return monkeypatch


async def test_what_counts_as_a_remote(aws: pytest.MonkeyPatch) -> None:
    assert await run.missing_remote(load({}, {})) is not None
    assert await run.missing_remote(load({}, REMOTE)) is None, "credentials may come later"
    aws.setenv("AWS_ENDPOINT_URL", "http://remote.test")
    assert await run.missing_remote(load({}, {})) is None
    aws.delenv("AWS_ENDPOINT_URL")
    assert await run.missing_remote(load({}, {"S3_ENDPOINT": "local:"})) is None
    aws.setenv("AWS_ACCESS_KEY_ID", "a")
    aws.setenv("AWS_SECRET_ACCESS_KEY", "b")
    assert await run.missing_remote(load({}, {})) is None


@pytest.mark.parametrize(
    "url", ["http://localhost:33333", "http://127.0.0.1:33334", "http://h/path", "ftp://h", "local:"]
)
async def test_an_endpoint_of_the_chain_that_cannot_be_the_remote(aws: pytest.MonkeyPatch, url: str) -> None:
    """Clients find the daemon by this variable; a daemon that finds itself would forward to itself for ever."""
    aws.setenv("AWS_ENDPOINT_URL_S3", url)
    problem = await run.missing_remote(load({}, {}))
    assert problem is not None
    assert "set S3_ENDPOINT" in problem


async def test_a_profile_that_does_not_exist_is_named(aws: pytest.MonkeyPatch) -> None:
    aws.setenv("AWS_PROFILE", "nobody")
    problem = await run.missing_remote(load({}, {}))
    assert problem is not None
    assert "nobody" in problem


def test_the_local_directory_is_made_for_its_owner_only(tmp_path: Path) -> None:
    config = load({}, {"S3D_LOCAL_DIR": str(tmp_path / "a" / "b")})
    assert run.with_local_directory(config) == config
    assert config.server.spool_dir == tmp_path / "a" / "b" / "spool"
    assert config.server.spool_dir.stat().st_mode & 0o777 == 0o700
    assert config.local_dir.stat().st_mode & 0o777 == 0o700
    assert run.with_local_directory(config) == config


def test_without_a_local_directory_it_goes_on(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "file").write_text("")
    config = run.with_local_directory(load({}, {"S3D_LOCAL_DIR": str(tmp_path / "file" / "d")}))
    assert config.server.spool_dir is None
    assert run.with_local_directory(config) == config
    assert [record.levelno for record in caplog.records] == [logging.WARNING]
    assert "S3D_LOCAL_DIR" in caplog.text


def test_a_local_directory_that_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "access", lambda *_: False)  # permissions do not bind root, who may run the tests
    assert run.with_local_directory(load({}, {"S3D_LOCAL_DIR": str(tmp_path)})).server.spool_dir is None


def test_sentences_for_a_failed_start() -> None:
    config = load({}, {})
    assert run.why_not_started(CannotListen("localhost", 33333, "x"), config).endswith("x in S3D_ENDPOINT")
    assert run.why_not_started(CannotListen("localhost", 33334, "x"), config).endswith("x in S3D_ADMIN_ENDPOINT")
    assert "S3D_TLS_CERT" in run.why_not_started(ssl.SSLError(1, "no match"), config)
    sentence = run.why_not_started(CannotOpen("/x is in use"), config)
    assert sentence == "the local storage cannot be opened: /x is in use"
    assert run.why_not_started(OSError(28, "no space"), config) == "s3d cannot start: [Errno 28] no space"


def test_an_open_listener_is_warned_about(tmp_path: Path) -> None:
    with child("ready", tmp_path, S3D_ENDPOINT="http://0.0.0.0:0") as it:
        it.wait_for("clients on other machines are refused")
