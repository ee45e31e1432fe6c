"""The screen, compared with snapshots and held to its laws. UPDATE_SNAPSHOTS=1 writes the snapshots anew."""

import os
import re
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs
from rich.cells import cell_len

from coinbase_insights.engine.insight import ErrorMean, ErrorMeans, Forecast, MaxSpread, Mean, Means, Rate, Skill
from coinbase_insights.show.screen import fits, screen, summary
from coinbase_insights.show.view import SYMBOLS, LineState, ProductView, View
from views import BTC, ETH, FEW_QUOTES, NO_QUOTES, NO_SIZES, SHIB, Market, view

SNAPSHOTS = Path(__file__).parent / "snapshots"
SIZES = [(80, 24), (120, 34), (60, 16)]
STATES: tuple[LineState, ...] = tuple(SYMBOLS)

VIEWS: dict[str, View] = {
    "live": view("LIVE"),
    "live_too_few": view("LIVE", FEW_QUOTES),
    "live_quarter_hour": view("LIVE", replace(ETH, quotes=300)),
    "stale": view("STALE"),
    "stale_nothing_known": view("STALE", NO_QUOTES),
    "connecting": view("CONNECTING", NO_QUOTES, reconnects=0),
    "quiet": view("QUIET"),
    "replay": view("REPLAY"),
    "simulated": view("SIMULATED"),
    "ended": view("ENDED"),
    "several": view("LIVE", ETH, BTC),
    "several_stale": view("STALE", ETH, BTC, SHIB),
    "several_waiting": view("LIVE", ETH, replace(NO_QUOTES, product_id="SOL-USD")),
    "tiny_prices": view("LIVE", SHIB),
    "huge_prices": view("LIVE", BTC),
    "no_sizes": view("LIVE", NO_SIZES),
    "troubles": view("LIVE", bad=3, duplicates=1_234, missed=12, notes=("the exchange's clock is 4 s ahead of ours",)),
}


@pytest.mark.parametrize("name", VIEWS)
@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
def test_the_screen_is_as_in_its_snapshot(name: str, size: tuple[int, int]) -> None:
    path = SNAPSHOTS / f"screen_{name}_{size[0]}x{size[1]}.txt"
    drawn = "".join(f"{row.rstrip()}\n" for row in screen(VIEWS[name], *size).plain.split("\n"))
    if os.environ.get("UPDATE_SNAPSHOTS"):
        path.write_text(drawn, encoding="utf-8")
    assert drawn == path.read_text(encoding="utf-8")


def test_no_snapshot_is_left_over() -> None:
    named = {f"screen_{name}_{width}x{height}.txt" for name in VIEWS for width, height in SIZES}
    assert named == {path.name for path in SNAPSHOTS.glob("screen_*.txt")}


DESIGN = """\
 ETH-USD   ● LIVE    last quote 2 s ago                            13:05:38 UTC
────────────────────────────────────────────────────────────────────────────────
 Highest bid               2,416.32   1.20483011 ETH
 Lowest ask                2,416.33   0.87420000 ETH
 Difference                    0.01   biggest since start 0.42 at 12:58:07

                                now         1 min         5 min        15 min
 Mid-price                2,416.325     2,416.118     2,415.902    ~2,414.770
   quotes used                                 12            60           168
 Forecast error               0.255         0.291         0.334        ~0.362
   if nothing changed         0.300         0.300         0.318        ~0.349
   forecasts scored                            12            58           131

 Forecast at 13:06:38     2,416.610 ± 1.240   same as nothing changing
"""


def designed() -> View:
    """The figures of the drawing that the screen was designed on."""
    seen = view("LIVE")
    assert seen.products[0].insight is not None
    insight = structs.replace(
        seen.products[0].insight,
        best_bid="2416.32",
        best_bid_size="1.20483011",
        best_ask="2416.33",
        best_ask_size="0.87420000",
        spread=0.01,
        max_spread=MaxSpread(0.42, "2026-11-22T12:58:07.000000Z"),
        mid_price=2416.325,
        mid_price_mean=Means(Mean(2416.118, 12, True), Mean(2415.902, 60, True), Mean(2414.77, 168, False)),
        forecast=Forecast(2416.61, 2415.37, 2417.85, "2026-11-22T13:06:38.000000Z", "tilt"),
        forecast_error=0.255,
        baseline_error=0.3,
        forecast_error_mean=ErrorMeans(ErrorMean(0.291, 12), ErrorMean(0.334, 58), ErrorMean(0.362, 131)),
        baseline_error_mean=ErrorMeans(ErrorMean(0.3, 12), ErrorMean(0.318, 58), ErrorMean(0.349, 131)),
        band_hit_rate=Rate(0.91, 131),
        skill=Skill(-0.04, 131, 0.4, "same"),
    )
    return with_product(seen, structs.replace(seen.products[0], insight=insight))


def test_the_figures_stand_where_the_design_has_them() -> None:
    assert screen(designed(), 80, 24).plain.startswith(DESIGN)


def test_the_forecast_is_said_in_full_where_there_is_room() -> None:
    rows = screen(designed(), 120, 34).plain.split("\n")
    said = "2,416.610 ± 1.240   at 13:06:38, same as nothing changing   band held 91 % of 131"
    assert rows[13] == f" Forecast                 {said}"


texts = st.text(max_size=60)
markets = st.builds(
    Market,
    product_id=st.one_of(st.just("ETH-USD"), st.text(max_size=30)),
    decimals=st.integers(0, 9),
    start=st.integers(50, 10**11),
    step=st.floats(0.0, 1e6),
    quotes=st.integers(0, 40),
    every=st.floats(0.1, 40.0),
    has_sizes=st.booleans(),
)
counts = st.fixed_dictionaries(
    {name: st.integers(0, 10**12) for name in ("quotes", "bad", "duplicates", "missed", "reconnects")}
    | {"detail": texts, "speed": texts, "notes": st.lists(texts, max_size=3).map(tuple)}
)
views = st.builds(
    lambda state, chosen, changed: structs.replace(view(state, *chosen), **changed),
    st.sampled_from(STATES),
    st.lists(markets, min_size=1, max_size=4),
    counts,
)


@given(views, st.integers(60, 200), st.integers(16, 60))
def test_no_row_is_too_wide_and_none_too_many(seen: View, width: int, height: int) -> None:
    rows = screen(seen, width, height).plain.split("\n")
    assert len(rows) == height
    assert max(map(cell_len, rows)) <= width


@given(views, st.integers(60, 200), st.integers(16, 60))
def test_nothing_on_the_screen_steers_the_terminal(seen: View, width: int, height: int) -> None:
    assert screen(seen, width, height).plain.replace("\n", "").isprintable()


@given(views, st.integers(60, 200), st.integers(16, 60))
def test_the_state_is_a_symbol_and_a_word(seen: View, width: int, height: int) -> None:
    assert f"{SYMBOLS[seen.state]} {seen.state}" in screen(seen, width, height).plain.split("\n")[0]


@pytest.mark.parametrize("width", range(60, 140, 7))
@pytest.mark.parametrize("market", [ETH, BTC, SHIB], ids=lambda market: market.product_id)
def test_columns_do_not_move_when_the_line_goes(market: Market, width: int) -> None:
    live, stale = (screen(view(state, market), width, 24).plain.split("\n")[2:14] for state in ("LIVE", "STALE"))
    assert figure_ends(live[0])[0] == figure_ends(stale[0])[0]
    assert live[4] == stale[4]
    for row in (5, 6, 7, 8, 9):
        assert figure_ends(live[row]) == figure_ends(stale[row])
    assert figure_ends(live[11][15:])[0] == figure_ends(stale[11][15:])[0]


@pytest.mark.parametrize("width", range(60, 200, 7))
def test_the_columns_of_the_table_do_not_move_when_the_line_goes(width: int) -> None:
    live, stale = (screen(view(state, ETH, BTC), width, 24).plain.split("\n")[2:6] for state in ("LIVE", "STALE"))
    assert live[:2] == stale[:2]
    assert figure_ends(live[2]) == figure_ends(stale[2])


def figure_ends(row: str) -> list[int]:
    """The columns after which a figure or a dash ends."""
    return [found.end() for found in re.finditer(r"(?<= )[~\d][\d,.]*(?= |$)|—", row)]


@pytest.mark.parametrize(("width", "height", "is_used"), [(60, 16, True), (59, 16, False), (60, 15, False)])
def test_the_screen_is_used_from_60_by_16(width: int, height: int, is_used: bool) -> None:
    assert fits(width, height) is is_used


def test_the_summary_is_the_figures_and_no_chart() -> None:
    rows = summary(view("LIVE"), 80).plain.split("\n")
    assert len(rows) == 15
    assert rows[:14] == screen(view("LIVE"), 80, 24).plain.split("\n")[:14]
    assert "Ctrl-C" not in rows[14]


def test_only_the_sixteen_colours_are_used() -> None:
    names = {str(span.style) for seen in VIEWS.values() for span in screen(seen, 80, 24).spans}
    words = {word for name in names for word in name.split()}
    assert words <= {"bold", "dim", "black", "red", "green", "yellow", "blue", "magenta", "cyan", "white"}


def test_why_a_current_error_is_missing_while_the_windows_hold_older_ones() -> None:
    seen = view("LIVE")
    product = seen.products[0]
    assert product.insight is not None
    insight = structs.replace(
        product.insight, forecast_error=None, forecast_error_reason="the line was down at the target time"
    )
    rows = screen(with_product(seen, structs.replace(product, insight=insight)), 80, 24).plain.split("\n")
    assert rows[12] == " ! no error now: the line was down at the target time"


def test_a_quiet_product_is_named_where_the_table_has_no_room_for_states() -> None:
    seen = view("LIVE", ETH, BTC, SHIB)
    quiet = structs.replace(seen.products[1], quote_age=20.0)
    products = (seen.products[0], quiet, seen.products[2])
    drawn = screen(structs.replace(seen, products=products), 80, 24).plain
    assert "BTC-USD   last quote at 13:05:36" in drawn
    assert "● QUIET" in screen(structs.replace(seen, products=products), 160, 24).plain


def test_more_products_than_rows_are_counted() -> None:
    seen = view("LIVE", *[replace(FEW_QUOTES, product_id=f"P{number}-USD") for number in range(20)])
    rows = screen(seen, 80, 16).plain.split("\n")
    assert rows[14] == " … and 10 more"


def with_product(seen: View, product: ProductView) -> View:
    return structs.replace(seen, products=(product,))
