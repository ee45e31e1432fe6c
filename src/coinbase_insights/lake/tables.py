"""Every column of the lake, once: its name, type, unit and meaning. The reference page is written from this.

Nothing here reads or writes a file.
"""

from typing import TYPE_CHECKING, Literal, NamedTuple

if TYPE_CHECKING:
    import pyarrow as pa

Kind = Literal["text", "whole", "small", "time"]


class Column(NamedTuple):
    """One column of a table."""

    name: str
    kind: Kind
    unit: str
    """Empty where the meaning says it all."""
    meaning: str
    nullable: bool = False


class Table(NamedTuple):
    """One table of the lake."""

    name: str
    meaning: str
    columns: tuple[Column, ...]


RAW = Table(
    "raw",
    "Every message as the exchange sent it, and each opening and loss of a connection, in the order of arrival.",
    (
        Column("log", "text", "", "the log that was landed: `journal`, or TOPIC/0 of Kafka"),
        Column("offset", "whole", "", "place in its log, counted from 0 without a hole"),
        Column("received_at", "time", "UTC, microseconds", "when it reached us, by our clock"),
        Column("received_at_ns", "small", "ns", "what the microseconds of received_at cut off, 0 to 999"),
        Column(
            "connection", "whole", "", "offset of the row with which its connection opened; null before the first", True
        ),
        Column("product_id", "text", "", "the product it speaks of; null when it is none or several", True),
        Column(
            "channel",
            "text",
            "",
            "the channel it came on, `#` for a row about the connection; null if unreadable",
            True,
        ),
        Column("sequence", "whole", "", "`sequence` (Exchange) or `sequence_num` (Advanced Trade); null if none", True),
        Column("message", "text", "", "the untouched text; a row about the connection as the journal has it"),
    ),
)

TABLES = (RAW,)


def schema(table: Table) -> "pa.Schema":
    """Give the Arrow schema of a table."""
    import pyarrow as pa

    types = {"text": pa.string(), "whole": pa.int64(), "small": pa.int16(), "time": pa.timestamp("us", "UTC")}
    return pa.schema(
        [pa.field(each.name, types[each.kind], each.nullable, {"comment": each.meaning}) for each in table.columns]
    )
