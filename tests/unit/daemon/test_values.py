"""Readers of setting values: what is accepted, what it becomes, and what the refusal says."""

from __future__ import annotations

import os
import pickle
from pathlib import Path

import pytest

from s3d.daemon import values
from s3d.daemon.values import Endpoint, Secret


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        *[("90", 90), ("90s", 90), ("1h", 3600), ("1.5h", 5400), ("2m", 120), ("1d", 86400), ("500ms", 0.5)],
        *[(".5", 0.5), (" 3s ", 3), ("3 s", 3), ("3S", 3), ("365d", 365 * 86400)],
    ],
)
def test_duration(text: str, seconds: float) -> None:
    assert values.duration(text) == pytest.approx(seconds)


@pytest.mark.parametrize("text", ["", "s", "1w", "-1", "+1", "1s2", "inf", "nan", "1e3", "0x10", "1_000", "1,5h", "٣"])
def test_duration_refuses(text: str) -> None:
    with pytest.raises(ValueError, match="accepted are seconds or a number with ms, s, m, h or d"):
        values.duration(text)


def test_duration_limits() -> None:
    with pytest.raises(ValueError, match="longer than 0"):
        values.duration("0")
    assert values.duration_or_zero("0s") == 0
    for text in ("366d", "9" * 400):
        with pytest.raises(ValueError, match="at most 365d"):
            values.duration(text)


@pytest.mark.parametrize(
    ("text", "size"),
    [
        *[("0", 0), ("512", 512), ("512B", 512), ("64MB", 64_000_000), ("64mb", 64_000_000), ("1KiB", 1024)],
        *[("1GiB", 2**30), ("1.5 GiB", 3 * 2**29), ("1kB", 1000), ("2TB", 2 * 10**12), ("1TiB", 2**40)],
    ],
)
def test_size(text: str, size: int) -> None:
    assert values.size(text) == size


@pytest.mark.parametrize("text", ["", "MB", "64M", "64 Mo", "-1", "1e9", "64MBs"])
def test_size_refuses(text: str) -> None:
    with pytest.raises(ValueError, match="such as 64MB or 1GiB"):
        values.size(text)


def test_count() -> None:
    assert values.count(" 256 ") == 256
    for text in ("0", "-1", "1.5", "many", "", "1" * 10, "٣"):
        with pytest.raises(ValueError, match="a whole number from 1 on"):
            values.count(text)


def test_choice() -> None:
    read = values.choice("auto", "text", "json")
    assert read("JSON") == "json"
    with pytest.raises(ValueError, match="accepted are auto, text and json"):
        read("xml")


def test_path(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    assert values.path("~/.s3d") == tmp_path / ".s3d"
    assert values.path("data") == tmp_path / "data"
    assert values.path("/var/lib/s3d") == Path("/var/lib/s3d")
    for text in ("", "a\0b"):
        with pytest.raises(ValueError, match="the path of a file or directory"):
            values.path(text)
    with pytest.raises(ValueError, match="give an absolute path"):
        values.path("~no-such-user-at-all/x")


def test_readable_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "cert.pem"
    with pytest.raises(ValueError, match="no such file"):
        values.readable_file(str(file))
    with pytest.raises(ValueError, match="no such file"):
        values.readable_file(str(tmp_path))
    file.write_text("x")
    assert values.readable_file(str(file)) == file
    monkeypatch.setattr(os, "access", lambda *_: False)  # permissions do not bind root, who may run the tests
    with pytest.raises(ValueError, match="permissions"):
        values.readable_file(str(file))


def test_secret_does_not_print() -> None:
    secret = values.secret(" hunter2\n")
    assert secret.reveal() == "hunter2"
    for text in (str(secret), repr(secret), f"{secret}", f"{secret:>20}", "%s" % secret, str([secret])):  # noqa: UP031
        assert "hunter2" not in text
    assert secret == Secret("hunter2") != Secret("other")
    assert len({secret, Secret("hunter2")}) == 1
    with pytest.raises(TypeError, match="not written"):
        pickle.dumps(secret)


@pytest.mark.parametrize("text", ["", " ", "two words", "naïve", "line\nbreak"])
def test_secret_refuses(text: str) -> None:
    with pytest.raises(ValueError, match="visible ASCII"):
        values.secret(text)


def test_domains() -> None:
    assert values.domains("localhost") == ("localhost",)
    assert values.domains("S3.Example.com., localhost  a_b.test,localhost") == (
        "s3.example.com",
        "localhost",
        "a_b.test",
    )
    for text in ("", " , ", ".localhost", "a..b", "-a", "http://x", "x:80", "127.0.0.1", "a/b", "ü.de"):
        with pytest.raises(ValueError, match="accepted are domain names"):
            values.domains(text)


@pytest.mark.parametrize(
    ("text", "endpoint"),
    [
        ("http://localhost:33333", Endpoint("http", "localhost", 33333)),
        ("http://localhost", Endpoint("http", "localhost", 33333)),
        ("HTTPS://Host.Example/", Endpoint("https", "host.example", 33333)),
        ("http://127.0.0.1:0", Endpoint("http", "127.0.0.1", 0)),
        ("http://[::1]:80", Endpoint("http", "::1", 80)),
        ("http://[::]", Endpoint("http", "::", 33333)),
    ],
)
def test_listen(text: str, endpoint: Endpoint) -> None:
    assert values.listen(33333)(text) == endpoint


def test_endpoint_url_brackets_ipv6() -> None:
    assert Endpoint("http", "::1", 80).url == "http://[::1]:80"
    assert Endpoint("https", "h", 1).url == "https://h:1"


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("localhost:33333", "with http:// or https:// in front"),
        ("", "with http:// or https:// in front"),
        ("ftp://localhost", "schemes http and https"),
        ("http://localhost:x", "port up to 65535"),
        ("http://localhost:65536", "port up to 65535"),
        ("http://[::1", "port up to 65535"),
        ("http://", "accepted as host"),
        ("http://:80", "accepted as host"),
        ("http://a b", "accepted as host"),
        ("http://*:80", "accepted as host"),
        ("http://localhost/path", "accepted is http://localhost"),
        ("http://localhost?x=1", "a path or query"),
        ("http://localhost#", "a path or query"),
        ("http://user:pw@localhost", "user name or password"),
    ],
)
def test_listen_refuses(text: str, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        values.listen(33333)(text)


def test_remote_endpoint() -> None:
    assert values.remote_endpoint("https://s3.example.com") == "https://s3.example.com"
    assert values.remote_endpoint("HTTP://Minio:9000/") == "http://minio:9000"
    assert values.remote_endpoint("http://[::1]:9000") == "http://[::1]:9000"
    with pytest.raises(ValueError, match="with http:// or https:// in front"):
        values.remote_endpoint("local:")
    with pytest.raises(ValueError, match="port 0"):
        values.remote_endpoint("http://minio:0")
    with pytest.raises(ValueError, match="a path or query"):
        values.remote_endpoint("http://minio:9000/bucket")


def test_store(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/someone")
    assert values.store("HTTPS://S3.Example.com/") == "https://s3.example.com"
    for text, directory in {
        "local:": None,
        " Local: ": None,
        "local:/var/lib/s3": Path("/var/lib/s3"),
        "local: /var/lib/s 3 ": Path("/var/lib/s 3"),
        "local:~/store": Path("/home/someone/store"),
        "local:store": Path.cwd() / "store",
        "LOCAL:/Mixed/Case": Path("/Mixed/Case"),
        "local:a:b": Path.cwd() / "a:b",
    }.items():
        assert values.store(text) == values.Local(directory)


@pytest.mark.parametrize("text", ["local", "locale:", "", "/var/lib", "local :", "http:"])
def test_what_is_neither_a_url_nor_local(text: str) -> None:
    with pytest.raises(ValueError, match=r"such as https://s3.example.com, or local:"):
        values.store(text)


@pytest.mark.parametrize("text", ["local://host", "local:///srv", "local://"])
def test_local_is_no_url(text: str) -> None:
    with pytest.raises(ValueError, match="no or one slash in front"):
        values.store(text)


def test_bucket_names() -> None:
    assert values.bucket_names("demo") == ("demo",)
    assert values.bucket_names("a.b-c, 0x0 demo,demo  " + "a" * 63) == ("a.b-c", "0x0", "demo", "a" * 63)
    for text in (
        "",
        " , ",
        "ab",
        "a" * 64,
        "Demo",
        "a_b",
        "-ab",
        "ab-",
        ".ab",
        "a..b",
        "127.0.0.1",
        "a/b",
        "dämo",
        "xn--a",
    ):
        with pytest.raises(ValueError, match="accepted are names of buckets"):
            values.bucket_names(text)


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1"])
def test_loopback(host: str) -> None:
    assert values.is_loopback(host)


@pytest.mark.parametrize(
    "host", ["", "0.0.0.0", "::", "10.0.0.1", "::ffff:10.0.0.1", "example.com", "localhost.example"]
)
def test_not_loopback(host: str) -> None:
    assert not values.is_loopback(host)
