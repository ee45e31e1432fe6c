"""Every column of the lake, once: its name, type, unit and meaning. The reference page is written from this.

Nothing here reads or writes a file.
"""

from typing import TYPE_CHECKING, Literal, NamedTuple

if TYPE_CHECKING:
    import pyarrow as pa

Kind = Literal["text", "name", "whole", "small", "real", "price", "size", "time", "truth"]
"""A name is a text that comes often; prices and sizes are exact decimals."""


PRICE, SIZE = (22, 10), (26, 8)
"""Digits, and how many of them are decimals: every price and size that a quote can have (quote.py)."""


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
    level: int = 3
    """Of zstd, for rows as they are landed; those that are joined get a higher one."""
    made_by: str = "build"
    """The command that fills it."""
    time: str = "time"
    """The column by which its rows are chosen and put in order."""


RAW = Table(
    "raw",
    "Every message as the exchange sent it, and each opening and loss of a connection, in the order of arrival.",
    (
        Column("log", "name", "", "the log that was landed: `journal`, or TOPIC/0 of Kafka"),
        Column("offset", "whole", "", "place in its log, counted from 0 without a hole"),
        Column("received_at", "time", "UTC, microseconds", "when it reached us, by our clock"),
        Column("received_at_ns", "small", "ns", "what the microseconds of received_at cut off, 0 to 999"),
        Column(
            "connection", "whole", "", "offset of the row with which its connection opened; null before the first", True
        ),
        Column("product_id", "name", "", "the product it speaks of; null when it is none or several", True),
        Column(
            "channel",
            "name",
            "",
            "the channel it came on, `#` for a row about the connection; null if unreadable",
            True,
        ),
        Column("sequence", "whole", "", "`sequence` (Exchange) or `sequence_num` (Advanced Trade); null if none", True),
        Column("message", "text", "", "the untouched text; a row about the connection as the journal has it"),
    ),
    made_by="ingest",
    time="received_at",
)

_PRODUCT = Column("product_id", "name", "", "the product")
_FORECASTER = Column("forecaster", "name", "", "which one made the forecast: its name, or NAME/VERSION of a model")


QUOTES = Table(
    "quotes",
    "Best bid and best ask as each message gave them: valid, new and believed ones, those of a product in their order.",
    (
        Column("number", "whole", "", "place among the quotes of its product, counted from 0 without a hole"),
        _PRODUCT,
        Column("time", "time", "UTC, microseconds", "the exchange's time of the quote"),
        Column("sequence", "whole", "", "the exchange's number; null where the feed has none", True),
        Column("best_bid", "price", "quote currency", "highest price bid"),
        Column("best_bid_size", "size", "base currency", "how much at that price; null where not sent", True),
        Column("best_ask", "price", "quote currency", "lowest price asked"),
        Column("best_ask_size", "size", "base currency", "how much at that price; null where not sent", True),
        Column(
            "heard_until",
            "time",
            "UTC, microseconds",
            "where the line was down before the quote: when it was last heard, by the exchange's time; else null",
            True,
        ),
    ),
    level=9,
)

_WINDOWS = ("1m", "5m", "15m")


def _windowed(name: str, kind: Kind, unit: str, meaning: str, nullable: bool = False) -> tuple[Column, ...]:
    return tuple(Column(f"{name}_{each}", kind, unit, f"{meaning}, last {each}", nullable) for each in _WINDOWS)


INSIGHTS = Table(
    "insights",
    "Every figure right after a quote, as the screen shows it.",
    (
        _PRODUCT,
        _FORECASTER,
        Column("time", "time", "UTC, microseconds", "the exchange's time that the figures follow"),
        Column("mid_price", "real", "quote currency", "(best_bid + best_ask) / 2"),
        Column("spread", "real", "quote currency", "best_ask - best_bid"),
        Column("max_spread", "real", "quote currency", "largest spread since the start"),
        Column("forecast", "real", "quote currency", "mid-price expected 60 s later"),
        Column("band", "real", "quote currency", "half the width of the 90 % band; null while warming up", True),
        Column("p_value", "real", "", "how often chance alone differs as much; null while few are scored", True),
        Column("skill", "real", "", "1 - error / error of `nothing changes`, last 15m; null if none", True),
        Column("band_hit_rate", "real", "", "how often the band held, last 15m; null if none came due", True),
        Column("bands_15m", "whole", "", "how many bands that is of"),
        *_windowed("mid_price_mean", "real", "quote currency", "mean mid-price"),
        *_windowed("quotes", "whole", "", "quotes in the mean"),
        *_windowed("forecast_error_mean", "real", "quote currency", "mean error of forecasts; null if none", True),
        *_windowed("baseline_error_mean", "real", "quote currency", "the same of `nothing changes`", True),
        *_windowed("scored", "whole", "", "forecasts in that mean"),
        Column("forecast_error", "real", "quote currency", "how wrong the forecast for now was; null if unknown", True),
        Column("baseline_error", "real", "quote currency", "the same of `nothing changes`", True),
    ),
    level=1,
)

BARS = Table(
    "bars",
    "Mid-prices over clock-aligned stretches that are over; a stretch without a quote has no bar.",
    (
        _PRODUCT,
        Column("length", "name", "", "1m, 5m or 1h"),
        Column("start", "time", "UTC, microseconds", "begin of the stretch, which it holds; its end it does not"),
        Column("open", "real", "quote currency", "first mid-price in it"),
        Column("high", "real", "quote currency", "highest"),
        Column("low", "real", "quote currency", "lowest"),
        Column("close", "real", "quote currency", "last"),
        Column("mean", "real", "quote currency", "arithmetic mean over its quotes"),
        Column("max_spread", "real", "quote currency", "largest spread in it"),
        Column("quotes", "whole", "", "how many quotes it is made of"),
        Column("seconds_covered", "real", "s", "for how long of it a quote stood and the line was up"),
    ),
    time="start",
)

SCORES = Table(
    "scores",
    "How good the forecasts were whose target time lies in an hour that is over.",
    (
        _PRODUCT,
        _FORECASTER,
        Column("hour", "time", "UTC, microseconds", "begin of the hour"),
        Column("scored", "whole", "", "forecasts that were compared with the truth"),
        Column("unscored", "whole", "", "forecasts without a truth: the line was down at their target time"),
        Column("error", "real", "quote currency", "mean absolute error; null if none was scored", True),
        Column("error_of_last", "real", "quote currency", "the same of `nothing changes`", True),
        Column("skill", "real", "", "1 - error / error_of_last; null where that is none", True),
        Column("p_value", "real", "", "how often chance alone differs as much; null where it cannot be told", True),
        Column("banded", "whole", "", "scored forecasts that had a band"),
        Column("band_hit_rate", "real", "", "how often the 90 % band held; null if there was none", True),
        Column("band_width_bp", "real", "basis points", "mean full width of the band over the mid-price", True),
    ),
    time="hour",
)

GAPS = Table(
    "gaps",
    "Stretches of time without data that are over, and why.",
    (
        Column("connection", "whole", "", "the connection, as in raw; null before the first", True),
        Column("product_id", "name", "", "the product; `*` for all of the connection"),
        Column("start", "time", "UTC, microseconds", "when we last had something, by our clock"),
        Column("end", "time", "UTC, microseconds", "when we had something again; null if rows are damaged", True),
        Column("cause", "name", "", "why"),
        Column("messages", "whole", "", "how many are missing; null where nobody can know", True),
    ),
    time="start",
)

BACKTESTS = Table(
    "backtests",
    "How good forecasters would have been; each `backtest --to` adds its rows, and none is ever replaced.",
    (
        Column(
            "run_at", "time", "UTC, microseconds", "when it was judged, by our clock: all rows of a run have the same"
        ),
        Column("source", "name", "", "the recording, grid or lake, as it was named"),
        _PRODUCT,
        _FORECASTER,
        Column("parameters", "name", "", "those that are not the defaults, as `ridge=1 half_life_h=6`; else empty"),
        Column("first_time", "time", "UTC, microseconds", "time of the first quote"),
        Column("last_time", "time", "UTC, microseconds", "time of the last quote"),
        Column("scored", "whole", "", "forecasts that were compared with the truth"),
        Column("unscored", "whole", "", "forecasts without a truth: the line was down at their target time"),
        Column("mae", "real", "quote currency", "mean absolute error; null if none was scored", True),
        Column("mae_ratio", "real", "", "mae over that of `nothing changes`: below 1 is better", True),
        Column("rmse_ratio", "real", "", "the same for the root of the mean squared error", True),
        Column("p_value", "real", "", "how often chance alone differs as much; null where it cannot be told", True),
        Column("band_coverage", "real", "", "how often the 90 % band held; null if there was none", True),
        Column("band_width_bp", "real", "basis points", "mean full width of the band over the mid-price", True),
    ),
    made_by="backtest",
)

MODELS = Table(
    "models",
    "Every model that was trained, in their order; its folder is `_models/NAME/VERSION` of the lake.",
    (
        Column("name", "name", "", "its name; the champion of a name is its last row with `champion`"),
        Column("version", "whole", "", "1, 2, ... of that name"),
        Column("trained_at", "time", "UTC, microseconds", "when, by our clock"),
        Column("forecaster", "name", "", "`tilt` or `last`"),
        Column("half_life_h", "real", "h", "after which what was learned weighs half"),
        Column("ridge", "real", "", "how strongly beta is held back"),
        Column("pull", "real", "", "which share of the pull of the larger size is believed"),
        Column("band_step", "real", "", "how quickly the band widens after a miss"),
        Column("products", "text", "", "the products that it has learned of, with a comma between"),
        Column("first_time", "time", "UTC, microseconds", "first quote that it has learned of"),
        Column("cut", "time", "UTC, microseconds", "behind it time was held out, and forecasts were judged"),
        Column("last_time", "time", "UTC, microseconds", "last quote, up to which it has learned in the end"),
        Column("rows", "whole", "", "quotes that it has learned of"),
        Column("scored", "whole", "", "forecasts on held-out time that were compared with the truth"),
        Column("error_bp", "real", "basis points", "their mean absolute error over the mid-price; null if none", True),
        Column("error_of_last_bp", "real", "basis points", "the same of `nothing changes`", True),
        Column("skill", "real", "", "1 - error_bp / error_of_last_bp", True),
        Column("p_value", "real", "", "how often chance alone differs as much; null where it cannot be told", True),
        Column("band_hit_rate", "real", "", "how often the 90 % band held; null if there was none", True),
        Column("champion", "truth", "", "whether it beat the champion before it, or `nothing changes` where none was"),
        Column("reason", "text", "", "why, in words"),
        Column("digest", "text", "", "SHA-256 of its model.json"),
        Column("code_version", "name", "", "of coinbase_insights, that trained it"),
    ),
    made_by="train",
)

TABLES = (RAW, QUOTES, INSIGHTS, BARS, SCORES, GAPS, BACKTESTS, MODELS)
BUILT = tuple(table for table in TABLES if table.made_by == "build")
"""Those that can be made anew from `raw`."""


def schema(table: Table) -> "pa.Schema":
    """Give the Arrow schema of a table."""
    import pyarrow as pa

    types = {
        "text": pa.string(),
        "name": pa.string(),
        "whole": pa.int64(),
        "small": pa.int16(),
        "real": pa.float64(),
        "price": pa.decimal128(*PRICE),
        "size": pa.decimal128(*SIZE),
        "time": pa.timestamp("us", "UTC"),
        "truth": pa.bool_(),
    }
    return pa.schema(
        [pa.field(each.name, types[each.kind], each.nullable, {"comment": each.meaning}) for each in table.columns]
    )
