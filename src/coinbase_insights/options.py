"""What commands share on the command line: the words that may be chosen, and how options are described.

Nothing here is read or checked; that is cli.py's and settings.py's work.
"""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

URL_VARIABLE = "COINBASE_INSIGHTS_URL"


class Channel(StrEnum):
    """What Coinbase sends: tickers each 5 s, tickers at each trade, or the order book."""

    TICKER_BATCH = "ticker_batch"
    TICKER = "ticker"
    LEVEL2 = "level2"


class FeedName(StrEnum):
    """Coinbase's two public feeds."""

    EXCHANGE = "exchange"
    ADVANCED = "advanced"


class Forecaster(StrEnum):
    """Ways to forecast the mid-price 60 seconds ahead."""

    TILT = "tilt"
    TREND = "trend"
    LAST = "last"


class Format(StrEnum):
    """Ways to show insights; auto is the screen in a terminal, and plain lines elsewhere."""

    AUTO = "auto"
    SCREEN = "screen"
    LINES = "lines"
    JSON = "json"


class ListFormat(StrEnum):
    """Ways to show a table."""

    LINES = "lines"
    JSON = "json"


LakeArgument = Annotated[str, typer.Argument(metavar="LAKE", help="A folder, or an address that delta-rs takes.")]
ProductIds = Annotated[
    list[str] | None,
    typer.Option("--product-id", "-p", metavar="PRODUCT", help="A product such as ETH-USD; repeat it for a table."),
]
FormatOption = Annotated[Format, typer.Option("--format", help="How to show it.")]
ListFormatOption = Annotated[ListFormat, typer.Option("--format", help="A table to read, or an object a line.")]
ForecasterOption = Annotated[Forecaster, typer.Option("--forecaster", help="How to forecast.")]
ChosenForecasterOption = Annotated[
    Forecaster | None,
    typer.Option("--forecaster", show_default="tilt", help="How to forecast; a model says it itself."),
]
ModelOption = Annotated[
    str | None,
    typer.Option(
        "--model", metavar="MODEL", help="Begin with what was trained: a model's folder, or a lake's champion."
    ),
]
SourceOption = Annotated[
    str | None,
    typer.Option(
        "--from", metavar="SOURCE", help="A recording or a lake to play, or kafka://HOST:PORT/TOPIC to listen to."
    ),
]
GroupOption = Annotated[
    str | None,
    typer.Option("--group", metavar="GROUP", help="Of a topic: share its products with all who name this group."),
]
EveryOption = Annotated[
    str | None,
    typer.Option("--every", metavar="DURATION", help="Do it again and again, so often: 1m, 1h."),
]
HealthPortOption = Annotated[
    int | None,
    typer.Option("--health-port", min=0, max=65535, metavar="PORT", help="Of /healthz, /readyz and /metrics."),
]
HealthHostOption = Annotated[
    str | None,
    typer.Option(
        "--health-host",
        metavar="HOST",
        show_default="127.0.0.1",
        help="Of --health-port; 0.0.0.0 in a container.",
    ),
]
ForOption = Annotated[str | None, typer.Option("--for", metavar="DURATION", help="End after this long: 90s, 15m, 1h.")]
RecordOption = Annotated[Path | None, typer.Option("--record", metavar="PATH", help="Keep every message in this file.")]
UrlOption = Annotated[
    str | None, typer.Option("--url", envvar=URL_VARIABLE, metavar="URL", help="Another address of the feed.")
]
