"""Measures what one decision costs: by number of conditions and of filters, and by what decides. See bench/README.md.

python bench/filters.py --quick     some seconds
python bench/filters.py             half a minute
"""

from __future__ import annotations

import argparse
import functools
import re
import shlex
import statistics
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))  # for peers, which the report asks

import report
from decisions.cases import Case, cases
from decisions.engines import ENGINES
from decisions.timing import calls_per_round, microseconds

from s3d.filters.match import Filters

RESULTS = Path(__file__).resolve().parent / "results"
Rounds = dict[str, list[float]]


def prepared(case: Case, names: list[str]) -> dict[str, Callable[[], object]]:
    """A call for each engine that takes part. Raises ValueError if one of them is wrong."""
    found: dict[str, Callable[[], object]] = {}
    for name in names:
        decide = ENGINES[name](case)
        if decide is None:
            continue
        if decide(case.facts) is not case.answer:
            raise ValueError(f"{name} is wrong: {case.name}")
        found[name] = functools.partial(decide, case.facts)
    return found


def parsed(text: str) -> Filters:
    """As at the start of the daemon: what re remembers of other filters is forgotten."""
    re.purge()
    return Filters.of(text)


def measured(calls: dict[str, Callable[[], object]], rounds: int) -> Rounds:
    """Microseconds of each round, in turning order."""
    names, numbers = list(calls), {name: calls_per_round(call) for name, call in calls.items()}
    found: Rounds = {name: [] for name in names}
    for number in range(rounds):
        turn = number % len(names)
        for name in names[turn:] + names[:turn]:
            found[name].append(microseconds(calls[name], numbers[name]))
    return found


def line(case: Case, found: Rounds, names: list[str]) -> list[str]:
    medians = [statistics.median(found[name]) if name in found else None for name in names]
    met = None if case.goal is None or medians[0] is None else medians[0] < case.goal
    goal = "-" if case.goal is None else f"< {case.goal:g}"
    return [case.name, *(report.number(value) for value in medians), goal, report.verdict(met)]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="5 rounds instead of 25")
    parser.add_argument("--rounds", type=int)
    parser.add_argument("--rows", default="", help="only rows whose name contains this")
    parser.add_argument("--engine", default="", help="only these, separated by commas; the goal is of the first")
    chosen = parser.parse_args()
    rounds = chosen.rounds or (5 if chosen.quick else 25)
    names = [name for name in ENGINES if not chosen.engine or name in chosen.engine.split(",")]
    machine = report.machine()
    decisions, parsing, figures = [], [], []
    for case in (case for case in cases() if chosen.rows in case.name):
        found = measured(prepared(case, names), rounds)
        reading = measured({"parse": functools.partial(parsed, case.text)}, rounds) if case.answer else {}
        figures.append({"case": case.name, "text": case.text, "decision_us": found, "parse_us": reading})
        decisions.append(line(case, found, names))
        if reading:
            name, time = case.name.rpartition(",")[0], statistics.median(reading["parse"])
            parsing.append([name, f"{len(case.text):,}", f"{time:,.0f}"])
        print(" ".join(decisions[-1]), file=sys.stderr, flush=True)
    command = f"python {shlex.join(sys.argv)}"
    facts = {name: machine[name] for name in ("processor", "python", "load average before")}
    parts = [
        report.preamble(command, facts | {"rounds": rounds}),
        report.table(["us per decision", *names, "goal", ""], decisions),
        report.table(["us to parse and compile", "characters", "filter"], parsing),
    ]
    text = "\n\n".join(parts) + "\n"
    document: dict[str, Any] = {"command": command, "machine": machine, "rounds": rounds, "figures": figures}
    path = report.write(RESULTS, "filters", document, text)
    print(text)
    print(f"written to {path}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
