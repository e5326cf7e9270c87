"""``s3d filter check``."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from s3d.cli.filter import command


def check(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(command, ["check", *arguments])
    return result.exit_code, result.output


OBJECT = ("--size", "5MB", "-t", "release=yes", "--header", "Content-Type=video/mp4", "--metadata", "Camera=7")


@pytest.mark.parametrize(
    ("text", "more", "code", "said"),
    [
        ("videos/*", (), 0, "videos/* fits\nit fits\n"),
        ("videos/*[hdr:content-length<6MB][md:camera=7]", OBJECT, 0, "fits"),
        ("videos/*[hdr:content-type='video/*'][tag:release=yes]", OBJECT, 0, "fits"),
        ("videos[tag:site=a]/*", ("--bucket-tag", "site=a"), 0, "fits"),
        ("videos[tag:site=a]/*", (), 1, "videos[tag:site=a]/* does not fit: bucket [tag:site=a]\nit does not fit\n"),
        ("videos/*[tag:release=no]", OBJECT, 1, "does not fit: object [tag:release=no]\n"),
        ("photos/*", (), 1, "does not fit: bucket photos\n"),
        ("videos/b/*", (), 1, "does not fit: key b/*\n"),
        ("videos/* !videos/a/*", (), 1, "videos/* fits\n!videos/a/* fits\nit does not fit\n"),
        ("", (), 0, "it fits\n"),
        ("videos/*[tag:release=*]", (), 2, "\nvideos/*[tag:release=*]\n                     ^"),
    ],
)
def test_check(text: str, more: tuple[str, ...], code: int, said: str) -> None:
    exit_code, output = check(text, "videos/a/1.mp4", *more)
    assert exit_code == code
    assert said in output


def test_as_json() -> None:
    code, output = check("videos/* !videos/*[tag:x]", "videos/a", "--json")
    assert code == 0
    assert json.loads(output) == {
        "fits": True,
        "filters": [
            {"filter": "videos/*", "fits": True, "misses": None},
            {"filter": "!videos/*[tag:x]", "fits": False, "misses": "object [tag:x]"},
        ],
    }
