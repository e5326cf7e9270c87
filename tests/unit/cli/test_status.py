"""``s3d status``: of the daemon over HTTP, of buckets and objects over the reference model."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from s3d.cli.main import exit_code
from s3d.cli.status import condensed

DOCUMENT = {
    "version": "1",
    "memory_rss_bytes": 1 << 20,
    "settings": {
        "S3D_LOCAL_DIR": {"value": "/x", "source": "flag"},
        "S3D_DOMAIN": {"value": "localhost", "source": "default"},
    },
}


class Admin(BaseHTTPRequestHandler):
    """An admin listener; what it answers is set on the server."""

    def do_GET(self) -> None:
        self.server.seen = (self.path, self.headers.get("Authorization"))  # type: ignore[attr-defined]
        status, body = self.server.answer  # type: ignore[attr-defined]
        self.send_response(status)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def admin(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Admin) as server:
        server.answer = (200, json.dumps(DOCUMENT).encode())  # type: ignore[attr-defined]
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        monkeypatch.setenv("S3D_ADMIN_ENDPOINT", f"http://127.0.0.1:{server.server_port}")
        yield server
        server.shutdown()
        thread.join()


def test_json_is_the_same_document(admin: Any, capfd: pytest.CaptureFixture[str]) -> None:
    assert exit_code(["status", "--json"]) == 0
    assert json.loads(capfd.readouterr().out) == DOCUMENT
    assert admin.seen == ("/status", None)


def test_text_is_short(admin: Any, capfd: pytest.CaptureFixture[str]) -> None:
    assert exit_code(["status"]) == 0
    assert capfd.readouterr().out == (
        "version:          1\nmemory_rss_bytes: 1.0 MiB\nsettings:\n  S3D_LOCAL_DIR: /x (flag)\n"
    )


def test_the_token_is_sent(admin: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("S3D_ADMIN_TOKEN", "secret")
    assert exit_code(["status"]) == 0
    assert admin.seen == ("/status", "Bearer secret")


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        ((401, b""), "answers 401 Unauthorized; set S3D_ADMIN_TOKEN"),
        ((500, b""), "answers 500"),
        ((200, b"<html>"), "is not an answer of s3d"),
        ((200, b"[]"), "is not an answer of s3d"),
    ],
)
def test_other_answers_are_failures(
    admin: Any, answer: tuple[int, bytes], message: str, capfd: pytest.CaptureFixture[str]
) -> None:
    admin.answer = answer
    assert exit_code(["status"]) == 1
    assert message in capfd.readouterr().err


def test_no_daemon(capfd: pytest.CaptureFixture[str]) -> None:
    assert exit_code(["status", "--admin-endpoint", "http://127.0.0.1:9"]) == 1
    assert capfd.readouterr().err == (
        "s3d: No daemon answers at http://127.0.0.1:9: Connection refused. Start it with: s3d run\n"
    )


def test_a_document_without_settings_stays_as_it_is() -> None:
    assert condensed({"a": 1}) == {"a": 1}


def test_the_oldest_operation_is_a_line() -> None:
    oldest = {
        "seq": 7,
        "bucket": "b",
        "key": "k",
        "operation": "put",
        "state": "pending",
        "size": 5,
        "accepted": 1e9,
        "attempts": 0,
        "next_attempt": None,
        "error": None,
    }
    shown = condensed({"write_queue": {"waiting": 1, "oldest": oldest}})["write_queue"]
    assert shown["waiting"] == 1
    assert shown["oldest"].startswith("7 2001-09-0")
    assert shown["oldest"].endswith(" pending  put               5 b/k")
    assert condensed({"write_queue": {"oldest": None}}) == {"write_queue": {"oldest": None}}


def test_an_object(shell: Any) -> None:
    shell.put("k", b"12345", ContentType="text/plain", Tagging="a=1&b=2", Metadata={"m": "v"})
    document = json.loads(shell("status", "--json", "bucket/k")[1])
    assert (document["bucket"], document["key"], document["size"]) == ("bucket", "k", 5)
    assert (document["type"], document["etag"]) == ("text/plain", "827ccb0eea8a706c4c34a16891f84e7b")
    assert (document["tags"], document["metadata"], document["version_id"]) == (2, {"m": "v"}, None)
    assert document["modified"].endswith("+00:00")
    assert "type:       text/plain\n" in shell("status", "bucket/k")[1]


def test_a_bucket(shell: Any) -> None:
    assert shell("status", "bucket") == (0, "bucket: bucket\nregion: us-east-1\n", "")


@pytest.mark.parametrize("name", ["missing", "bucket/missing"])
def test_what_is_not_there(shell: Any, name: str) -> None:
    assert shell("status", name) == (1, "", f"s3d: NotFound: There is no such bucket or key. ({name})\n")
