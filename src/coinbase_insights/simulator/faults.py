"""What may go wrong on purpose, and the words that ask for it.

Each word names a fault and when it happens, counted in frames of one connection, so that a test can repeat it:

    close=CODE@N      close with this code after N frames (1000, 1001, 1011, ...; 1006 cuts the line without a word)
    close=CODE@Ns     the same, N seconds after the connection opened
    stall@N           send nothing more after N frames; the line stays open (0: not one byte)
    no_heartbeats@N   send no heartbeat after N frames (`no_heartbeats`: never any)
    gap/N             lose every Nth frame: on Advanced Trade its sequence_num is missing
    duplicate/N       send every Nth frame twice
    out_of_order/N    send every Nth frame after the one that follows it
    invalid_json/N    before every Nth frame, send the first half of it
    unknown_type/N    before every Nth frame, send a message of a type that nobody knows
    error_frame/N     before every Nth frame, send an error
    empty_bid/N       every Nth ticker has an empty best_bid
    crossed/N         every Nth ticker has its best prices exchanged
    missing=FIELD/N   every Nth ticker lacks FIELD, best_bid_size for example
    no_compression    answer an offer of permessage-deflate with silence
    slow_reader@N     cut off a client that leaves more than N bytes waiting (always done at 8 MB);
                      a recording waits for its reader instead
    connections=N     only the first N connections have faults

Several words are separated by spaces or commas.
"""

import re
from difflib import get_close_matches

import msgspec
from msgspec.structs import replace

from ..errors import UsageError

BACKLOG = 8_000_000
"""Bytes that may wait for a client before it counts as a slow reader, as with Coinbase's ErrSlowConsume."""


class Faults(msgspec.Struct, frozen=True):
    """Which faults a connection has: after so many frames (None is never), at every so manieth (0 is never)."""

    close_code: int = 1001
    """1006 cuts the line without a closing frame."""
    close_after: int | None = None
    close_seconds: float | None = None
    stall_after: int | None = None
    no_heartbeats_after: int | None = None
    gap_every: int = 0
    duplicate_every: int = 0
    out_of_order_every: int = 0
    invalid_json_every: int = 0
    unknown_type_every: int = 0
    error_frame_every: int = 0
    empty_bid_every: int = 0
    crossed_every: int = 0
    missing_every: int = 0
    missing_field: str = "best_bid_size"
    no_compression: bool = False
    backlog: int = BACKLOG
    connections: int = 0
    """Only so many connections of a server have faults; 0 is all of them."""


EVERY = tuple(name.removesuffix("_every") for name in Faults.__struct_fields__ if name.endswith("_every"))
NAMES = (*EVERY, "close", "stall", "no_heartbeats", "no_compression", "slow_reader", "connections")
EXAMPLE = "Faults look like close=1001@100, stall@50, duplicate/10 or missing=side/20."

_WORD = re.compile(r"(?P<name>\w+)(?:=(?P<value>\w+))?(?:@(?P<after>\d+(?:\.\d+)?s?)|/(?P<every>[1-9]\d*))?", re.ASCII)


def parse_faults(text: str) -> Faults:
    """Read fault words, as in the module's text. Raises UsageError with the nearest known word.

    >>> parse_faults("close=1001@100 duplicate/10").close_code
    1001
    """
    faults = Faults()
    for word in re.split(r"[\s,]+", text.strip()):
        faults = replace(faults, **_changes(word)) if word else faults
    return faults


def _changes(word: str) -> dict[str, int | float | str | bool]:
    """Read one word as new values of fields."""
    parts = _WORD.fullmatch(word)
    if parts is None:
        raise UsageError(f"{word} is not a fault.", EXAMPLE)
    name = parts["name"]
    if name not in NAMES:
        near = get_close_matches(name, NAMES, 1, 0.5)
        raise UsageError(f"{name} is not a fault.", f"Did you mean {near[0]}?" if near else EXAMPLE)
    match (name, parts["value"], parts["after"], parts["every"]):
        case ("close", str(code), str(after), None) if _can_close(code) and (after[-1] == "s" or after.isdigit()):
            when = {"close_seconds": float(after[:-1])} if after.endswith("s") else {"close_after": int(after)}
            return {"close_code": int(code), **when}
        case ("stall" | "no_heartbeats", None, str(after), None) if after.isdigit():
            return {f"{name}_after": int(after)}
        case ("slow_reader", None, str(after), None) if after.isdigit():
            return {"backlog": int(after)}
        case ("connections", str(count), None, None) if count.isdigit():
            return {"connections": int(count)}
        case ("no_heartbeats", None, None, None):
            return {"no_heartbeats_after": 0}
        case ("no_compression", None, None, None):
            return {"no_compression": True}
        case ("missing", str(field), None, str(every)):
            return {"missing_field": field, "missing_every": int(every)}
        case (_, None, None, str(every)) if name in EVERY and name != "missing":
            return {f"{name}_every": int(every)}
    raise UsageError(f"{word} is not how to ask for {name}.", EXAMPLE)


def _can_close(text: str) -> bool:
    """Say whether a server may send this closing code; 1006 is never sent, it stands for a cut line.

    https://www.rfc-editor.org/rfc/rfc6455#section-7.4
    """
    code = int(text) if text.isdigit() else 0
    return code == 1006 or code in (1000, 1001, 1002, 1003, *range(1007, 1015)) or 3000 <= code <= 4999
