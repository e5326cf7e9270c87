"""`make run` as somebody uses it who has nothing but its output: the lines that it prints, as they are pasted."""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import peers
import pytest
from e2e.waiting import wait_until

pytestmark = pytest.mark.peer

ROOT = Path(__file__).parent.parent.parent
VENV = peers.BIN.parent


@contextlib.contextmanager
def make_run(directory: Path, **settings: str) -> Iterator[tuple[Path, Path]]:
    """``make run`` on free ports; the files of its standard output and of its log once it serves.

    The setup that comes before is the one that made the environment of this test."""
    env = peers.clean_env(
        HOME=str(directory), S3D_ENDPOINT="http://127.0.0.1:0", S3D_ADMIN_ENDPOINT="http://127.0.0.1:0", **settings
    )
    command = ["make", "--no-print-directory", "-C", ROOT, f"VENV={VENV}", "-o", f"{VENV}/.installed", "run"]
    out, log = directory / "out", directory / "log"
    with out.open("wb") as output, log.open("wb") as errors:
        process = subprocess.Popen(command, env=env, stdout=output, stderr=errors)
    try:
        wait_until(lambda: "serves S3" in log.read_text() or process.poll() is not None)
        yield out, log
    finally:
        peers.stop(process)


def blocks(text: str) -> dict[str, str]:
    """The pasteable lines by the client that they are for."""
    parts = [part.partition("\n") for part in text.split("\n\n") if part.startswith("# ")]
    return {re.split("[ ,]", heading)[1]: lines.strip() + "\n" for heading, _, lines in parts}


def paste(program: list[str], lines: str, home: Path) -> str:
    """What the lines print, given to a program that a person types to. Nothing of AWS is configured there."""
    env = {"PATH": f"{peers.BIN}{os.pathsep}{os.environ['PATH']}", "HOME": str(home)}
    done = subprocess.run(program, input=lines, env=env, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def check(out: Path, home: Path, bucket: str) -> None:
    """Pastes all lines, one client after the other."""
    wait_until(lambda: "AWS_ENDPOINT_URL_S3" in out.read_text())
    lines = blocks(out.read_text())
    assert lines.keys() == {"aws", "boto3", "rclone", "other"}
    assert re.search(r" 6 hello.txt$", paste(["sh", "-e"], lines["aws"], home), re.MULTILINE)
    assert "b'hello'" in paste([sys.executable, "-i", "-q"], lines["boto3"], home)
    assert "6 hello.txt" in paste(["sh", "-e"], lines["rclone"], home)
    assert "hello.txt" in paste(["sh", "-e"], f"{lines['other']}aws s3 ls s3://{bucket}/\n", home)


def test_the_lines_of_make_run_work_as_pasted(tmp_path: Path) -> None:
    with make_run(tmp_path) as (out, log):
        check(out, tmp_path, "demo")
        assert f"the embedded store in {tmp_path}/.s3d/standalone" in log.read_text()
        assert f"keeps its objects in {tmp_path}/.s3d/standalone." in out.read_text()


def test_the_buckets_are_those_that_were_asked_for(tmp_path: Path) -> None:
    with make_run(tmp_path, S3D_CREATE_BUCKETS="first-one,second") as (out, _):
        check(out, tmp_path, "first-one")


def test_without_buckets_the_lines_make_one(tmp_path: Path) -> None:
    with peers.s3d("local:", tmp_path) as daemon:
        check(Path(daemon.extra["out"]), tmp_path, "demo")


def test_with_tls_the_lines_say_what_to_add(tmp_path: Path, certificate: tuple[Path, Path]) -> None:
    cert, key = certificate
    url = f"https://127.0.0.1:{peers.free_port()}"
    with peers.s3d("local:", tmp_path, S3D_ENDPOINT=url, S3D_TLS_CERT=str(cert), S3D_TLS_KEY=str(key)) as daemon:
        out = Path(daemon.extra["out"])
        wait_until(lambda: "AWS_ENDPOINT_URL_S3" in out.read_text())
        text = out.read_text()
        added = re.search(r"^aws: (.*)   boto3: (.*)   rclone: (.*)$", text, re.MULTILINE)
        assert added
        lines = blocks(text)
        aws = lines["aws"].replace("\n", f" {added[1]}\n")
        boto3 = lines["boto3"].replace('"any")', f'"any", {added[2]})')
        rclone = lines["rclone"].replace("\n", f" {added[3]}\n")
        assert "6 hello.txt" in paste(["sh", "-e"], aws, tmp_path)
        assert "b'hello'" in paste([sys.executable, "-i", "-q"], boto3, tmp_path)
        assert "6 hello.txt" in paste(["sh", "-e"], rclone, tmp_path)


@pytest.mark.parametrize("by", ["environment", "file"])
def test_with_a_remote_make_run_is_the_gateway(tmp_path: Path, by: str) -> None:
    file = tmp_path / "s3d.toml"
    file.write_text('s3_endpoint = "http://127.0.0.1:9"\n')
    settings = {"S3_ENDPOINT": "http://127.0.0.1:9"} if by == "environment" else {"S3D_CONFIG": str(file)}
    with make_run(tmp_path, **settings) as (out, log):
        assert "for http://127.0.0.1:9; admin on" in log.read_text()
        assert out.read_text() == ""
    assert not (tmp_path / ".s3d" / "standalone").exists()
