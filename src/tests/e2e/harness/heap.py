"""What a process has allocated and not freed, which its resident memory does not tell: an allocator keeps its peak."""

import re
import shutil
import subprocess

from harness.process import Failure


def can_tell():
    """Whether there is a debugger, which asks glibc's allocator inside the process."""
    return shutil.which("gdb") is not None


def live(pid, file):
    """How many bytes are in use; `file` is written on the way."""
    ask = [f'set $to = (void *)fopen("{file}", "w")', "call (int)malloc_info(0, $to)", "call (int)fclose($to)"]
    argv = ["gdb", "--quiet", "--batch", f"--pid={pid}"]
    for each in ask:
        argv += ["-ex", each]
    done = subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=60)
    if not file.exists():
        raise Failure(f"gdb learns nothing: {done.stdout[-500:]}")
    # The arenas come first, then their sum: what was taken from the system, less what is free in it.
    whole = file.read_text().rpartition("</heap>")[2]
    free, taken = _sizes(whole, r'total type="(?:fast|rest)"'), _sizes(whole, 'system type="current"')
    return taken - free + _sizes(whole, 'total type="mmap"')


def _sizes(text, tag):
    return sum(int(size) for size in re.findall(rf'<{tag}[^>]* size="(\d+)"', text))
