"""The settings file."""

from __future__ import annotations

from pathlib import Path

import pytest

from s3d.daemon import toml_file


def read(tmp_path: Path, text: str | bytes) -> tuple[dict[str, str], list[str]]:
    file = tmp_path / "s3d.toml"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    problems: list[str] = []
    return toml_file.read(file, problems), [problem.replace(str(file), "FILE") for problem in problems]


def test_values_become_text(tmp_path: Path) -> None:
    text = 'local_dir = "/d"\nremote_connections = 8\nshutdown_grace = 1.5\nremote_idle_timeout = "2m"\n'
    found, problems = read(tmp_path, text + 'domain = ["a.test", "b.test"]\ns3_endpoint = "http://x"\n')
    assert problems == []
    assert found == {
        "S3D_LOCAL_DIR": "/d",
        "S3D_REMOTE_CONNECTIONS": "8",
        "S3D_SHUTDOWN_GRACE": "1.5",
        "S3D_REMOTE_IDLE_TIMEOUT": "2m",
        "S3D_DOMAIN": "a.test,b.test",
        "S3_ENDPOINT": "http://x",
    }


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("local_dri = 1", "FILE: local_dri is not a setting of s3d: did you mean local_dir?"),
        ("S3D_LOCAL_DIR = 1", "FILE: S3D_LOCAL_DIR is not a setting of s3d: did you mean local_dir?"),
        ("S3_ENDPOINT = 1", "FILE: S3_ENDPOINT is not a setting of s3d: did you mean s3_endpoint?"),
        ("sync_folder = true", "FILE: sync_folder is not a setting of s3d: remove it; `s3d run --help` lists"),
        ("config = 'x'", "FILE: config cannot be set in the file itself: use the variable S3D_CONFIG"),
        ("[remote]\nconnections = 1", "keys stand at the top level, such as remote_connections = ..."),
        ("[server]\nx = 1", "there is no table [server] of settings"),
        ("local_dir = 5", "FILE: local_dir cannot be 5: accepted is a string in quotes"),
        (
            "remote_connections = true",
            "FILE: remote_connections cannot be True: accepted is a string in quotes or a whole",
        ),
        ("remote_connections = 1.5", "FILE: remote_connections cannot be 1.5"),
        ("shutdown_grace = 2020-01-01", "accepted is a string in quotes or a whole number or a number"),
        ("domain = ['a', 1]", "FILE: domain cannot be ['a', 1]: accepted is a string in quotes or a list of strings"),
        ("= 5", "S3D_CONFIG: FILE is not a TOML file: "),
        (b"\xff", "S3D_CONFIG: FILE is not a TOML file: "),
    ],
)
def test_mistakes_name_the_fix(tmp_path: Path, text: str | bytes, sentence: str) -> None:
    found, problems = read(tmp_path, text)
    assert found == {}
    assert len(problems) == 1
    assert sentence in problems[0]


def test_a_secret_of_a_wrong_type_is_not_shown(tmp_path: Path) -> None:
    _, problems = read(tmp_path, "admin_token = 123456")
    assert len(problems) == 1
    assert "123456" not in problems[0]


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    problems: list[str] = []
    assert toml_file.read(tmp_path / "none.toml", problems) == {}
    assert problems == [f"S3D_CONFIG: cannot read {tmp_path / 'none.toml'}: No such file or directory"]
