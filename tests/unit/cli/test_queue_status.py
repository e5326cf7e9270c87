"""What ``s3d status`` shows of the write queue: beside S3's answer, and in its place where that is an error."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from s3d.cli.queue_status import ask, knows_something, readable, state
from s3d.cli.target import parse
from s3d.s3.errors import RemoteUnreachable, S3Error, error_response
from s3d.s3.message import S3Request

OPERATION = {
    "seq": 7,
    "bucket": "bucket",
    "key": "k",
    "operation": "delete",
    "state": "pending",
    "size": 0,
    "accepted": 1e9,
    "attempts": 2,
    "next_attempt": 1e9,
    "superseded": False,
    "error": {"code": "SlowDown", "message": "later", "status": 503, "at": 1e9},
}
UNKNOWN = {"state": "unknown", "deleted": False, "operations": [], "count": 0, "last_pushed": None}
DELETED = UNKNOWN | {"state": "pending", "deleted": True, "operations": [OPERATION], "count": 1}
PUSHED = UNKNOWN | {
    "state": "remote",
    "last_pushed": {"operation": "put", "at": 1e9, "size": 5, "etag": "e", "checksum": None, "version_id": "v"},
}
OF_BUCKET = {
    "known": True,
    "versioning": "never",
    "asked": 1e9,
    "states": {"pending": {"count": 2, "bytes": 2048}},
    "waiting": 2,
    "oldest_age": 1.5,
}


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.server.seen.append(self.path)  # type: ignore[attr-defined]
        status, document = self.server.answer  # type: ignore[attr-defined]
        self.send_response(status)
        self.end_headers()
        self.wfile.write(json.dumps(document).encode())

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def admin(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """An admin listener; ``answer`` is what it answers, ``seen`` what it was asked."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.answer, server.seen = (200, UNKNOWN), []  # type: ignore[attr-defined]
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        monkeypatch.setenv("S3D_ADMIN_ENDPOINT", f"http://127.0.0.1:{server.server_port}")
        yield server
        server.shutdown()
        thread.join()


def test_beside_what_s3_tells(shell: Any, admin: Any) -> None:
    shell.put("k", b"12345")
    admin.answer = (200, PUSHED)
    code, out, err = shell("status", "--json", "bucket/k")
    document = json.loads(out)
    assert (code, err) == (0, "")
    assert (document["size"], document["queue"]) == (5, PUSHED)
    assert admin.seen == ["/status/bucket/k"]
    text = shell("status", "bucket/k")[1]
    assert "  state: remote (at the remote)\n  last_pushed:\n    operation:  put\n" in text
    assert "    at:         2001-09-0" in text
    assert "checksum" not in text


def test_an_object_that_is_deleted_here(shell: Any, admin: Any) -> None:
    admin.answer = (200, DELETED)
    code, out, err = shell("status", "bucket/k")
    assert code == 1
    assert "state: pending (deleted here, not yet at the remote)" in out
    assert "bucket/k  (2 attempts, next 2001-" in out
    assert "SlowDown: later" in out
    assert err == "s3d: NotFound: There is no such bucket or key. (bucket/k)\n"
    assert json.loads(shell("status", "--json", "bucket/k")[1]) == {"bucket": "bucket", "key": "k", "queue": DELETED}


def test_while_the_remote_is_away(shell: Any, admin: Any, backend: Any) -> None:
    def away(request: S3Request) -> None:
        raise RemoteUnreachable("away")

    backend.fail = away
    admin.answer = (200, PUSHED)
    assert shell("status", "bucket/k")[0] == 1  # nothing answers S3: as without a queue


def test_a_remote_that_is_away_behind_the_daemon(shell: Any, admin: Any, backend: Any) -> None:
    backend.fail = lambda request: error_response(S3Error("ServiceUnavailable"), resource="/", request_id="", head=True)
    admin.answer = (200, PUSHED)
    code, out, err = shell("status", "bucket/k")
    assert (code, err.startswith("s3d: ServiceUnavailable")) == (1, True)
    assert "remote (at the remote)" in out


@pytest.mark.parametrize("answer", [(400, {"error": "no queue"}), (404, {}), (401, {}), (200, [])])
def test_without_a_queue_it_is_as_ever(shell: Any, admin: Any, answer: Any) -> None:
    shell.put("k", b"12345")
    admin.answer = answer
    assert "queue" not in json.loads(shell("status", "--json", "bucket/k")[1])
    assert shell("status", "bucket/x") == (1, "", "s3d: NotFound: There is no such bucket or key. (bucket/x)\n")


def test_a_queue_that_knows_nothing_adds_nothing_to_an_error(shell: Any, admin: Any) -> None:
    assert shell("status", "bucket/x") == (1, "", "s3d: NotFound: There is no such bucket or key. (bucket/x)\n")


def test_a_bucket(shell: Any, admin: Any) -> None:
    admin.answer = (200, OF_BUCKET)
    code, out, _ = shell("status", "bucket")
    assert code == 0
    assert out.startswith("bucket: bucket\nregion: us-east-1\nqueue:\n  known:      yes\n  versioning: never\n")
    assert "  states:\n    pending: 2 (2.0 KiB)\n" in out
    assert admin.seen == ["/status/bucket"]
    code, out, err = shell("status", "missing")
    assert (code, "known:" in out, "NotFound" in err) == (1, True, True)


def test_keys_are_bytes(admin: Any) -> None:
    endpoint = f"http://127.0.0.1:{admin.server_port}"
    for key in ("a//../b/", "ä?#%", "\udcff", "."):
        assert ask(parse(f"b/{key}"), endpoint, "http://localhost:33333") == UNKNOWN
    assert admin.seen == ["/status/b/a//../b/", "/status/b/%C3%A4%3F%23%25", "/status/b/%FF", "/status/b/."]


def test_the_daemon_of_another_machine_is_not_the_one_on_this(monkeypatch: pytest.MonkeyPatch) -> None:
    def asked(*_: Any) -> dict[str, Any]:
        raise AssertionError("it was asked")

    monkeypatch.setattr("s3d.cli.admin.ask", asked)
    assert ask(parse("b/k"), "http://localhost:33334", "http://other:33333") is None
    with pytest.raises(AssertionError, match="it was asked"):
        ask(parse("b/k"), "http://other:33334", "http://other:33333")


@pytest.mark.parametrize(
    ("document", "knows"),
    [
        (None, False),
        (UNKNOWN, False),
        (PUSHED, True),
        (DELETED, True),
        (UNKNOWN | {"operations": [OPERATION]}, True),
        (OF_BUCKET, True),
        (OF_BUCKET | {"states": {}}, True),
        (OF_BUCKET | {"known": False}, True),
        (OF_BUCKET | {"known": False, "states": {}}, False),
    ],
)
def test_whether_it_knows_something(document: Any, knows: bool) -> None:
    assert knows_something(document) is knows


@pytest.mark.parametrize(
    ("name", "deleted", "text"),
    [
        ("pending", False, "pending (accepted, not yet at the remote)"),
        ("failed", True, "failed (deleted here; the remote refused that for good)"),
        ("remote", True, "remote (deleted, also at the remote)"),
        ("unknown", False, "unknown (nothing of it is in the queue)"),
        ("held", True, "held (held back)"),
        ("new", False, "new (new)"),
    ],
)
def test_states_in_words(name: str, deleted: bool, text: str) -> None:
    assert state({"state": name, "deleted": deleted}) == text


def test_operations_that_are_not_shown_are_counted() -> None:
    shown = readable({"queue": DELETED | {"count": 5}})["queue"]
    assert (len(shown["operations"]), shown["further"]) == (1, 4)
