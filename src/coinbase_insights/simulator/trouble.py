"""The faults of one connection at work: frames in, what really goes out.

Pure counting; nothing here sleeps or knows a socket. Frames are edited as text, so that all else stays untouched.
"""

import re

import msgspec

from .advanced_frames import renumber, sequence_num
from .faults import Faults
from .request import Frame, error

UNKNOWN_TYPE = b'{"type":"message_of_a_new_type","product_id":"BTC-USD","values":[1,{"deep":null}]}'
ERROR = error("Simulated error", "asked for with error_frame")

_HEARTBEAT = re.compile(rb'\s*\{\s*"(type|channel)"\s*:\s*"heartbeats?"')
_TICKER = re.compile(rb'"type"\s*:\s*"ticker"')
_BEST_BID = re.compile(rb'("best_bid"\s*:\s*")([^"]*)(")')
_BEST_ASK = re.compile(rb'("best_ask"\s*:\s*")([^"]*)(")')


class Close(msgspec.Struct, frozen=True):
    """End the connection with this code, after what was sent before it."""

    code: int


Outgoing = Frame | Close


class Trouble:
    """Counts the frames of one connection and does to each of them what the faults say."""

    def __init__(self, faults: Faults) -> None:
        self._faults = faults
        self._frames = 0
        self._tickers = 0
        self._silenced = 0
        self._held: Frame | None = None

    def send(self, frame: Frame) -> list[Outgoing]:
        """Give what goes out in place of this frame: usually just it."""
        faults = self._faults
        if self.stalled:
            return []
        if _HEARTBEAT.match(frame) and self._past(faults.no_heartbeats_after):
            self._silenced += 1
            return []
        self._frames += 1
        outgoing: list[Outgoing] = [*self._extra(frame), *self._copies(self._spoilt(frame))]
        if self._past(faults.close_after):
            outgoing.append(Close(faults.close_code))
        return outgoing

    @property
    def stalled(self) -> bool:
        """Whether nothing goes out any more."""
        return self._past(self._faults.stall_after)

    def _past(self, after: int | None) -> bool:
        return after is not None and self._frames >= after

    def _due(self, every: int) -> bool:
        return every > 0 and self._frames % every == 0

    def _extra(self, frame: Frame) -> list[Frame]:
        """Give the frames that nobody asked for and that come before this one."""
        faults = self._faults
        extra = [frame[: len(frame) // 2]] if self._due(faults.invalid_json_every) else []
        extra += [UNKNOWN_TYPE] if self._due(faults.unknown_type_every) else []
        return extra + ([ERROR] if self._due(faults.error_frame_every) else [])

    def _spoilt(self, frame: Frame) -> Frame:
        number = sequence_num(frame) if self._silenced else None
        if number is not None:
            # Heartbeats that were never sent have no number; a hole would be another fault.
            frame = renumber(frame, number - self._silenced)
        if not _TICKER.search(frame):
            return frame
        self._tickers += 1
        for every, spoil in (
            (self._faults.empty_bid_every, empty_bid),
            (self._faults.crossed_every, crossed),
            (self._faults.missing_every, self._missing),
        ):
            frame = spoil(frame) if every and self._tickers % every == 0 else frame
        return frame

    def _missing(self, frame: Frame) -> Frame:
        return without(frame, self._faults.missing_field)

    def _copies(self, frame: Frame) -> list[Frame]:
        """Give the frame as often, and with its neighbour in the order, as the faults say."""
        if self._due(self._faults.gap_every):
            return []
        if self._held is None and self._due(self._faults.out_of_order_every):
            self._held = frame
            return []
        held, self._held = self._held, None
        copies = [frame, frame] if self._due(self._faults.duplicate_every) else [frame]
        return copies + ([held] if held is not None else [])


def empty_bid(frame: Frame) -> Frame:
    """Leave nothing of `best_bid` but its quotation marks."""
    return _BEST_BID.sub(rb"\1\3", frame)


def crossed(frame: Frame) -> Frame:
    """Exchange the best bid and the best ask."""
    bid, ask = _BEST_BID.search(frame), _BEST_ASK.search(frame)
    if bid is None or ask is None:
        return frame
    frame = _BEST_BID.sub(rb"\g<1>" + ask[2] + rb"\g<3>", frame)
    return _BEST_ASK.sub(rb"\g<1>" + bid[2] + rb"\g<3>", frame)


def without(frame: Frame, field: str) -> Frame:
    """Take out a field with a plain value, and its comma."""
    pair = rb'"%b"\s*:\s*("[^"]*"|[-\d.]+)' % re.escape(field).encode()
    return re.sub(rb",\s*" + pair + rb"|" + pair + rb"\s*,?", b"", frame, count=1)
