"""The exchange's answer to a subscription: yes, no, or yes to something else."""

from collections.abc import Sequence

from ..errors import InsightsError, RefusedError, UnknownProductError
from ..message import Message
from ..quote import Refusal, Subscribed, book_of
from ..wire import reader
from .words import harmless

UNKNOWN_PRODUCT = "not a valid product"
INVALID_PRODUCT = "invalid product"


class Reply:
    """Waits until the exchange has said that it sends what we want."""

    def __init__(self, dialect: str, channel: str, product_ids: Sequence[str]) -> None:
        """`channel` as the feed names it."""
        self.is_settled = False
        """Whether everything that was asked for is acknowledged."""
        self._dialect = dialect
        self._channel = channel
        self._product_ids = frozenset(product_ids)

    def read(self, message: Message) -> InsightsError | None:
        """Look for an answer in a message; give what it says no to."""
        for event in reader(self._dialect == "advanced").read(message.data):
            if isinstance(event, Refusal):
                return self._refused(event)
            if isinstance(event, Subscribed):
                return self._compare(event)
        return None

    def _compare(self, answer: Subscribed) -> InsightsError | None:
        acknowledged = {product_id for channel, product_id in answer.channels if channel == self._channel}
        missing = {p for p in self._product_ids if p not in acknowledged and book_of(p) not in acknowledged}
        self.is_settled = not missing
        others = sorted(acknowledged - self._product_ids)
        if missing and others:
            return UnknownProductError(
                f"Coinbase was asked for {', '.join(sorted(missing))} "
                f"and subscribed us to {harmless(', '.join(others))}.",
                "List the products with `coinbase_insights products`.",
            )
        return None

    def _refused(self, refusal: Refusal) -> InsightsError:
        said = ": ".join(filter(None, (refusal.message.strip(), refusal.reason.strip()))) or "no reason given"
        text = f"Coinbase refused the subscription to {', '.join(sorted(self._product_ids))}: {harmless(said)}."
        if UNKNOWN_PRODUCT in said.lower() or INVALID_PRODUCT in said.lower():
            hint = "Product ids look like ETH-USD; list them with `coinbase_insights products`."
            return UnknownProductError(text, hint)
        return RefusedError(text, "Try another --channel or --feed.")
