"""Runs the rows in rounds. In each round every contender does every row, right after one another and in turning order,
so that whatever else the machine does hits all of them alike; what is compared are ratios within a round."""

from __future__ import annotations

import contextlib
import pickle
import statistics
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from contender import Contender
from job import Job, Outcome
from row import MIB, Row


class Generator:
    """The load generator's process."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process

    def run(self, job: Job) -> Outcome:
        """Does one job and returns what it measured."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        pickle.dump(job, self._process.stdin)
        self._process.stdin.flush()
        outcome: Outcome = pickle.load(self._process.stdout)
        return outcome


@contextlib.contextmanager
def generator() -> Iterator[Generator]:
    """The load generator as a child process."""
    command = [sys.executable, str(Path(__file__).with_name("load.py"))]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        yield Generator(process)
    finally:
        process.communicate()  # closes stdin, which ends it


class Plan(Protocol):
    """How the rows of a bench are measured."""

    def measure(self, row: Row, contender: Contender, load: Generator, scale: float) -> Outcome | None:
        """One run of the row, ``scale`` times as long as it says; None when the contender does not take part in it.

        What is not to be measured (preparing requests, writing what is then deleted, reading back what was written) is
        done here as well, before and after. What is wrong then is in the outcome.
        """


@dataclass
class Measured:
    """One row of one contender in one round. Latencies in ms; ``cpu`` in ms of CPU per request, by process."""

    requests: int
    seconds: float
    per_second: float
    megabytes_per_second: float
    median_ms: float
    p99_ms: float
    cpu_ms: dict[str, float]


@dataclass
class Result:
    """All rounds of one row: a list per contender, in which index i is round i; and what voided a contender's row."""

    row: Row
    rounds: dict[str, list[Measured]] = field(default_factory=dict)
    void: dict[str, str] = field(default_factory=dict)

    def median(self, name: str, value: Callable[[Measured], float]) -> float | None:
        """The median over the rounds; None when the row is void."""
        measured = self.rounds.get(name)
        return statistics.median(map(value, measured)) if measured and name not in self.void else None

    def compare(self, name: str, other: str, value: Callable[[Measured, Measured], float]) -> float | None:
        """The median over the rounds of something computed from both contenders' runs of the same round."""
        if name in self.void or other in self.void or not self.rounds.get(name) or not self.rounds.get(other):
            return None
        pairs = zip(self.rounds[name], self.rounds[other], strict=True)
        return statistics.median(value(mine, theirs) for mine, theirs in pairs)

    def ratio(self, name: str, other: str) -> float | None:
        """Throughput of one in terms of the other's: 2.0 is twice as fast."""
        return self.compare(name, other, lambda mine, theirs: mine.per_second / theirs.per_second)

    def added_median_ms(self, name: str, other: str) -> float | None:
        """How much longer the median request takes."""
        return self.compare(name, other, lambda mine, theirs: mine.median_ms - theirs.median_ms)


def run_rows(
    rows: list[Row], contenders: list[Contender], plan: Plan, load: Generator, *, rounds: int, scale: float
) -> list[Result]:
    """Measures every row with every contender in every round."""
    results = [Result(row, {contender.name: [] for contender in contenders}) for row in rows]
    for number in range(rounds):
        for position, result in enumerate(results):
            turn = (number + position) % len(contenders)
            for contender in contenders[turn:] + contenders[:turn]:
                if contender.name not in result.void:
                    _run_one(result, contender, plan, load, scale)
            print(f"round {number + 1}/{rounds}: {_brief(result)}", file=sys.stderr, flush=True)
    return results


def _run_one(result: Result, contender: Contender, plan: Plan, load: Generator, scale: float) -> None:
    outcome = plan.measure(result.row, contender, load, scale)
    if outcome is None:
        return
    if outcome.wrong is not None:
        result.void[contender.name] = outcome.wrong
        print(f"VOID {result.row.name}, {contender.name}: {outcome.wrong}", file=sys.stderr, flush=True)
        return
    result.rounds[contender.name].append(measured(outcome, result.row.size))


def measured(outcome: Outcome, size: int) -> Measured:
    """The figures of one run of requests that each move ``size`` bytes."""
    ordered = sorted(outcome.latencies)
    count = len(ordered)
    return Measured(
        requests=count,
        seconds=outcome.seconds,
        per_second=count / outcome.seconds,
        megabytes_per_second=count * size / outcome.seconds / 1e6,
        median_ms=statistics.median(ordered) / 1e6,
        p99_ms=ordered[min(count - 1, int(count * 0.99))] / 1e6,
        cpu_ms={name: seconds * 1000 / count for name, seconds in outcome.cpu.items()},
    )


def throughput(result: Result, name: str) -> str:
    """The median throughput of a contender, in the unit that suits the row."""
    if name in result.void:
        return "VOID"
    if result.row.size >= MIB:
        value = result.median(name, lambda one: one.megabytes_per_second)
        return "-" if value is None else f"{value:,.0f} MB/s"
    value = result.median(name, lambda one: one.per_second * result.row.keys)
    return "-" if value is None else f"{value:,.0f}{' keys' if result.row.keys > 1 else ''} /s"


def _brief(result: Result) -> str:
    shown = [f"{name} {throughput(result, name)}" for name, measured in result.rounds.items() if measured]
    return f"{result.row.name:28}" + "  ".join(shown)
