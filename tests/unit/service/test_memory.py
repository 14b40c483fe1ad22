from __future__ import annotations

import ctypes
import os
import subprocess
import sys

import pytest

from service.memory import KEPT_BYTES, OWN_BLOCK_BYTES, give_back_memory

# Each prints one figure; with "yes" keep_little_memory was called first.
STARTS = """
import ctypes, sys, threading
from service.memory import OWN_BLOCK_BYTES, give_back_memory, keep_little_memory
if sys.argv[1] == "yes":
    keep_little_memory()
"""
# What glibc takes from the system for a block of its own, after a much larger one was freed.
BLOCK = (
    STARTS
    + """
NAMES = "arena ordblks smblks hblks hblkhd usmblks fsmblks uordblks fordblks keepcost"

class Figures(ctypes.Structure):
    _fields_ = [(name, ctypes.c_size_t) for name in NAMES.split()]

mallinfo = ctypes.CDLL(None).mallinfo2
mallinfo.restype = Figures
bytearray(16 * OWN_BLOCK_BYTES)
before = mallinfo().hblkhd
block = bytearray(2 * OWN_BLOCK_BYTES)
print(mallinfo().hblkhd - before)
"""
)
# What stays of two threads that read large bodies: a large block, then many that an arena holds.
THREADS = (
    STARTS
    + """
from pathlib import Path

def resident():
    status = Path("/proc/self/status").read_text().split()
    return int(status[status.index("VmRSS:") + 1]) * 1024

def read():
    for _ in range(3):
        bytearray(16 * 2**20)
    blocks = [bytes(500_000) for _ in range(50)]
    done.wait()

before = resident()
done = threading.Barrier(3)
workers = [threading.Thread(target=read) for _ in range(2)]
[worker.start() for worker in workers]
done.wait()
[worker.join() for worker in workers]
give_back_memory()
print(resident() - before)
"""
)


def printed(program: str, told: str) -> int:
    # Nobody's own settings of the allocator, nor another allocator.
    ours = {name: value for name, value in os.environ.items() if not name.startswith(("MALLOC_", "GLIBC_TUNABLES", "LD_PRELOAD"))}
    return int(subprocess.run([sys.executable, "-c", program, told], check=True, capture_output=True, text=True, env=ours).stdout)


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "mallinfo2"), reason="not glibc from 2.33 on, whose allocator this is about")
def test_large_blocks_come_from_the_system_one_by_one_whatever_was_freed_before() -> None:
    assert printed(BLOCK, "yes") >= 2 * OWN_BLOCK_BYTES
    # By itself glibc has raised its threshold by now: else the function would have nothing to do.
    assert printed(BLOCK, "no") == 0


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "mallopt"), reason="not glibc, whose allocator this is about")
def test_what_threads_have_read_does_not_stay_with_the_process() -> None:
    # Without the thresholds up to 50 MB stay; in which arenas, and so whether, is chance: no assertion can be made of that.
    assert printed(THREADS, "yes") < KEPT_BYTES


def test_giving_memory_back_is_harmless() -> None:
    give_back_memory()
