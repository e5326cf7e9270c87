"""The directory that a store lives in, and the right to use it: one process at a time."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
from pathlib import Path


class CannotOpen(Exception):
    """A store cannot be opened. The text is a sentence with the directory and what to do about it.

    CannotOpen
    └── DirectoryInUse     another process has it
    """


class DirectoryInUse(CannotOpen):
    """Another process uses the directory."""


class Lock:
    """The lock on a directory, held from `take` to `release` or the end of the process, however that comes.

    It is on a file that stays there: removing a lock file makes it possible that two processes hold one each.
    """

    def __init__(self, directory: Path) -> None:
        self._path = directory / "lock"
        self._file: int | None = None

    def take(self) -> None:
        """Raises DirectoryInUse, or CannotOpen if the directory does not do locks."""
        directory = self._path.parent
        file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            holder = os.pread(file, 32, 0).decode("ascii", "replace").strip()
            os.close(file)
            if error.errno in (errno.EWOULDBLOCK, errno.EACCES):
                who = f"process {holder}" if holder.isdigit() else "another process"
                raise DirectoryInUse(
                    f"{directory} is in use by {who}: stop that first, or choose another directory"
                ) from error
            raise CannotOpen(
                f"{directory} is on a file system that cannot lock files ({error.strerror}): choose another directory"
            ) from error
        self._file = file
        with contextlib.suppress(OSError):  # a full disk: who holds the lock matters only to whom it refuses
            os.ftruncate(file, 0)
            os.pwrite(file, f"{os.getpid()}\n".encode(), 0)

    def release(self) -> None:
        """Also if it is not held."""
        if self._file is not None:
            os.close(self._file)
            self._file = None


def make(directory: Path) -> None:
    """Makes the directory and those above it, durably; the store is for its owner's eyes only. Raises CannotOpen."""
    try:
        missing = [path for path in (directory, *directory.parents) if not path.exists()]
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        for path in missing:
            sync_directory(path.parent)
        if not os.access(directory, os.R_OK | os.W_OK | os.X_OK):
            raise PermissionError(errno.EACCES, "no permission to write in it")
    except OSError as error:
        raise CannotOpen(f"the directory {directory} cannot be used ({error.strerror}): choose another one") from error


def sync(handle: int) -> None:
    """fsync(2), and on macOS what that does elsewhere: there it leaves the bytes in the drive's own buffer."""
    if hasattr(fcntl, "F_FULLFSYNC"):
        fcntl.fcntl(handle, fcntl.F_FULLFSYNC)
    else:
        os.fsync(handle)


def sync_directory(directory: Path) -> None:
    """Makes names in it durable: those that were made, renamed or removed (fsync(2): that of the file is not enough)."""
    handle = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        sync(handle)
    finally:
        os.close(handle)
