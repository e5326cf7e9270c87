"""Reading the configuration again while the daemon runs: on SIGHUP, and when a file of it has changed.

What can change without a restart are the rules: filters, and what is in the policy's files. Anything else that is different
is told in the log.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Awaitable, Callable
from pathlib import Path

from s3d.daemon.config import Config, ConfigError
from s3d.s3.errors import S3Error

log = logging.getLogger("s3d.daemon")

RELOADABLE = frozenset({"S3D_WRITE_QUEUE_FILTER", "S3D_READ_CACHE_FILTER"})
"""Settings that take effect without a restart."""
_LOOK = 2.0
"""Seconds between two looks at the files."""

_Stamp = tuple[int, int, int] | None


class Reloader:
    """``load`` reads the configuration (ConfigError), ``apply`` lets the daemon use its rules (S3Error)."""

    def __init__(
        self,
        config: Config,
        load: Callable[[], Config],
        apply: Callable[[Config], Awaitable[None]],
        look: float = _LOOK,
    ) -> None:
        self._config = config
        self._load = load
        self._apply = apply
        self._look = look
        self._asked = asyncio.Event()

    def ask(self) -> None:
        """Reads it again soon, whether anything has changed or not."""
        self._asked.set()

    async def run(self) -> None:
        """For ever."""
        before = self._stamps()
        while True:
            try:
                async with asyncio.timeout(self._look):
                    await self._asked.wait()
            except TimeoutError:
                if self._stamps() == before:
                    continue
            self._asked.clear()
            before = self._stamps()
            try:
                await self.reload()
            except Exception:  # the next change of a file is to be seen all the same
                log.exception("reading the configuration again met a defect")

    async def reload(self) -> None:
        """A configuration that cannot be used changes nothing."""
        try:
            config = self._load()
        except ConfigError as error:
            log.error("the configuration is not read again, and stays as it was", extra={"error": str(error)})
            return
        other = sorted(
            name
            for name, setting in config.settings.items()
            if name not in RELOADABLE and setting.value != self._config.settings[name].value
        )
        if other:
            log.warning("these settings take effect with the next start", extra={"settings": ", ".join(other)})
        try:
            await self._apply(config)
        except S3Error as error:
            log.error("the rules are in force, but not all objects were decided again", extra={"error": error.message})
            return
        log.info("the configuration was read again")

    def _stamps(self) -> dict[Path, _Stamp]:
        return {file: _stamp(file) for file in self._files()}

    def _files(self) -> list[Path]:
        """The configuration file, and those of the policy."""
        named = [self._config.settings[name].value for name in ("S3D_CONFIG", "S3D_OPA_POLICY")]
        found = [Path(file) for file in named if file is not None]
        try:
            below = [file for directory in found if directory.is_dir() for file in sorted(directory.rglob("*"))]
        except OSError:  # it is just being replaced: the next look finds that it has changed
            below = []
        return found + below


def _stamp(file: Path) -> _Stamp:
    """What is another when the file is; None: there is none."""
    try:
        found = os.stat(file)
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino
