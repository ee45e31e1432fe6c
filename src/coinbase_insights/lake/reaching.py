"""What a place says that cannot be used, in our words; and aloud, when it says nothing for long."""

import logging
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from deltalake.exceptions import DeltaError
from obstore.exceptions import BaseError

from ..errors import DamagedError, StorageError
from .tables import Table

SLOW = 10.0
"""Seconds without an answer of a store after which that is said; the library asks again for some minutes."""
_ESCAPES = re.compile(r"\x1b\[[0-9;]*m")
"""Colours that the library writes into its errors."""
_NATIVE = re.compile(r"\n\s*(?:0: |stack backtrace)")
"""Where the library begins to say where in itself an error arose."""
_OF_THE_LOG = "Kernel error"
"""Begins what the library says of a log that it can reach and cannot read."""
_OWN_WORDS = re.compile(r"^(?:(?:Kernel|Generic delta kernel) error\s*(?:->|:)\s*)+")
"""What it says of itself before it says what is wrong."""
logger = logging.getLogger(__name__)


@contextmanager
def reaching(url: str, declared: Table | None = None) -> Iterator[None]:
    """Turn whatever a place says that cannot be used now into a StorageError; Rust's libraries say it as OSError.

    `declared` is the table of the lake at `url` that is opened: its log may be what is wrong.
    """
    try:
        with _said_when_slow(url):
            yield
    except (DeltaError, BaseError, OSError) as error:
        text = " ".join(_NATIVE.split(_ESCAPES.sub("", str(error)))[0].split()).rstrip(".")
        if declared is not None and isinstance(error, DeltaError) and text.startswith(_OF_THE_LOG):
            raise DamagedError(
                f"The log of {table_url(url, declared)} is damaged: {_OWN_WORDS.sub('', text)[:300]}.", to_repair(url)
            ) from error
        raise StorageError(
            f"The lake in {url} cannot be used: {text[:300]}.", "Check the place, and its keys; or name another."
        ) from error


@contextmanager
def _said_when_slow(url: str) -> Iterator[None]:
    """Say when a store does not answer for long."""
    if "://" not in url:
        yield
        return
    timer = threading.Timer(SLOW, logger.error, ("%s has not answered for %d s; it is waited for.", url, SLOW))
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def to_repair(lake: str) -> str:
    """Give the hint at what makes a lake whole."""
    return f"Make it whole: coinbase_insights verify {lake} --repair"


def table_url(lake: str, declared: Table) -> str:
    """Give the address of a table in a lake."""
    return f"{lake.rstrip('/')}/{declared.name}"
