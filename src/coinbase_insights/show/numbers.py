"""How numbers and times are written for eyes: thousands separated, UTC, a dash for what is not there.

Prices keep the text that the exchange sent, digit by digit; computed figures are rounded to the decimals asked for.
"""

from datetime import UTC, datetime, timedelta

NOTHING = "—"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def padded(price: str, decimals: int) -> str:
    """Give a price with all decimals of its product; further ones that the exchange sent stay.

    >>> padded("2416.3", 2)
    '2416.30'
    """
    units, _, fraction = price.partition(".")
    fraction = fraction.ljust(decimals, "0")
    return f"{units}.{fraction}" if fraction else units


def grouped(number: str) -> str:
    """Separate the thousands of a plain decimal number.

    >>> grouped("123456.7890")
    '123,456.7890'
    """
    units, point, fraction = number.partition(".")
    return f"{int(units):,}{point}{fraction}"


def price(text: str, decimals: int) -> str:
    """Write a price for eyes, as 2,416.30."""
    return grouped(padded(text, decimals))


def figure(value: float | None, decimals: int, full: bool = True) -> str:
    """Write a computed figure for eyes, as 2,416.325, with a ~ before it when its window is not full."""
    if value is None:
        return NOTHING
    return f"{'' if full else '~'}{value:,.{decimals}f}"


def p_text(value: float) -> str:
    """Write a p-value; what is smaller than a thousandth is not known more exactly."""
    return "<0.001" if value < 0.001 else f"{value:.3g}"


def counted(count: int, one: str, many: str = "") -> str:
    """Write a count with its noun, as 1 reconnect, 2 reconnects."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def clock(time: int) -> str:
    """Write microseconds since 1970 as the time of day, UTC, as 13:05:36."""
    return (_EPOCH + timedelta(microseconds=time)).strftime("%H:%M:%S")


def clock_of(time: str) -> str:
    """Take the time of day out of an RFC 3339 time.

    >>> clock_of("2026-11-22T13:05:36.000000Z")
    '13:05:36'
    """
    return time[11:19]
