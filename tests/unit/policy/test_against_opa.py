"""The functions that s3d's own engine has, called with random values in both engines.

What docs/policy.md names as different is left out here, and so are values for which OPA itself has no answer.
"""

from __future__ import annotations

import base64
import json
import random
import string
from collections.abc import Callable
from pathlib import Path
from typing import Any

from opa_bindings import OpaEngine

from s3d.policy.engine import Engine

ROUNDS = 150
ZONES = ["UTC", "America/New_York", "Asia/Tokyo", "Europe/Berlin"]
WORDS = ["a", "b", "ab", "abc", "a/b", "a/b/c", "x.txt", "photo.jpg", "2026-11-23", "A", "Z9"]
PATTERNS = ["^a", "b+", "[a-c]+$", "a.*c", r"\d+", r"\.jpg$", "^[^/]+/[^/]+$", "(a|b)", r"\w+", "a{2,3}"]
GLOBS = ["*", "a*", "**", "a/*", "a/**", "*.txt", "[a-c]", "{a,b}", "*.jpg", "a/*/c", "[!a]*"]

Values = dict[str, Any]
Draw = Callable[[random.Random], Any]


def whole(draw: random.Random) -> int:
    """Of any size that a size has."""
    return draw.randrange(10 ** draw.choice([1, 2, 4, 6, 9, 12]))


def signed(draw: random.Random) -> int:
    return whole(draw) * draw.choice([1, 1, -1])


def few(draw: random.Random) -> int:
    return draw.randrange(12)


def fraction(draw: random.Random) -> float:
    return signed(draw) % 10**6 + draw.choice([0.25, 0.5, 0.125, 0.75])


def text(draw: random.Random) -> str:
    return "".join(draw.choice(string.ascii_letters + "0123456789-_./") for _ in range(draw.randrange(12)))


def letter(draw: random.Random) -> str:
    return draw.choice("abcXYZ-_./")


def word(draw: random.Random) -> str:
    return draw.choice(WORDS)


def moment(draw: random.Random) -> int:
    """Nanoseconds."""
    return draw.randrange(1_600_000_000, 1_900_000_000) * 10**9 + draw.randrange(10**9)


def version(draw: random.Random) -> str:
    return ".".join(str(draw.randrange(12)) for _ in range(3))


def duration(draw: random.Random) -> str:
    return "".join(f"{draw.randrange(100)}{unit}" for unit in draw.sample(["h", "m", "s", "ms"], 2))


def day(draw: random.Random) -> str:
    return f"{draw.randrange(1990, 2040)}-{draw.randrange(1, 13):02}-{draw.randrange(1, 29):02}"


def bytes_with_unit(draw: random.Random) -> str:
    return f"{draw.randrange(1000)}" + draw.choice(["", "K", "KB", "Ki", "KiB", "M", "MB", "MiB", "G", "GiB", "T"])


def in_base64(draw: random.Random) -> str:
    return base64.b64encode(text(draw).encode()).decode()


def one_of(*values: Any) -> Draw:
    return lambda draw: draw.choice(values)


def some(draw_one: Draw) -> Draw:
    return lambda draw: [draw_one(draw) for _ in range(draw.randrange(5))]


def named(draw_one: Draw) -> Draw:
    return lambda draw: {word(draw): draw_one(draw) for _ in range(draw.randrange(5))}


SETS = "{a | some a in x}", "{a | some a in y}"
CASES: list[tuple[str, tuple[Draw, ...]]] = [
    *((f"x {sign} y", (signed, signed)) for sign in ("+", "-", "*", "<", "<=", ">", ">=", "==", "!=")),
    *((f"x {sign} y", (fraction, fraction)) for sign in ("+", "-", "<", ">=", "==")),
    *((f"x {sign} y", (moment, moment)) for sign in ("-", "<", ">=")),
    *((f"x {sign} y", (word, word)) for sign in ("<", ">=", "==")),
    ("x / y", (signed, lambda draw: whole(draw) + 1)),
    *((f"{name}(x)", (fraction,)) for name in ("abs", "round")),
    *((f"{name}(x / 7)", (whole,)) for name in ("floor", "ceil", "round")),
    ("numbers.range(x, y)", (few, few)),
    *(("count(x)", (draw,)) for draw in (some(word), named(few), text)),
    *((f"{name}(x)", (some(few),)) for name in ("sum", "product")),
    ("sum([a | some a in x; a > y])", (some(signed), whole)),
    *((f"bits.{name}(x, y)", (whole, whole)) for name in ("and", "or", "xor")),
    ("array.concat(x, y)", (some(word), some(few))),
    ("array.slice(x, y, z)", (some(word), few, few)),
    ("x[y]", (some(word), few)),
    ("x[y]", (named(signed), word)),
    *(("y in x", (draw, word)) for draw in (some(word), named(word))),
    ("{k: v | some k, v in x; v > y}", (named(signed), signed)),
    *((f"{SETS[0]} {sign} {SETS[1]}", (some(word), some(word))) for sign in "|&-"),
    ("concat(x, y)", (word, some(word))),
    *((f"{name}(x, y)", (text, letter)) for name in ("contains", "split", "trim", "trim_left", "trim_right")),
    *((f"{name}(x, y)", (word, word)) for name in ("contains", "startswith", "endswith", "indexof", "split")),
    *((f"{name}(x, y)", (word, word)) for name in ("trim_prefix", "trim_suffix")),
    *((f"{name}(x)", (text,)) for name in ("lower", "upper", "trim_space", "strings.reverse")),
    ("format_int(x, 10)", (signed,)),
    ("replace(x, y, z)", (text, letter, word)),
    ("substring(x, y, z)", (text, few, few)),
    ("strings.any_prefix_match(x, y)", (word, some(word))),
    ("strings.any_suffix_match(x, y)", (word, some(word))),
    ("strings.count(x, y)", (text, letter)),
    ('sprintf("%05d|%-6d|%x", [x, y, z])', (few, few, few)),
    ('sprintf("%s %v", [x, y])', (word, signed)),
    *(("regex.match(x, y)", (one_of(*PATTERNS), draw)) for draw in (word, text)),
    ('regex.replace(y, x, "_")', (one_of(*PATTERNS), text)),
    ("regex.find_n(x, y, 2)", (one_of(*PATTERNS), text)),
    *(("glob.match(x, y, z)", (one_of(*GLOBS), one_of(["/"], ["."], [], None), draw)) for draw in (word, text)),
    ("to_number(x)", (lambda draw: str(signed(draw)),)),
    *((f"{name}(x)", (one_of(1, "a", True, None, [1], {"a": 1}),)) for name in ("is_number", "is_string", "type_name")),
    ("object.get(x, y, 7)", (named(few), word)),
    ("object.remove(x, y)", (named(few), some(word))),
    ("object.filter(x, y)", (named(few), some(word))),
    ("object.union(x, y)", (named(few), named(few))),
    ("json.marshal(x)", (named(word),)),
    ("json.unmarshal(x)", (lambda draw: json.dumps({"a": [whole(draw), text(draw)]}),)),
    *((f"{name}(x)", (text,)) for name in ("base64.encode", "base64url.encode", "hex.encode", "urlquery.encode")),
    ("base64.decode(x)", (in_base64,)),
    *((f"crypto.{name}(x)", (text,)) for name in ("md5", "sha1", "sha256")),
    ("crypto.hmac.sha256(x, y)", (text, word)),
    *((f"time.{name}(x)", (moment,)) for name in ("clock", "date", "weekday")),
    *((f"time.{name}([x, y])", (moment, one_of(*ZONES))) for name in ("clock", "date", "weekday")),
    ("time.add_date(x, y, 1, 1)", (moment, few)),
    ('time.parse_ns("2006-01-02", x)', (day,)),
    ("time.parse_duration_ns(x)", (duration,)),
    ("units.parse_bytes(x)", (bytes_with_unit,)),
    ("semver.is_valid(x)", (lambda draw: draw.choice([version, word])(draw),)),
]


def rule(number: int, call: str, names: str) -> str:
    given = "; ".join(f"{name} := input.r{number}.{name}" for name in names)
    return f"r{number} := v if {{ {given}; v := {call} }}\n"


async def test_what_both_have_is_the_same(tmp_path: Path) -> None:
    draw = random.Random(6)
    rules = [rule(number, call, "xyz"[: len(draws)]) for number, (call, draws) in enumerate(CASES)]
    policy = "package s3d\n" + "".join(rules)
    path = tmp_path / "policy.rego"
    path.write_text(policy)
    ours = Engine(path, 60.0)
    answered: set[int] = set()
    try:
        with OpaEngine() as opa:
            opa.add_policy("policy.rego", policy)
            for _ in range(ROUNDS):
                given: Values = {
                    f"r{number}": dict(zip("xyz", (one(draw) for one in draws), strict=False))
                    for number, (_, draws) in enumerate(CASES)
                }
                theirs = opa.eval_document("s3d", given)
                found = await ours.evaluate(given)
                assert isinstance(found, dict)
                for number, (call, _) in enumerate(CASES):
                    name = f"r{number}"
                    is_set = call.startswith("{a |")
                    assert same(found.get(name), theirs.get(name), is_set=is_set), (call, given[name])
                    if name in theirs:
                        answered.add(number)
    finally:
        await ours.close()
    assert len(answered) == len(CASES), [call for number, (call, _) in enumerate(CASES) if number not in answered]


def same(ours: Any, theirs: Any, *, is_set: bool) -> bool:
    """Numbers as far as a double goes; sets are lists in any order."""
    if is_set:
        return sorted(map(json.dumps, ours)) == sorted(map(json.dumps, theirs))
    if isinstance(ours, float) and isinstance(theirs, int | float):
        return abs(ours - theirs) <= 1e-12 * abs(theirs)
    return type(ours) is type(theirs) and bool(ours == theirs)
