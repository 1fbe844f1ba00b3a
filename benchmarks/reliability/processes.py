"""Memory and processor time of a process and of all it started."""

import os
from contextlib import suppress
from pathlib import Path


def _started_by(leader: int) -> list[Path]:
    """/proc folders of a process and of all it started (the same session)."""
    found = []
    for entry in Path("/proc").iterdir():
        with suppress(OSError, ValueError):  # it has just ended, or is no process
            if os.getsid(int(entry.name)) == leader:
                found.append(entry)
    return found


def resident(leader: int) -> int:
    """Bytes of memory of the server's processes; what they share is counted once (Pss)."""
    total = 0
    for entry in _started_by(leader):
        with suppress(OSError):
            lines = (entry / "smaps_rollup").read_text().splitlines()
            total += sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:"))
    return total


def processor(leader: int) -> float:
    """Seconds of processor time the server's processes have used so far."""
    ticks = 0
    for entry in _started_by(leader):
        with suppress(OSError):
            fields = (entry / "stat").read_text().rpartition(")")[2].split()
            ticks += int(fields[11]) + int(fields[12])  # utime, stime
    return ticks / os.sysconf("SC_CLK_TCK")
