"""What a person typed, checked once: everything below the command line takes values that are known to be good."""

import math
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from .errors import UsageError

if TYPE_CHECKING:
    from .engine.state import Parameters

_DURATION = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,3})?)(ms|s|m|h|d)", re.ASCII).fullmatch
_SHARE = re.compile(r"([0-9]{1,2}(?:\.[0-9]{1,6})?)(%?)", re.ASCII).fullmatch
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0}
_SIZE = re.compile(r"([0-9]{1,9})(kB|MB|GB|TB)", re.ASCII).fullmatch
_BYTES = {"kB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12}
_SPEED = re.compile(r"([0-9]{1,6}(?:\.[0-9]{1,3})?)x?", re.ASCII).fullmatch
MOST_PRODUCTS = 1000
_NUMBER = re.compile(r"[0-9]{1,9}(?:\.[0-9]{1,9})?", re.ASCII).fullmatch
PARAMETER_LIMITS = {
    "half_life_h": (0.001, 100_000.0),
    "ridge": (1e-6, 1e6),
    "pull": (0.0, 10.0),
    "band_step": (0.0, 1.0),
}
"""The least and the most that each parameter of the forecasters may be."""
MOST_COMBINATIONS = 1000


def product_ids(texts: Sequence[str]) -> tuple[str, ...]:
    """Take product ids such as ETH-USD, each once, in their order. Raises UsageError for anything else."""
    from .quote import is_product_id

    for text in texts:
        if not is_product_id(text):
            shown = ascii(text if len(text) <= 40 else text[:40] + "...")
            better = text.strip().upper().replace("/", "-").replace("_", "-")
            hint = f"Did you mean {better}?" if is_product_id(better) else "Product ids look like ETH-USD."
            raise UsageError(f"{shown} is not a product id.", f"{hint} List them with `coinbase_insights products`.")
    if len(set(texts)) > MOST_PRODUCTS:
        raise UsageError(f"{len(set(texts))} products are more than the {MOST_PRODUCTS} that one run can follow.")
    return tuple(dict.fromkeys(texts))


def books(product_ids: Sequence[str]) -> tuple[str, ...]:
    """Give the products whose books Advanced Trade shows for these: X-USDC there is another name of X-USD.

    Raises UsageError when two of them are one.
    """
    from .quote import book_of

    names = tuple(book_of(product_id) for product_id in product_ids)
    for number, name in enumerate(names):
        if name in names[:number]:
            both = f"{product_ids[names.index(name)]} and {product_ids[number]}"
            raise UsageError(f"{both} are one book on Advanced Trade.", "Name one of them.")
    return names


def duration(text: str) -> float:
    """Take a duration such as 90s, 15m or 1h, in seconds. Raises UsageError for anything else."""
    match = _DURATION(text)
    if match is None or float(match[1]) == 0.0:
        raise UsageError(f"{text[:40]!a} is not a duration.", "Write it as 90s, 15m, 1h or 1d.")
    return float(match[1]) * _SECONDS[match[2]]


def held_out(text: str) -> tuple[float, float]:
    """Take what is held out: 0.2 or 20% as a share, 6h as seconds; the other is 0. Raises UsageError."""
    match = _SHARE(text)
    if match is not None:
        share = float(match[1]) / (100.0 if match[2] else 1.0)
        if 0.0 < share < 1.0:
            return share, 0.0
    elif _DURATION(text) is not None and duration(text) >= 120.0:
        return 0.0, duration(text)
    raise UsageError(
        f"{text[:40]!a} cannot be held out.", "Write a share such as 0.2 or 20%, or 6h: two minutes or more."
    )


def model_name(text: str) -> str:
    """Take the name of a model. Raises UsageError when it could not be a folder everywhere."""
    if not re.fullmatch(r"[a-z][a-z0-9_-]{0,39}", text, re.ASCII):
        raise UsageError(f"{text[:40]!a} is no name of a model.", "Use small letters, digits, - and _, as in tilt-btc.")
    return text


def size(text: str) -> int:
    """Take a size such as 500MB or 20GB, in bytes. Raises UsageError for anything else."""
    match = _SIZE(text)
    if match is None or int(match[1]) == 0:
        raise UsageError(f"{text[:40]!a} is not a size.", "Write it as 500MB or 20GB.")
    return int(match[1]) * _BYTES[match[2]]


def speed(text: str) -> float:
    """Take a speed such as 1, 10, 10x or max (infinity). Raises UsageError for anything else."""
    if text == "max":
        return math.inf
    match = _SPEED(text)
    if match is None or float(match[1]) == 0.0:
        raise UsageError(f"{text[:40]!a} is not a speed.", "Write 1 for as fast as it was recorded, 10, or max.")
    return float(match[1])


def grid(text: str) -> "tuple[Parameters, ...]":
    """Take "ridge=1,3 half_life_h=6,24": every combination of the values, the last name changing first.

    Raises UsageError for an unknown name, for what is no number, and for too many combinations.
    """
    from itertools import product

    from .engine.state import Parameters

    values: dict[str, tuple[float, ...]] = {}
    for word in text.split():
        name, _, numbers = word.partition("=")
        if name in values:
            raise UsageError(f"The grid names {name} twice.", f"Write all its values at once: {name}=1,2")
        values[name] = _values(name, numbers)
    count = math.prod(map(len, values.values()))
    if not values:
        raise UsageError("The grid is empty.", 'Write it as --grid "ridge=1,3,10 half_life_h=6,24".')
    if count > MOST_COMBINATIONS:
        raise UsageError(
            f"The grid has {count:,} combinations; {MOST_COMBINATIONS:,} are the most.", "Try fewer values."
        )
    return tuple(Parameters(**dict(zip(values, each, strict=True))) for each in product(*values.values()))


def _values(name: str, numbers: str) -> tuple[float, ...]:
    """Take the values of one parameter, each once, in their order."""
    if name not in PARAMETER_LIMITS:
        from difflib import get_close_matches

        near = get_close_matches(name, PARAMETER_LIMITS, 1, 0.5)
        hint = f"Did you mean {near[0]}?" if near else f"There are {', '.join(PARAMETER_LIMITS)}."
        raise UsageError(f"{name[:40]!a} is not a parameter of a forecaster.", hint)
    least, most = PARAMETER_LIMITS[name]
    for number in numbers.split(","):
        if _NUMBER(number) is None or not least <= float(number) <= most:
            said = f"{number[:40]!a} is not a value of {name}."
            raise UsageError(said, f"It is a number from {least:g} to {most:g}, such as {name}=0.5,1")
    return tuple(dict.fromkeys(map(float, numbers.split(","))))


def socket_url(text: str) -> str:
    """Take the address of a feed. Raises UsageError when it is not wss://HOST or ws://HOST:PORT."""
    if not re.fullmatch(r"wss?://[A-Za-z0-9.\-\[\]:]{1,253}(/[A-Za-z0-9./\-_]{0,200})?", text, re.ASCII):
        raise UsageError(f"{text[:80]!a} is no address of a feed.", "Write it as wss://HOST or ws://HOST:PORT.")
    return text


def speed_name(factor: float) -> str:
    """Write a speed as it is shown: 1x, 10x, max."""
    return "max" if math.isinf(factor) else f"{factor:g}x"
