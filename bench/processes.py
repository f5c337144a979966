"""Memory and CPU time of the emulator's processes, from `/proc` (Linux only)."""

import os
import re
from dataclasses import dataclass
from pathlib import Path

FUNCTION = re.compile(r"ministack-lambda-.*?-(\w+Function)-")


@dataclass(frozen=True, slots=True)
class Process:
    """One process; `function` is empty for any that is not a function's."""

    pid: int
    parent: int
    function: str
    rss_mb: float
    peak_mb: float
    cpu_ms: float


def processes(root: int) -> list[Process]:
    """The process `root` and all its descendants."""
    everyone = [found for path in Path("/proc").glob("[0-9]*") if (found := _read(path))]
    family = {root}
    while True:
        grown = family | {each.pid for each in everyone if each.parent in family}
        if grown == family:
            return [each for each in everyone if each.pid in family]
        family = grown


def memory_mb(pid: int) -> float:
    """Megabytes that a process holds, where each page that several have is divided among them (`Pss` of proc(5))."""
    try:
        return _mb(Path(f"/proc/{pid}/smaps_rollup").read_text(), "Pss:")
    except OSError:
        return 0.0


def _read(path: Path) -> Process | None:
    try:
        stat = (path / "stat").read_text().rpartition(")")[2].split()
        command = (path / "cmdline").read_bytes().decode(errors="replace")
        status = (path / "status").read_text()
    except (OSError, IndexError):
        return None
    named = FUNCTION.search(command)
    function = named.group(1) if named else ""
    cpu_ms = (int(stat[11]) + int(stat[12])) * 1000 / os.sysconf("SC_CLK_TCK")
    return Process(int(path.name), int(stat[1]), function, _mb(status, "VmRSS:"), _mb(status, "VmHWM:"), cpu_ms)


def _mb(status: str, name: str) -> float:
    found = status.partition(name)[2].split()
    return int(found[0]) / 1024 if found else 0.0  # kernel threads have no memory of their own
