"""The program on a disk whose fsync fails: `no_fsync.py SECONDS ARGUMENT...`; the kernel says EIO from then on.

A seccomp filter answers fsync and fdatasync for all threads (man 2 seccomp), so it is the real call that fails.
"""

import ctypes
import errno
import struct
import sys
import threading
import time

from coinbase_insights.cli import main

NUMBERS = (74, 75) if sys.maxsize > 2**32 and "x86_64" in sys.version + sys.implementation._multiarch else (82, 83)
"""Of fsync and fdatasync, on x86-64 and on ARM64."""
SECCOMP = 317 if NUMBERS == (74, 75) else 277
ALLOW, ERRNO = 0x7FFF0000, 0x00050000


def fail_fsync() -> None:
    program = b"".join(
        struct.pack("HBBI", *each)
        for each in (
            (0x20, 0, 0, 0),  # load the number of the call
            (0x15, 1, 0, NUMBERS[0]),
            (0x15, 0, 1, NUMBERS[1]),
            (0x06, 0, 0, ERRNO | errno.EIO),
            (0x06, 0, 0, ALLOW),
        )
    )
    text = ctypes.create_string_buffer(program)
    filtered = struct.pack("HxxxxxxP", 5, ctypes.addressof(text))
    system = ctypes.CDLL(None, use_errno=True)
    system.prctl(38, 1, 0, 0, 0)  # no new privileges, or it may not be filtered
    if system.syscall(SECCOMP, 1, 1, filtered) != 0:
        sys.exit(f"the kernel takes no filter: {ctypes.get_errno()}")


def later(seconds: float) -> None:
    time.sleep(seconds)
    fail_fsync()


after = float(sys.argv.pop(1))
if after:
    threading.Thread(target=later, args=(after,), daemon=True).start()
else:
    fail_fsync()
main()
