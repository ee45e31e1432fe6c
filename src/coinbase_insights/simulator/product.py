"""The products of the synthetic market, and how each of them behaves.

A product here is what REST and the feeds say about it; its character is known to the market only.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from .digits import SIZE_DECIMALS


@dataclass(frozen=True, slots=True)
class Product:
    """What Coinbase says about a product."""

    product_id: str
    price_decimals: int
    """The smallest step of the price is 10^-price_decimals."""
    status: str = "online"
    alias: str = ""
    """The product whose messages answer for this one: BTC-USDC shares the book of BTC-USD.

    https://docs.cdp.coinbase.com/coinbase-app/advanced-trade-apis/websocket/websocket-channels
    """

    @property
    def base(self) -> str:
        """The currency that is bought, BTC in BTC-USD."""
        return self.product_id.partition("-")[0]

    @property
    def quote_currency(self) -> str:
        """The currency that is paid, USD in BTC-USD."""
        return self.product_id.partition("-")[2]

    @property
    def online(self) -> bool:
        """Whether it trades, so that the feeds accept it."""
        return self.status == "online"


@dataclass(frozen=True, slots=True)
class Character:
    """How a product trades in the synthetic market; prices in its smallest step, sizes in 10^-8."""

    price: int
    volatility: float
    """Standard deviation of the price over one second, as a fraction of it."""
    spread: float
    """How far makers usually stand from the fair price."""
    level_distance: float
    """Mean distance between neighbouring prices of the book."""
    size: int
    """Typical size at one price."""
    seconds_per_trade: float
    seconds_per_change: float
    sequence: int
    trade_id: int
    quiet: bool = False
    """A trade every 40 to 100 s, whatever else happens."""


UNIT = 10**SIZE_DECIMALS

CHARACTERS: Mapping[Product, Character] = {
    Product("BTC-USD", 2): Character(6_748_123, 7e-5, 15, 60, UNIT // 8, 0.5, 0.08, 136_999_327_713, 985_000_002),
    Product("ETH-USD", 2): Character(192_041, 9e-5, 3, 3, 2 * UNIT, 0.7, 0.1, 103_492_697_415, 846_151_673),
    Product("SOL-USD", 2): Character(14_217, 1.1e-4, 1, 1, 40 * UNIT, 1.5, 0.15, 41_224_870_133, 251_300_917),
    Product("SKL-BTC", 8): Character(1303, 1.2e-4, 1, 1, 900 * UNIT, 3.0, 0.3, 177_100_030, 280_232),
    Product("BTC-JPY", 0): Character(10_234_567, 7e-5, 900, 700, UNIT // 20, 2.5, 0.25, 9_480_112_004, 6_201_558),
    Product("YFI-BTC", 5): Character(7104, 5e-5, 4, 3, UNIT // 4, 70.0, 0.8, 1_702_883_651, 4_101_377, quiet=True),
}
"""What trades: two large products, a tiny price, a price without decimals, and a quiet one."""

ALSO_LISTED = (
    Product("BTC-USDC", 2, alias="BTC-USD"),
    Product("ETH-USDC", 2, alias="ETH-USD"),
    Product("NU-GBP", 4, status="delisted"),
)
"""What REST lists besides: two other names of the above, and one that no longer trades."""
