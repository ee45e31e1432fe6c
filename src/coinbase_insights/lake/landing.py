"""Lines from the journal into `raw`: as many as are durable, a bounded number at a time."""

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

from ..errors import StorageError
from ..log.segment_reader import SegmentReader
from ..log.segments import segments
from .raw import Raw
from .rows import GROUP_LINES
from .tail import GROUP_BYTES, Tail

LOG = "journal"
"""The name of the journal in the column `log`."""
GROUPS_A_COMMIT = 8


class Landing:
    """Goes on where the lake ends; whoever is killed when, each line lands once."""

    def __init__(self, raw: Raw, journal: Path) -> None:
        """Look where the lake ends. Raises as `Raw.parts`."""
        self.raw = raw
        self._tail = Tail(raw, LOG)
        self._journal = journal
        self._lock = threading.Lock()
        self._has_failed = False
        """Whether the last call has: then the lake may be at another place than we know, and at another version."""
        self._reader = SegmentReader(journal, self.landed)

    @property
    def parts(self) -> int:
        """Data files of the table."""
        return len(self.raw.parts())

    @property
    def landed(self) -> int:
        """Offset behind the last line that is in the lake."""
        return self._tail.landed

    def goes_on_from(self, oldest: int) -> bool:
        """Tell whether the journal is that of the lake: the last line that has landed is the same in both.

        `oldest` is the first line that the journal still has; where it has not the last that landed, nobody can tell.
        """
        last = self.landed - 1
        if last < oldest:
            return True
        (line,) = SegmentReader(self._journal, last).read(last + 1, 1, GROUP_BYTES)
        return self._tail.is_last(line)

    def land(self, until: int, told: Callable[[int], None] = lambda _: None) -> None:
        """Land all lines below an offset, and join parts now and then; `told` hears how far it has come.

        Raises as `Raw.land` and `SegmentReader.read`; what has landed until then stays, and the next call goes on.
        """
        with self._lock:  # A call that nobody waits for any more may still be at work.
            if self._has_failed:
                self._tail.refresh()
                self._reader = SegmentReader(self._journal, self.landed)
            self._has_failed = True
            while self._reader.offset < until:
                self._tail.land(self._reader.offset, self._groups(until))
                told(self._reader.offset)
            self._has_failed = False

    def clean(self) -> None:
        """Remove what no version of the last hour needs. Raises as `Raw.clean`."""
        with self._lock:
            self.raw.clean()

    def _groups(self, until: int) -> Iterator[list[bytes]]:
        """Give the lines of one commit, a group at a time, so that no more is held at once."""
        for _ in range(GROUPS_A_COMMIT):
            if not (lines := self._reader.read(until, GROUP_LINES, GROUP_BYTES)):
                return
            yield lines


def landing_of(raw: Raw, journal: Path, end: int) -> Landing:
    """Land a journal that ends there. Raises StorageError when it is not the journal of the lake."""
    landed, oldest, landing = raw.landed(LOG), segments(journal)[0][0], Landing(raw, journal)
    if not oldest <= landed <= end or not landing.goes_on_from(oldest):
        raise StorageError(
            f"The journal in {journal} holds the lines {oldest} to {end - 1}, and the lake goes on at {landed}: "
            "it is not the journal of this lake.",
            "Name the right one after --journal. If it is damaged: coinbase_insights verify LAKE --repair",
        )
    return landing


class Later:
    """Lands in a lake that was away when we started, as soon as it is there."""

    def __init__(self, lake: str, journal: Path) -> None:
        """Ask nobody yet."""
        self._lake, self._journal = lake, journal
        self._landing: Landing | None = None
        self._lock = threading.Lock()
        self._oldest = segments(journal)[0][0]

    @property
    def landed(self) -> int:
        """Offset behind the last line that is in the lake, as far as is known."""
        return self._oldest if self._landing is None else self._landing.landed

    @property
    def parts(self) -> int:
        """Data files of the table; 0 before it is known."""
        return 0 if self._landing is None else self._landing.parts

    def land(self, until: int, told: Callable[[int], None] = lambda _: None) -> None:
        """Land as `Landing` does. Raises StorageError while the lake is away, or when the journal is not its own."""
        with self._lock:  # A call that nobody waits for any more may still be at work.
            if self._landing is None:
                self._landing = landing_of(Raw(self._lake, create=True), self._journal, until)
        self._landing.land(until, told)

    def clean(self) -> None:
        """Remove what no version of the last hour needs. Raises as `Raw.clean`."""
        if self._landing is not None:
            self._landing.clean()
