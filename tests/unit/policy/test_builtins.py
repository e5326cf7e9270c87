"""docs/policy.md lists the functions of OPA that s3d's own engine lacks or has otherwise: here both are called."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from opa_bindings import OpaEngine, OpaError

from s3d.local.directory import CannotOpen
from s3d.policy import rego
from s3d.policy.engine import Engine

DOCUMENT = (Path(__file__).resolve().parents[3] / "docs" / "policy.md").read_text()
TABLE = DOCUMENT.partition("**Functions of OPA that it lacks**")[2].partition("\n\n")[2].partition("\n\n")[0]
LACKING = re.findall(r"`([\w.]+)`", TABLE)
WITHOUT_LINE = "crypto.x509.parse_and_verify_certificates_with_options"  # regopy 1.5 cannot write its plan
ARITIES = range(4)


def calls(name: str) -> list[str]:
    """Policies that call it, with so and so many texts."""
    return [f"package s3d\n\nx := {name}({', '.join(['input.key'] * number)})\n" for number in ARITIES]


def test_there_is_a_list() -> None:
    assert len(LACKING) > 20
    assert len(set(LACKING)) == len(LACKING)


@pytest.mark.parametrize("name", LACKING)
def test_it_is_refused_with_its_line(name: str, tmp_path: Path) -> None:
    path = tmp_path / "policy.rego"
    path.write_text(calls(name)[1])
    with pytest.raises(CannotOpen) as raised:
        Engine(path, 30.0)
    if name != WITHOUT_LINE:
        assert str(raised.value).startswith(f"{path}:3: there is no function {name} (")


@pytest.mark.parametrize("name", LACKING)
def test_opa_has_it(name: str) -> None:
    """What is wrong for OPA is the number of arguments or their type, not the name."""
    said = []
    for text in calls(name):
        with OpaEngine() as engine:
            try:
                engine.add_policy("policy.rego", text)
                engine.eval_document("s3d", {"key": "a"})
            except OpaError as error:
                said.append(str(error))
    assert not any("undefined function" in message for message in said), said


def test_a_name_that_opa_does_not_have_is_told_from_those() -> None:
    with OpaEngine() as engine:
        engine.add_policy("policy.rego", calls("nosuch.thing")[1])
        with pytest.raises(OpaError, match="undefined function"):
            engine.eval_document("s3d", {"key": "a"})


DIFFERENT = [  # as in the document: the call, OPA's value, that of the own engine
    ('time.parse_rfc3339_ns("2026-11-23T12:00:00Z")', 1795435200000000000, None),
    ('upper("ä")', "Ä", "ä"),
    ('lower("Ä")', "ä", "Ä"),
    ("format_int(10, 2)", "1010", "10"),
    ("format_int(-10, 16)", "-a", "fffffffffffffff6"),
    ('sprintf("%d", [3000000000])', "3000000000", "-1294967296"),
    ('"a b" < "a"', False, True),
    ("[1] < []", False, True),
    ('urlquery.encode("a b")', "a+b", "a%20b"),
    ('urlquery.decode("a+b")', "a b", "a+b"),
    ("time.format(1700000000500000000)", "2023-11-14T22:13:20.5Z", "2023-11-14T22:13:20.500000000Z"),
    ('hex.encode("ä")', "c3a4", "ffffffc3ffffffa4"),
    ('regex.match("^.$", "ä")', True, False),
    ('regex.match("[ä]", "ö")', False, True),
    ('glob.match("?", [], "ä")', True, False),
    ('regex.is_valid("{a}")', True, False),
    ('base64.is_valid("a")', False, True),
    (r'count("\"")', 1, 2),
    ('1 < "a"', True, False),
]
SAME = [
    ('time.parse_rfc3339_ns("2026-11-23T12:00:00+00:00")', 1795435200000000000),
    ('time.clock([1763910000123456789, "America/New_York"])', [10, 0, 0]),
    ('time.date([1763910000123456789, "Asia/Tokyo"])', [2025, 11, 24]),
    ("time.weekday(1763910000123456789)", "Sunday"),
    ('time.parse_duration_ns("1h30m")', 5_400_000_000_000),
    ('units.parse_bytes("10MB")', 10_000_000),
    ('glob.match("a/*", ["/"], "a/b")', True),
    ('glob.match("a/*", ["/"], "a/b/c")', False),
    (r"regex.match(`^a\d+$`, `a12`)", True),
    ('sprintf("%05d %.2f %v", [7, 1.234, "a"])', "00007 1.23 a"),
    ('sprintf("%v", [3000000000])', "3000000000"),
    ('time.format([1700000000500000000, "UTC", "15:04:05"])', "22:13:20"),
    ('object.get({"a": 1}, "b", 2)', 2),
    ('split("a/b/c", "/")', ["a", "b", "c"]),
    ('count("äö")', 2),
    ('substring("äöü", 1, 1)', "ö"),
    ('to_number("10")', 10),
    ('crypto.sha256("a")', "ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb"),
    ('strings.any_prefix_match("abc", ["x", "ab"])', True),
    ("7 / 2", 3.5),
    ('json.marshal({"a": [1]})', '{"a":[1]}'),
]
WRONG = [  # as in the document: the call, OPA's value, that of the own engine if it would not be refused
    ("553259 % 6", 5, 3),
    ("max([9, 10])", 10, 9),
    ("min([9, 10])", 9, 10),
    ("sort([9, 10])", [9, 10], [10, 9]),
    ('semver.compare("9.6.0", "0.6.2")', 1, -1),
    ("time.diff(1763910000123456789, 1700000000000000000)", [2, 0, 8, 16, 46, 40], [2, 0, 9, 16, 46, 40]),
    ('object.union_n([{"a": {"b": 1}}, {"a": {"c": 2}}])', {"a": {"b": 1, "c": 2}}, {"a": {"c": 2}}),
    ('json.remove({"a": 1}, ["a/b"])', {"a": 1}, {}),
    ('yaml.unmarshal("a: yes")', {"a": True}, {"a": "yes"}),
    ('urlquery.decode_object("a=b")', {"a": ["b"]}, {"a": ["b", "b"]}),
]
REFUSED = [*(call for call, _, _ in WRONG), "yaml.marshal(input.tags)", "yaml.is_valid(input.key)", "input.size % 7"]


def opa_says(call: str) -> object:
    with OpaEngine() as engine:
        engine.add_policy("policy.rego", f"package s3d\nx := {call}\n")
        return engine.eval_document("s3d", {}).get("x")


def engine_of(text: str, path: Path) -> Engine:
    path.write_text(text)
    return Engine(path, 30.0)


async def we_say(text: str, path: Path, document: dict[str, Any] | None = None) -> dict[str, Any]:
    engine = engine_of(text, path)
    try:
        found = await engine.evaluate(document or {})
    finally:
        await engine.close()
    assert isinstance(found, dict)
    return found


async def we_say_of(calls: list[str], path: Path) -> list[object]:
    """The value of each."""
    rules = "".join(f"x{number} := {call}\n" for number, call in enumerate(calls))
    found = await we_say(f"package s3d\n{rules}", path)
    return [found.get(f"x{number}") for number in range(len(calls))]


async def test_differences(tmp_path: Path) -> None:
    calls = [call for call, _, _ in DIFFERENT]
    ours = await we_say_of(calls, tmp_path / "policy.rego")
    assert [(call, opa_says(call), value) for call, value in zip(calls, ours, strict=True)] == DIFFERENT
    for call in calls:
        assert re.sub(r"\(.*", "", call) in DOCUMENT


@pytest.mark.parametrize("call", REFUSED)
def test_what_is_wrong_is_refused_with_its_line(call: str, tmp_path: Path) -> None:
    path = tmp_path / "policy.rego"
    path.write_text(f"package s3d\n\nx := {call}\n")
    with pytest.raises(CannotOpen, match=f"^{path}:3: this engine gets [a-z_.]+ wrong: "):
        Engine(path, 30.0)


def test_what_is_refused_is_wrong(tmp_path: Path) -> None:
    """Else a later version of the library has it right, and it need not be refused any more."""
    program = (
        "import json, sys; from pathlib import Path; from s3d.policy import rego; rego.WRONG.clear(); "
        "print(json.dumps(rego.Rego(Path(sys.argv[1])).evaluate({})))"
    )
    rules = "".join(f"x{number} := {call}\n" for number, (call, _, _) in enumerate(WRONG))
    (tmp_path / "policy.rego").write_text(f"package s3d\n{rules}")
    command = [sys.executable, "-c", program, str(tmp_path / "policy.rego")]
    found = json.loads(subprocess.run(command, capture_output=True, check=True, timeout=60).stdout)
    ours = [found[f"x{number}"] for number in range(len(WRONG))]
    assert [(call, opa_says(call), value) for (call, _, _), value in zip(WRONG, ours, strict=True)] == WRONG
    for name in rego.WRONG:
        assert f"`{name}" in DOCUMENT or name == "rem"
    for call in REFUSED[: len(WRONG)]:
        assert call in DOCUMENT


async def test_what_is_the_same(tmp_path: Path) -> None:
    calls = [call for call, _ in SAME]
    assert [(call, opa_says(call)) for call in calls] == SAME
    assert await we_say_of(calls, tmp_path / "policy.rego") == [value for _, value in SAME]


TEXTS = ['q"x', "b\\x", "n\nx", "t\tx", "\x01x", 'q"\\', "plain", "ü x", "\N{GRINNING FACE}", "'", ""]
RULES = {
    "is": "input.key == {literal}",
    "among": "input.key in {{{literal}, 1}}",
    "begins": "startswith(input.key, {literal})",
    "has": "contains(input.tags[{literal}], {literal})",
    "halves": 'split(concat("|", [input.key, {literal}]), "|")',
    "back": "input.key",
    "object": "{{input.key: input.tags}}",
}


@pytest.mark.parametrize("text", TEXTS)
async def test_texts_with_characters_that_json_escapes(text: str, tmp_path: Path) -> None:
    lines = [f"{name} := {rule.format(literal=json.dumps(text, ensure_ascii=False))}" for name, rule in RULES.items()]
    policy = "package s3d\n" + "\n".join(lines) + "\n"
    document = {"key": text, "tags": {text: text}}
    ours = await we_say(policy, tmp_path / "policy.rego", document)
    with OpaEngine() as engine:
        engine.add_policy("policy.rego", policy)
        assert ours == engine.eval_document("s3d", document)
    assert ours == {
        **dict.fromkeys(("is", "among", "begins", "has"), True),
        "halves": [text, text],
        "back": text,
        "object": {text: {text: text}},
    }
