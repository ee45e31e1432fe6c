"""How Coinbase writes numbers and times.

Prices are whole numbers of the product's smallest step, sizes whole numbers of 10^-8, times whole microseconds
since 1970 UTC; no float is ever printed as a price.
"""

from datetime import UTC, datetime
from functools import lru_cache

SIZE_DECIMALS = 8
SECOND = 1_000_000


def padded(value: int, decimals: int) -> str:
    """Write `value` * 10^-`decimals` with all its decimals.

    >>> padded(165920, 2)
    '1659.20'
    """
    text = str(value).rjust(decimals + 1, "0")
    return f"{text[:-decimals]}.{text[-decimals:]}" if decimals else text


def trimmed(value: int, decimals: int) -> str:
    """Write `value` * 10^-`decimals` without the zeros at its end.

    >>> trimmed(165920, 2)
    '1659.2'
    """
    text = padded(value, decimals)
    return text.rstrip("0").rstrip(".") if "." in text else text


def whole(text: str, decimals: int) -> int:
    """Read a plain decimal as a whole number of 10^-`decimals`; digits beyond are cut off.

    >>> whole("1659.2", 2)
    165920
    """
    units, _, fraction = text.partition(".")
    return int(units + fraction[:decimals].ljust(decimals, "0"))


@lru_cache(maxsize=4)
def _second(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")


def micro_time(time: int) -> str:
    """Write a time as the Exchange feed does: always six digits."""
    return f"{_second(time // SECOND)}.{time % SECOND:06d}Z"


def nano_time(nanoseconds: int) -> str:
    """Write a time as Advanced Trade does: up to nine digits, without the zeros at the end."""
    seconds, fraction = divmod(nanoseconds, 1_000_000_000)
    digits = f"{fraction:09d}".rstrip("0")
    return f"{_second(seconds)}.{digits}Z" if digits else f"{_second(seconds)}Z"


def go_time(nanoseconds: int, uptime: float) -> str:
    """Write a time as Go prints it, with the seconds since the process started, as in Advanced heartbeats."""
    seconds, fraction = divmod(nanoseconds, 1_000_000_000)
    digits = f".{fraction:09d}".rstrip("0").rstrip(".")
    return f"{_second(seconds).replace('T', ' ')}{digits} +0000 UTC m=+{uptime:.9f}"
