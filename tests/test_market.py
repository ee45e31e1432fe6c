"""The synthetic market: what must hold in any market, and what makes this one worth forecasting."""

from itertools import pairwise
from statistics import correlation, mean, pstdev

from hypothesis import given, settings
from hypothesis import strategies as st

from coinbase_insights.simulator.digits import SECOND
from coinbase_insights.simulator.events import BookChange, Event, SecondPassed, Trade
from coinbase_insights.simulator.market import Market
from coinbase_insights.simulator.product import CHARACTERS

START = 1_775_428_513_865_365
seeds = st.integers(0, 2**32)
few = settings(max_examples=20)
TWO = {product: CHARACTERS[product] for product in CHARACTERS if product.product_id in ("BTC-USD", "SKL-BTC")}


def trades(events: list[Event], product_id: str) -> list[Trade]:
    return [event for event in events if isinstance(event, Trade) and event.product_id == product_id]


@few
@given(seeds)
def test_the_book_never_crosses(seed: int) -> None:
    market = Market(START, seed, TWO)
    for _ in range(20):
        market.advance(market.time + SECOND // 2)
        for product_id in market.products:
            if (standing := market.standing(product_id)) is not None:
                assert standing.bids[0][0] < standing.asks[0][0]
                assert min(size for _, size in (*standing.bids, *standing.asks)) > 0


@few
@given(seeds)
def test_sequence_skips_and_trade_ids_do_not(seed: int) -> None:
    events = Market(START, seed, TWO).advance(START + 20 * SECOND)
    for product_id in ("BTC-USD", "SKL-BTC"):
        found = trades(events, product_id)
        assert all(after.sequence > before.sequence + 1 for before, after in pairwise(found))
        assert all(after.trade_id == before.trade_id + 1 for before, after in pairwise(found))
        assert all(after.time >= before.time for before, after in pairwise(found))


@few
@given(seeds)
def test_a_trade_carries_the_top_of_the_book_that_the_changes_build(seed: int) -> None:
    market = Market(START, seed, TWO)
    books = {product_id: market.standing(product_id) for product_id in market.products}
    bids = {product_id: dict(book.bids) for product_id, book in books.items() if book}
    asks = {product_id: dict(book.asks) for product_id, book in books.items() if book}
    for event in market.advance(START + 5 * SECOND):
        if isinstance(event, BookChange):
            bids[event.product_id].update(event.bids)
            asks[event.product_id].update(event.asks)
        elif isinstance(event, Trade):
            best_bid = max(price for price, size in bids[event.product_id].items() if size)
            best_ask = min(price for price, size in asks[event.product_id].items() if size)
            assert (event.best_bid, event.best_bid_size) == (best_bid, bids[event.product_id][best_bid])
            assert (event.best_ask, event.best_ask_size) == (best_ask, asks[event.product_id][best_ask])


@few
@given(seeds, st.lists(st.integers(1, 3 * SECOND), max_size=10))
def test_how_the_time_is_cut_makes_no_difference(seed: int, steps: list[int]) -> None:
    at_once, in_steps = Market(START, seed, TWO), Market(START, seed, TWO)
    events = [event for step in steps for event in in_steps.advance(in_steps.time + step)]
    assert at_once.advance(START + sum(steps)) == events


def test_another_seed_is_another_market() -> None:
    assert Market(START, 1).advance(START + SECOND) != Market(START, 2).advance(START + SECOND)


def test_events_come_in_order_of_time() -> None:
    events = Market(START).advance(START + 30 * SECOND)
    assert all(before.time <= after.time for before, after in pairwise(events))


def test_every_whole_second_passes_once() -> None:
    events = Market(START).advance(START + 30 * SECOND)
    seconds = [event.time for event in events if isinstance(event, SecondPassed)]
    first = (START // SECOND + 1) * SECOND
    assert seconds == [first + number * SECOND for number in range(30)]


def test_changes_of_the_book_come_every_50_milliseconds_or_just_before_a_trade() -> None:
    events = [event for event in Market(START).advance(START + 20 * SECOND) if not isinstance(event, SecondPassed)]
    for product_id in ("BTC-USD", "SKL-BTC"):
        mine = [event for event in events if event.product_id == product_id]
        for event, after in pairwise(mine):
            assert isinstance(event, Trade) or event.time % 50_000 == 0 or isinstance(after, Trade)


def test_a_quiet_product_trades_every_40_to_100_seconds() -> None:
    quiet = {product: character for product, character in CHARACTERS.items() if character.quiet}
    times = [trade.time for trade in trades(Market(START, 1, quiet).advance(START + 1200 * SECOND), "YFI-BTC")]
    pauses = [(after - before) / SECOND for before, after in pairwise(times) if after > before]
    assert len(pauses) >= 10
    assert 40 <= min(pauses) <= max(pauses) <= 100


def test_prices_are_tiny_or_large_and_have_their_decimals() -> None:
    market = Market(START)
    tiny, large = market.standing("SKL-BTC"), market.standing("BTC-JPY")
    assert tiny is not None
    assert large is not None
    assert 1000 < tiny.trade.price < 1600
    assert 9_000_000 < large.trade.price < 11_000_000
    assert (market.products["SKL-BTC"].price_decimals, market.products["BTC-JPY"].price_decimals) == (8, 0)


def test_another_name_shows_the_same_book() -> None:
    market = Market(START)
    assert market.standing("BTC-USDC") == market.standing("BTC-USD")
    assert market.standing("NU-GBP") is None
    assert market.standing("NO-SUCH") is None


def test_a_day_of_history_stands_behind_the_market_and_never_more() -> None:
    market = Market(START)
    market.advance(START + 180 * SECOND)
    bars = market.candles("BTC-USD", 60)
    assert len(bars) == 1440
    assert all(bar.low <= min(bar.open, bar.close) <= max(bar.open, bar.close) <= bar.high for bar in bars)
    assert all(after.start > before.start for before, after in pairwise(bars))
    standing = market.standing("BTC-USD")
    assert standing is not None
    assert len(standing.trades) == 100
    assert standing.trade.day.volume == sum(bar.volume for bar in bars)


def test_the_next_minute_is_nearly_impossible_to_forecast() -> None:
    """The mid price is nearly a martingale: the last minute says little about the next one."""
    eth = {product: CHARACTERS[product] for product in CHARACTERS if product.product_id == "ETH-USD"}
    market = Market(START, 3, eth)
    mids = []
    for _ in range(600):
        market.advance(market.time + 5 * SECOND)
        standing = market.standing("ETH-USD")
        assert standing is not None
        mids.append((standing.bids[0][0] + standing.asks[0][0]) / 2)
    moves = [(after - before) / before * 1e4 for before, after in zip(mids, mids[12:], strict=False)]
    assert abs(correlation(moves[:-12], moves[12:])) < 0.5
    assert abs(mean(moves)) < pstdev(moves)
    assert 2 < pstdev(moves) < 30
