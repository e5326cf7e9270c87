"""A policy that regopy (rego-cpp) evaluates. Only `worker` uses this: see `engine`.

Prepared once and evaluated many times: 0.1 ms then, 0.8 ms if the query is compiled each time. What the library finds
only while it evaluates (a function that is not there is undefined then, as if the policy said nothing) is looked for in
the compiled plan at the start, and so are functions of which regopy 1.5 gets the usual cases wrong.
"""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from s3d.local.directory import CannotOpen
from s3d.policy import sources
from s3d.policy.answer import NoAnswer
from s3d.policy.question import Question

PACKAGE = "s3d"
_SAMPLE = Question("PutObject", "bucket", "key", 1, {}, {}, {}, {}, "", "127.0.0.1", 1.7e9).document()
WRONG = {
    "rem": "553259 % 6 is 3",
    "max": "max([9, 10]) is 9",
    "min": "min([9, 10]) is 10",
    "sort": "sort([9, 10]) is [10, 9]",
    "semver.compare": 'semver.compare("9.6.0", "0.6.2") is -1',
    "time.diff": "time.diff(1763910000123456789, 1700000000000000000) is [2, 0, 9, 16, 46, 40]",
    "object.union_n": 'object.union_n([{"a": {"b": 1}}, {"a": {"c": 2}}]) is {"a": {"c": 2}}',
    "json.remove": 'json.remove({"a": 1}, ["a/b"]) is {}',
    "yaml.marshal": "it can end the process",
    "yaml.unmarshal": 'yaml.unmarshal("a: yes") is {"a": "yes"}, and that of "" does not end',
    "yaml.is_valid": 'yaml.is_valid("") does not end',
    "urlquery.decode_object": 'urlquery.decode_object("a=b") is {"a": ["b", "b"]}',
}
"""Functions of regopy 1.5 that say something else than OPA's for usual values: by name, an example."""
_ERROR = re.compile(r"\(error \d+:(.*?)\|(\d+)\|\d+\s+\(errormsg \d+:(.*?)\)\n", re.DOTALL)
_MESSAGE = re.compile(r"\(errormsg \d+:(.*?)\)\n", re.DOTALL)


class Rego:
    """The policy of a file or a directory. Raises CannotOpen, with the file and the line where they are known."""

    def __init__(self, path: Path) -> None:
        try:
            from regopy import Interpreter, LogLevel, RegoError
        except ImportError as error:
            raise CannotOpen(
                f"the policy {path} needs the package regopy ({error}): pip install 's3-daemon[policy]'"
            ) from error
        modules, data = sources.modules(path), sources.data(path)
        self._error = RegoError
        self._interpreter = Interpreter()
        self._interpreter.log_level = LogLevel.NONE  # else it writes to standard error
        for number, (name, text) in enumerate(modules.items()):
            try:  # not by its path, to which save_bundle would write
                self._interpreter.add_module(f"{number}.rego", text)
            except RegoError as error:
                raise CannotOpen(_syntax_error(name, text, str(error))) from error
        try:
            if data:
                self._interpreter.add_data(data)
            self._bundle = self._interpreter.build(None, [PACKAGE])
            self._check_calls(list(modules))
        except RegoError as error:
            raise CannotOpen(f"the policy {path} cannot be used: {_message(str(error))}") from error
        except OSError as error:
            raise CannotOpen(
                f"the policy {path} cannot be checked, since that takes a temporary directory ({error}): set TMPDIR"
            ) from error
        self._try(path)

    def evaluate(self, document: dict[str, Any]) -> object:
        """What the package says of an input document. Raises NoAnswer."""
        found = self._evaluate(document)
        if found is None:
            raise NoAnswer(f"there is no package {PACKAGE}")
        return found[0]

    def _evaluate(self, document: dict[str, Any]) -> list[object] | None:
        """One value, or None if it is undefined."""
        try:
            self._interpreter.set_input(_escaped_where_needed(document))
            output = self._interpreter.query_bundle_entrypoint(self._bundle, PACKAGE)
        except self._error as error:
            raise NoAnswer(_message(str(error))) from error
        except json.JSONDecodeError as error:  # what is no result is an error: regopy 1.5 takes it for one
            raise NoAnswer(_message(error.doc)) from error
        except UnicodeDecodeError as error:  # functions of texts can cut a character
            raise NoAnswer("a value is no UTF-8 text") from error
        if not output.ok():  # no more is to be learnt of it
            raise NoAnswer("an evaluation error, such as a rule with two values at once")
        return output.results[0].expressions or None

    def _try(self, path: Path) -> None:
        """Some mistakes show only when it is evaluated, whatever the input."""
        try:
            found = self._evaluate(_SAMPLE)
        except NoAnswer as error:
            raise CannotOpen(f"the policy {path} cannot be used: {error}") from error
        if found is None:
            raise CannotOpen(f"the policy {path} has no package {PACKAGE}")

    def _check_calls(self, files: list[str]) -> None:
        with tempfile.TemporaryDirectory(prefix="s3d-policy-") as directory:
            self._interpreter.save_bundle(directory, self._bundle)
            plan = json.loads((Path(directory) / "plan.json").read_bytes())
        own = {function["name"] for function in plan.get("funcs", {}).get("funcs", ())}
        for call in _calls(plan):
            name = call["func"]
            where = f"{files[call['file']]}:{call['row'] + 1}" if "row" in call else files[0]
            if name in WRONG and name not in own:
                raise CannotOpen(f"{where}: this engine gets {name} wrong: {WRONG[name]} (see docs/policy.md)")
            if name not in own and not self._interpreter.is_builtin(name):
                raise CannotOpen(
                    f"{where}: there is no function {name} (docs/policy.md lists those of OPA that are not there)"
                )


def _escaped_where_needed(document: dict[str, Any]) -> object:
    """rego-cpp 1.5 keeps the texts of a policy as they are written in JSON, with a backslash before a quote, and those of
    an input as they are: they would not be equal, and what is made of them would be no JSON. What has no quote, backslash
    or control character is the same both ways."""
    return _escaped(document) if "\\" in json.dumps(document, ensure_ascii=False) else document


def _escaped(value: object) -> object:
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)[1:-1]
    return {_escaped(name): _escaped(each) for name, each in value.items()} if isinstance(value, dict) else value


def _calls(plan: object) -> Iterator[dict[str, Any]]:
    if isinstance(plan, dict):
        if plan.get("type") == "CallStmt":
            yield plan["stmt"]
        plan = list(plan.values())
    if isinstance(plan, list):
        for part in plan:
            yield from _calls(part)


def _syntax_error(name: str, text: str, error: str) -> str:
    """rego-cpp tells the byte where it found something."""
    places = [(int(place), said) for _, place, said in _ERROR.findall(error)]
    if not places:
        return f"{name}: {_message(error)}"
    place, said = min(places) if "unclosed" not in error else max(places)
    line = text.encode()[:place].count(b"\n") + 1
    return f"{name}:{line}: {said}"


def _message(error: str) -> str:
    """The message in rego-cpp's tree of an error."""
    found = _MESSAGE.search(error)
    text = " ".join((found[1] if found else error).split())[:200]
    return f"a rule uses a variable that nothing sets ({text})" if text.startswith("bundle verify: local") else text
