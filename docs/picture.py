"""Draw docs/screen.svg: the screen of `coinbase_insights demo`, after twenty minutes of its market.

    python docs/picture.py        takes twenty seconds: the market runs sixty times as fast

Nothing is painted by hand: a real exchange, a real line, and the text that a terminal of 80 x 24 would get.
"""

import asyncio
import html
import io
import re
import time
from pathlib import Path

from msgspec.structs import replace
from rich.console import Console
from rich.terminal_theme import TerminalTheme

from coinbase_insights.engine.product import Product
from coinbase_insights.feed import Feed
from coinbase_insights.pipe import Pipe
from coinbase_insights.quote import read_time
from coinbase_insights.show.screen import screen
from coinbase_insights.show.view import View
from coinbase_insights.simulator.market import Market
from coinbase_insights.simulator.server import Options, serve
from coinbase_insights.watch import Watch

PICTURE = Path(__file__).with_name("screen.svg")
SECONDS = 20.0
SPEED = 60.0
COLUMNS, ROWS = 80, 24
THEME = TerminalTheme(
    (13, 17, 23),
    (230, 237, 243),
    [
        (72, 79, 88),
        (255, 123, 114),
        (63, 185, 80),
        (210, 153, 34),
        (88, 166, 255),
        (188, 140, 255),
        (57, 197, 207),
        (177, 186, 196),
    ],
    [
        (110, 118, 129),
        (255, 161, 152),
        (86, 211, 100),
        (227, 179, 65),
        (121, 192, 255),
        (210, 168, 255),
        (86, 212, 221),
        (255, 255, 255),
    ],
)
CELL = 12.2
"""Width of a character, in the picture's units: rich draws 20 units high, and takes 0.61 of that as the width."""
FONT = "ui-monospace, SFMono-Regular, Menlo, Consolas, 'DejaVu Sans Mono', monospace"


class Look:
    """A sink that keeps what was last to be seen."""

    draws = True

    def __init__(self) -> None:
        """Nothing was seen yet."""
        self.view: View | None = None

    def insight(self, product: Product, pipe: Pipe) -> None:
        """Nothing: the next drawing shows it."""

    def state(self, view: View, pipe: Pipe) -> None:
        """Nothing: the next drawing shows it."""

    def draw(self, view: View) -> None:
        """Keep it, unless it is the one that says that all is over."""
        if view.state == "SIMULATED":
            self.view = view


async def watch() -> View:
    """Watch the demo's market, and give what there was to see at last, with the market's clock in place of ours."""
    look, start = Look(), time.time_ns() // 1000
    async with serve(Market(start), options=Options(speed=SPEED)) as server:
        feed = Feed(server.url, ["ETH-USD"], channel="ticker")
        await Watch(Pipe(["ETH-USD"], channel="ticker"), look, live_state="SIMULATED").run(feed.items(), SECONDS)
    if look.view is None or look.view.products[0].insight is None:
        raise SystemExit("the demo has shown nothing")
    return replace(look.view, now=read_time(look.view.products[0].insight.time), since=start)


def picture(view: View) -> str:
    """Write a view as SVG that loads nothing from anywhere."""
    console = Console(record=True, width=COLUMNS, file=io.StringIO(), force_terminal=True, color_system="standard")
    console.print(screen(view, COLUMNS, ROWS))
    svg = console.export_svg(title="coinbase_insights demo", theme=THEME, unique_id="screen")
    svg = re.sub(r"@font-face\s*\{.*?\}\s*", "", svg, flags=re.DOTALL)
    svg = svg.replace("Fira Code, monospace", FONT)
    svg = re.sub(r'<text class="(screen-r\d+)" x="([\d.]+)" y="([\d.]+)"[^>]*>(.*?)</text>', _by_words, svg)
    return "\n".join(line.rstrip() for line in svg.splitlines()) + "\n"


def _by_words(text: re.Match[str]) -> str:
    """Give each word a place of its own: then nothing moves where a font is a little wider."""
    style, x, y, line = text.groups()
    plain = html.unescape(line)
    return "".join(
        f'<text class="{style}" x="{float(x) + CELL * word.start():g}" y="{y}" textLength="{CELL * len(word[0]):g}">'
        f"{html.escape(word[0])}</text>"
        for word in re.finditer(r"[^ \xa0]+", plain)
    )


if __name__ == "__main__":
    PICTURE.write_text(picture(asyncio.run(watch())), encoding="utf-8")
