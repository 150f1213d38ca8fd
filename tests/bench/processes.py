"""The CPU time, memory and cores of a tree of processes."""

import contextlib
import os
import pathlib
import re
import time

TICK = os.sysconf("SC_CLK_TCK")


def stat_fields(pid):
    """The fields of /proc/PID/stat behind the name: state, parent, …"""
    return pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()


def tree(root):
    """root and everything below it."""
    children = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            with contextlib.suppress(OSError):
                children.setdefault(int(stat_fields(entry)[1]), []).append(int(entry))
    found, to_do = [], [root]
    while to_do:
        pid = to_do.pop()
        found.append(pid)
        to_do += children.get(pid, [])
    return found


def cpu_seconds(root):
    """The CPU time of the tree so far, including children that have ended: for living processes in nanoseconds, for
    others in ticks."""
    total = 0.0
    for pid in tree(root):
        with contextlib.suppress(OSError):
            total += time.clock_gettime((~pid << 3) | 2)  # the CPU clock of that process, see clock_getcpuclockid(3)
            total += sum(int(ticks) for ticks in stat_fields(pid)[13:15]) / TICK
    return total


def pss_kib(root):
    """Memory in KiB; shared memory is divided among its processes."""
    total = 0
    for pid in tree(root):
        with contextlib.suppress(OSError):
            text = pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text()
            total += int(re.search(r"^Pss:\s+(\d+)", text, re.MULTILINE).group(1))
    return total


def settle(root, limit=20):
    """Waits until the tree is idle, so that its pending work is counted."""
    end = time.monotonic() + limit
    before = cpu_seconds(root)
    while time.monotonic() < end:
        time.sleep(0.15)
        now = cpu_seconds(root)
        if now - before < 0.003:
            return
        before = now


@contextlib.contextmanager
def pinned(root, cores):
    """Keeps all threads of the tree on these cores until the end of the block."""
    everywhere = os.sched_getaffinity(0)

    def set_all(wanted):
        for pid in tree(root):
            with contextlib.suppress(OSError):
                for thread in os.listdir(f"/proc/{pid}/task"):
                    os.sched_setaffinity(int(thread), wanted)

    set_all(cores)
    try:
        yield
    finally:
        set_all(everywhere)
