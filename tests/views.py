"""Views as they come out of the pipe: a random walk of quotes, folded by the engine."""

from dataclasses import dataclass, field
from random import Random

from msgspec import structs

from coinbase_insights.engine.insight import Insight, insight
from coinbase_insights.engine.state import is_tidy, new_state, tidy
from coinbase_insights.engine.update import update
from coinbase_insights.quote import Quote, read_quote
from coinbase_insights.show.view import LineState, ProductView, View

SECOND = 1_000_000
NOW = 1_795_352_738 * SECOND
"""2026-11-22 13:05:38 UTC."""


@dataclass(frozen=True)
class Market:
    """What a product's random walk looks like."""

    product_id: str = "ETH-USD"
    decimals: int = 2
    start: int = 241_500
    """In units of the last decimal, as the step is."""
    step: float = 20.0
    quotes: int = 168
    every: float = 5.2
    """Seconds between quotes, more or less."""
    has_sizes: bool = True
    seed: int = 7


@dataclass
class Walk:
    """The quotes of a market, and the insight right after the last one."""

    market: Market
    quotes: list[Quote] = field(default_factory=list)
    insight: Insight | None = None


def padded(units: int, decimals: int) -> str:
    text = str(units).rjust(decimals + 1, "0")
    return f"{text[:-decimals]}.{text[-decimals:]}" if decimals else text


def walk(market: Market, until: int = NOW - 2 * SECOND) -> Walk:
    random, result = Random(market.seed), Walk(market)
    state = new_state("tilt", market.decimals)
    mid, time = float(market.start), until - int((market.quotes - 1) * market.every * SECOND)
    for number in range(market.quotes):
        quote = _quote(market, random, number, round(mid), time)
        result.quotes.append(quote)
        state = state if is_tidy(state) else tidy(state)
        sizes = float(quote.best_bid_size or 0), float(quote.best_ask_size or 0)
        update(state, quote.time, quote.bid, quote.ask, *sizes)
        result.insight = insight(state, quote, quote.time * 1000 + 20_000_000, reconnects=1)
        mid = max(2.0, mid + random.gauss(0.0, market.step))
        time += int(market.every * SECOND)
    return result


def _quote(market: Market, random: Random, number: int, mid: int, time: int) -> Quote:
    def size() -> str | None:
        return f"{random.uniform(0.01, 3):.8f}" if market.has_sizes else None

    ask = padded(mid + random.choice([1, 1, 1, 2, 5, 42]), market.decimals)
    bid = padded(mid, market.decimals)
    quote = read_quote(market.product_id, time, 1000 + number, bid, size(), ask, size())
    assert isinstance(quote, Quote)
    return quote


def product_view(market: Market, now: int = NOW, until: int = NOW - 2 * SECOND) -> ProductView:
    walked = walk(market, until)
    scale = 2.0 * 10**market.decimals
    return ProductView(
        market.product_id,
        market.decimals,
        walked.insight,
        walked.quotes[-1] if walked.quotes else None,
        (now - until) / SECOND if walked.quotes else None,
        tuple(((now - q.time) / SECOND, (q.bid + q.ask) / scale) for q in walked.quotes if now - q.time < 900 * SECOND),
    )


DETAILS: dict[LineState, str] = {
    "CONNECTING": "wss://ws-feed.exchange.coinbase.com",
    "LIVE": "last quote 2 s ago",
    "QUIET": "no quote for 18 s, the line is fine",
    "STALE": "no data for 47 s, reconnecting in 4 s (try 3)",
    "REPLAY": "2026-11-22 of eth.txt, 61 % done",
    "SIMULATED": "not Coinbase: a market made up here",
    "ENDED": "the recording ends here",
}


def view(state: LineState, *markets: Market, **counts: int | str | tuple[str, ...]) -> View:
    """Look at these markets (ETH-USD if none) in this state of the line."""
    now = NOW + 45 * SECOND if state == "STALE" else NOW
    products = tuple(product_view(market, now) for market in markets or (Market(),))
    quotes = sum(market.quotes for market in markets or (Market(),))
    seen = View(
        state, DETAILS[state], now, NOW - 876 * SECOND, products, received=3 * quotes, quotes=quotes, reconnects=1
    )
    return structs.replace(seen, speed="10x" if state == "REPLAY" else "", **counts)


ETH = Market()
BTC = Market("BTC-USD", 2, 12_345_678, 300.0, seed=3)
SHIB = Market("SHIB-USD", 8, 1_303, 1.5, seed=4)
NO_QUOTES = Market(quotes=0)
FEW_QUOTES = Market(quotes=3)
NO_SIZES = Market(has_sizes=False)
