"""A message of a topic as a line of a journal. Pure, and knows no client of a broker: Spark reads topics too."""

from ..message import Item, Message
from .journal import decode, framed


def line_of(text: bytes | None, received_at: object, taken_at: int) -> bytes:
    """Write a message as a line; without a header `received_at` of ours, when the broker took it (ms) stands for it."""
    stamp = received_at
    if not isinstance(stamp, bytes) or not stamp.isdigit() or len(stamp) > 19:
        stamp = b"%d" % (max(0, taken_at) * 1_000_000)
    text = text or b""
    return b"%b\t%b\n" % (stamp, framed(text) if b"\n" in text or b"\r" in text else text)


def item_of(line: bytes) -> Item:
    """Read a line of a topic; what is none is a message as it stands, so that it is counted as bad."""
    item = decode(line)
    if item is not None:
        return item
    stamp, _, text = line.rstrip(b"\n").partition(b"\t")
    return Message(int(stamp), text)
