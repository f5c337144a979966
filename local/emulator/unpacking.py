"""A function's code and its layers, unpacked once and not anew for each process.

A process finds a link to what was unpacked: as `/var/task` and `/opt` on AWS, it is there to be read only. A process
of its own unpacks: in the emulator's, each of some thousand files would wait for its turn behind every other thread.
"""

import hashlib
import io
import os
import subprocess
import sys
import tempfile
import threading
import zipfile
from functools import lru_cache
from pathlib import Path

KNOWN = 64
"""Archives whose digest is kept."""


class Archive:
    """As much of `zipfile.ZipFile` as MiniStack uses."""

    _one_at_a_time = threading.Lock()

    def __init__(self, packed: bytes) -> None:
        """`packed` is a ZIP file."""
        self._packed = packed
        self._unpacked = Path(tempfile.gettempdir(), f"unpacked-{_digest(packed)}")

    def __enter__(self) -> "Archive":
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def namelist(self) -> list[str]:
        """The names, for the caller's check of where they lead; none where that was done before."""
        if self._unpacked.exists():
            return []
        with zipfile.ZipFile(io.BytesIO(self._packed)) as archive:
            return archive.namelist()

    def extractall(self, path: str) -> None:
        """Have the empty directory `path` be a link to what is in it, unpacked if this is the first time."""
        with self._one_at_a_time:
            if not self._unpacked.exists():
                part = self._unpacked.with_suffix(".part")
                with tempfile.NamedTemporaryFile(suffix=".zip") as file:
                    file.write(self._packed)
                    file.flush()
                    unpack = [sys.executable, "-I", "-S", "-m", "zipfile", "--extract", file.name, str(part)]
                    subprocess.run(unpack, check=True)  # noqa: S603 - our own
                part.rename(self._unpacked)
        os.rmdir(path)
        os.symlink(self._unpacked, path)


@lru_cache(KNOWN)
def _digest(packed: bytes) -> str:
    return hashlib.sha256(packed).hexdigest()[:16]
