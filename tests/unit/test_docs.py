"""The documents agree with the code: settings, commands, headers and the tests that semantics.md names."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from e2e.cache_crash.scenarios import SCENARIOS as CACHE_SCENARIOS
from e2e.crash_scenarios import SCENARIOS
from e2e.queue_crash.scenarios import SCENARIOS as QUEUE_SCENARIOS

from s3d.cli.main import VERBS
from s3d.daemon.settings import SETTINGS
from s3d.s3.model import OPERATIONS
from s3d.standalone import acl, bucket_settings, lifecycle, policy, unconfigured
from s3d.standalone.backend import _HANDLERS

ROOT = Path(__file__).parent.parent.parent
DOCUMENTS = sorted([ROOT / "README.md", *(ROOT / "docs").glob("*.md"), ROOT / "bench" / "README.md"])
USER_GUIDE = (ROOT / "docs" / "user-guide.md").read_text()
COMPATIBILITY = (ROOT / "docs" / "s3-compatibility.md").read_text()
SEMANTICS = (ROOT / "docs" / "semantics.md").read_text()
CRASH_TABLE = (ROOT / "docs" / "crash-table.md").read_text()
WRITE_QUEUE = (ROOT / "docs" / "write-queue.md").read_text()
READ_CACHE = (ROOT / "docs" / "read-cache.md").read_text()
PEERS_BUGS = (ROOT / "docs" / "peers-bugs.md").read_text()


def test_user_guide_has_every_setting_as_the_code_has_it() -> None:
    rows = re.findall(r"^\| `(S3D?_[A-Z0-9_]+)` \| (.*) \| (.*) \|$", USER_GUIDE, re.MULTILINE)
    expected = [(s.name, s.help, f"`{s.default}`" if s.default else "unset") for s in SETTINGS.values()]
    assert rows == expected


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_documents_name_no_setting_that_does_not_exist(document: Path) -> None:
    named = set(re.findall(r"\bS3D_[A-Z0-9_]+\b|\bS3_ENDPOINT\b", document.read_text()))
    assert {name for name in named if not name.startswith("S3D_TEST_")} <= SETTINGS.keys()


def test_user_guide_has_every_command() -> None:
    rows = re.findall(r"^\| `s3d ([a-z]+)", USER_GUIDE, re.MULTILINE)
    assert list(dict.fromkeys(rows)) == list(VERBS)


def test_readme_has_every_command() -> None:
    row = re.search(r"^\| Command line: `([a-z ]+)` \|", (ROOT / "README.md").read_text(), re.MULTILINE)
    assert row
    assert row[1].split() == list(VERBS)


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_documents_name_no_command_that_does_not_exist(document: Path) -> None:
    named = set(re.findall(r"`s3d ([a-z]+)", document.read_text()))
    assert named <= VERBS.keys()


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_links_lead_somewhere(document: Path) -> None:
    links = re.findall(r"\]\((?!https?://)([^)#]+)", document.read_text())
    assert [link for link in links if not (document.parent / link).exists()] == []


def test_headers_in_the_documents_are_those_of_the_code() -> None:
    source = "".join(path.read_text() for path in (ROOT / "src").rglob("*.py"))
    for document in DOCUMENTS:
        for header in re.findall(r"\bx-s3d-[a-z]+\b", document.read_text()):
            assert f'"{header}"' in source, f"{header} in {document.name}"


def test_every_sentence_of_semantics_has_a_test_that_exists() -> None:
    rows = re.findall(r"^\| (?!promise|---)(.+?) \| (.+?) \|$", SEMANTICS, re.MULTILINE)
    assert len(rows) > 20
    for promise, tests in rows:
        assert re.search(r"`tests/[^`:]+::[^`]+`", tests), promise
        check_tests(tests)


def test_every_row_of_the_crash_table_has_a_test_that_exists() -> None:
    points = CRASH_TABLE.partition("## Points")[2]
    rows = re.findall(
        r"^\| (?!the end comes|what the disk forgot|fails|---)(.+?) \|.*\| (.+?) \|$", points, re.MULTILINE
    )
    assert len(rows) > 25
    for point, tests in rows:
        assert re.search(r"`tests/[^`:]+::[^`]+`", tests) or tests == "SQLite's own", point
    check_tests(CRASH_TABLE)


def test_every_scenario_is_in_the_crash_table() -> None:
    assert set(re.findall(r"test_ended_at_every_point\[([^\]]+)\]", CRASH_TABLE)) == SCENARIOS.keys()


def test_every_point_of_a_push_has_a_test_that_exists() -> None:
    table = WRITE_QUEUE.partition("## The crash table")[2]
    rows = re.findall(r"^\| (?!the process ends|---)(.+?) \|.*\| (.+?) \|$", table, re.MULTILINE)
    assert len(rows) > 10
    for point, tests in rows:
        assert re.search(r"`tests/[^`:]+::[^`]+`", tests), point
    check_tests(WRITE_QUEUE)
    assert set(re.findall(r"test_ended_at_every_point\[([^\]]+)\]", table)) == QUEUE_SCENARIOS.keys()


def test_every_point_of_the_cache_has_a_test_that_exists() -> None:
    table = READ_CACHE.partition("## What a crash leaves")[2]
    rows = re.findall(r"^\| (?!the process ends|---)(.+?) \|.*\| (.+?) \|$", table, re.MULTILINE)
    assert len(rows) > 8
    for point, tests in rows:
        assert re.search(r"`tests/[^`:]+::[^`]+`", tests), point
    check_tests(READ_CACHE)
    assert set(re.findall(r"test_ended_at_every_point\[([^\]]+)\]", table)) == CACHE_SCENARIOS.keys()


def test_every_bug_of_others_has_a_test_that_exists() -> None:
    rows = re.findall(r"^\| (?!bug|---)(.+?) \| (.+?) \| .+? \| (.+?) \|$", PEERS_BUGS, re.MULTILINE)
    assert len(rows) > 20
    for bug, peers, tests in rows:
        assert re.search(r" #\d+", peers), bug
        assert re.search(r"`tests/[^`:]+::[^`]+`", tests), bug
    check_tests(PEERS_BUGS)


def check_tests(text: str) -> None:
    """Each test that the text names, as pytest does, must be there."""
    for path, name in re.findall(r"`(tests/[^`:]+)::([^`\[]+)(?:\[[^`]+\])?`", text):
        assert re.search(rf"\bdef {re.escape(name)}\b", (ROOT / path).read_text()), f"{path}::{name}"


def _does(operation: str) -> str:
    """What the embedded store does with an operation, by the table that its handler is in."""
    handler = _HANDLERS.get(operation)
    if operation == "PostObject":
        return "acts"  # the server makes a PutObject of it
    if handler is None:
        return "NotImplemented"
    if operation in unconfigured.HANDLERS:
        return "not configured"
    stored = bucket_settings.HANDLERS | lifecycle.HANDLERS | policy.HANDLERS
    return "stored and returned" if operation in stored or handler.__module__ == acl.__name__ else "acts"


def test_every_operation_is_in_the_table_of_the_embedded_store() -> None:
    rows = re.findall(r"^\| ([A-Z][A-Za-z0-9]+) \| ([A-Za-z ]+) \|$", COMPATIBILITY, re.MULTILINE)
    assert rows == [(operation, _does(operation)) for operation in sorted(OPERATIONS)]
