"""A process that runs a daemon made of a stub: for the tests of signals and exit codes.

Arguments: how the stub behaves (``ready``, ``slow`` to stop, ``busy`` port, store ``in use``). Settings come from the
environment; with CLOSE_STDOUT nobody reads the output.
"""

from __future__ import annotations

import asyncio
import os
import sys
from types import SimpleNamespace

from s3d.daemon.config import Config, load
from s3d.daemon.run import run
from s3d.local.directory import DirectoryInUse
from s3d.server.sockets import CannotListen


class Stub:
    def __init__(self, config: Config, behaviour: str) -> None:
        self.server, self.admin = SimpleNamespace(port=1234), SimpleNamespace(port=1235)
        self.config, self.behaviour = config, behaviour

    async def start(self) -> None:
        if self.behaviour == "in use":
            raise DirectoryInUse("it is in use")
        if self.behaviour == "busy":
            raise CannotListen(self.config.admin.host, self.config.admin.port, "the port is in use")

    async def apply(self, config: Config) -> None:
        print(f"apply({config.rules.upload})", flush=True)

    async def stop(self, grace: float) -> None:
        if "CLOSE_STDOUT" not in os.environ:
            print(f"stop({grace})", flush=True)
        if self.behaviour == "slow":
            await asyncio.sleep(600)


if __name__ == "__main__":
    if "CLOSE_STDOUT" in os.environ:
        read, write = os.pipe()
        os.dup2(write, 1)
        os.close(write)
        os.close(read)
    sys.exit(run(load({}, os.environ), lambda config: Stub(config, sys.argv[1]), lambda: load({}, os.environ)))
