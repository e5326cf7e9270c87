"""The process that evaluates a policy: ``python -m s3d.policy.worker PATH``.

Standard input has one input document a line, standard output one answer a line: ``{"value": ...}`` or ``{"error": "..."}``.
The first answer says whether the policy can be used; the end of the input is the end.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
from pathlib import Path

from s3d.local.directory import CannotOpen
from s3d.policy.answer import NoAnswer
from s3d.policy.rego import Rego


def main() -> int:
    # A service manager sends it to all, and the daemon still has questions then.
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    output = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # where a policy prints to
    _end_first()

    def say(name: str, value: object) -> None:
        output.write(json.dumps({name: value}).encode() + b"\n")
        output.flush()

    try:
        rego = Rego(Path(sys.argv[1]))
    except CannotOpen as error:
        say("error", str(error))
        return 1
    say("value", None)
    for line in sys.stdin.buffer:
        try:
            say("value", rego.evaluate(json.loads(line)))
        except NoAnswer as error:
            say("error", str(error))
        except RecursionError:
            say("error", "a value is nested too deeply")
    return 0


def _end_first() -> None:
    """Some evaluations take memory without end (a text is replaced that is empty): it is not to be the daemon that ends."""
    with contextlib.suppress(OSError):  # not Linux, or not allowed
        Path("/proc/self/oom_score_adj").write_text("1000")


if __name__ == "__main__":
    sys.exit(main())
