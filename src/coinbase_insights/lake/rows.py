"""Lines of a journal as rows of `raw`, and back. Pure."""

from collections.abc import Iterator, Sequence

import pyarrow as pa
import pyarrow.compute as pc

from ..log.journal import decode, encode, framed
from ..message import Item, Unstored
from ..wire.label import Label, label
from .tables import RAW, schema

SCHEMA = schema(RAW)
ABOUT_THE_LINE = "#"
"""Channel of the rows that the exchange did not send."""
OPENED = b"#opened "
FRAME = b"#frame "
LARGEST = 2**63 - 1
GROUP_LINES = 25_000
"""Rows that are held at once: a row group."""


def rows(log: str, first: int, lines: Sequence[bytes], connection: int | None) -> pa.Table:
    """Make the rows of a log's lines; `connection` is the one that was open before them."""
    stamps: list[int] = []
    texts: list[bytes] = []
    products: list[str | None] = []
    channels: list[str | None] = []
    sequences: list[int | None] = []
    connections: list[int | None] = []
    for offset, line in enumerate(lines, first):
        stamp, _, text = line.rstrip(b"\r\n").partition(b"\t")
        if text.startswith(OPENED):
            connection = offset
        stamps.append(min(int(stamp), LARGEST))
        texts.append(text)
        read = _label(text)
        products.append(_text(next(iter(read.products))) if len(read.products) == 1 else None)
        channels.append(_text(read.channel))
        sequences.append(_whole(read.sequence or read.sequence_num))
        connections.append(connection)
    nanoseconds = pa.array(stamps, pa.int64())
    microseconds = pc.divide(nanoseconds, 1000)
    columns = [
        pa.repeat(log, len(lines)),
        pa.array(range(first, first + len(lines)), pa.int64()),
        microseconds.cast(pa.timestamp("us", "UTC")),
        pc.subtract(nanoseconds, pc.multiply(microseconds, 1000)).cast(pa.int16()),
        pa.array(connections, pa.int64()),
        pa.array(products, pa.string()),
        pa.array(channels, pa.string()),
        pa.array(sequences, pa.int64()),
        _texts(texts),
    ]
    return pa.table(columns, schema=SCHEMA)


def missing(log: str, first: int, until: int, stamp: int) -> Iterator[pa.Table]:
    """Make the rows for lines that are gone, some thousands at a time: each says that one message is missing."""
    line = encode(Unstored(stamp, 1, is_damage=True))
    for start in range(first, until, GROUP_LINES):
        yield rows(log, start, [line] * min(GROUP_LINES, until - start), None)


def _whole(value: int | None) -> int | None:
    """Give a number that the column can hold; null for what the exchange never sends."""
    return value if value is not None and -LARGEST <= value <= LARGEST else None


def _text(text: str) -> str | None:
    """Give a name that the column can hold: half a character cannot be written."""
    return (text if text.isprintable() else text.encode(errors="replace").decode()) or None


_ABOUT_THE_LINE = Label(ABOUT_THE_LINE)


def _label(text: bytes) -> Label:
    if not text.startswith(b"#"):
        return label(text)
    return Label() if text.startswith(FRAME) else _ABOUT_THE_LINE


def _texts(texts: list[bytes]) -> pa.Array:
    """Make a column of text; a frame that is not UTF-8 is written as the journal writes what fits on no line."""
    try:
        return pa.array(texts, pa.binary()).cast(pa.string())
    except pa.ArrowInvalid:
        return pa.array([text if _is_utf8(text) else framed(text) for text in texts], pa.binary()).cast(pa.string())


def _is_utf8(text: bytes) -> bool:
    try:
        text.decode()
    except UnicodeDecodeError:
        return False
    return True


def items(batch: pa.RecordBatch) -> Iterator[Item]:
    """Give back what the rows were made of, byte for byte."""
    stamps = batch.column("received_at").cast(pa.int64()).to_pylist()
    rests = batch.column("received_at_ns").to_pylist()
    for stamp, rest, text in zip(stamps, rests, batch.column("message").cast(pa.binary()).to_pylist(), strict=True):
        item = decode(b"%d\t%b" % (stamp * 1000 + rest, text))
        yield Unstored(stamp * 1000 + rest, 1) if item is None else item
