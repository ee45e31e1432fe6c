"""The cost of a message, from the slice of a run that was disturbed least.

Shared machines give a process less than they say: time in which the processor was away may be counted as its own, and
it only ever adds. Nothing of ours is imported here, for Coinbase's own client is measured with it too.
"""

import time

SLICE = 5_000


class Slices:
    """Counts, and looks at the CPU clock of this process once in a while."""

    def __init__(self) -> None:
        """Begin before the first message."""
        self.count = 0
        self.least = float("inf")
        """Microseconds of CPU a message in the cheapest slice so far."""
        self._began = 0.0

    def add(self) -> int:
        """Count one more; give how many there are."""
        if self.count % SLICE == 0:
            now = time.process_time()
            if self.count:
                self.least = min(self.least, (now - self._began) / SLICE * 1e6)
            self._began = now
        self.count += 1
        return self.count
