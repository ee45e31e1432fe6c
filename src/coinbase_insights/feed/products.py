"""The products, as Coinbase's REST API lists them; no key is needed."""

import difflib
import json
from collections.abc import Sequence
from http.client import HTTPException
from urllib.error import HTTPError, URLError
from urllib.request import ProxyHandler, Request, build_opener

import msgspec

from ..errors import UnknownProductError, UnreachableError
from .endpoints import is_here
from .words import harmless

TIMEOUT = 5.0
"""Seconds."""
LAST_LOOK = 2.0
"""Seconds to find near names once a product was refused."""
FEW = 3
"""Products that are asked for one by one."""
MOST_BYTES = 32 * 2**20
NO_ANSWER = (OSError, HTTPException, msgspec.MsgspecError, UnicodeError, OverflowError, RecursionError)
"""All that reading an answer may raise: no line, no HTTP, not our kind of JSON, no UTF-8, no such port, too deep."""


class ListedProduct(msgspec.Struct, frozen=True):
    """A product as the exchange lists it (docs.cdp.coinbase.com/exchange/reference/exchangerestapi_getproducts)."""

    id: str
    base_currency: str = ""
    quote_currency: str = ""
    quote_increment: str = ""
    status: str = ""
    status_message: str = ""
    trading_disabled: bool = False
    cancel_only: bool = False
    limit_only: bool = False
    post_only: bool = False
    auction_mode: bool = False

    @property
    def standing(self) -> str:
        """Its status in words, with what limits trading."""
        return ", ".join([self.status, *self.limits])

    @property
    def is_traded(self) -> bool:
        """Whether it is traded now, with whatever limits."""
        return self.status in ("", "online") and not self.trading_disabled

    @property
    def limits(self) -> list[str]:
        """What keeps people from trading it freely now; its prices may stand still or cross."""
        return [
            words
            for holds, words in (
                (self.auction_mode, "in auction"),
                (self.cancel_only, "cancel only"),
                (self.limit_only, "limit orders only"),
                (self.post_only, "post only"),
            )
            if holds
        ]


def all_products(rest_url: str, timeout: float = TIMEOUT) -> list[ListedProduct]:
    """Ask for the list of all products. Raises UnreachableError when there is no good answer."""
    try:
        products = msgspec.json.decode(_get(f"{rest_url}/products", timeout), type=list[ListedProduct])
    except NO_ANSWER as error:
        raise UnreachableError(
            f"{rest_url} did not give the list of products: {_words(error)}.",
            "Check the network, and the address after --url.",
        ) from error
    return sorted(products, key=lambda product: product.id)


def check(rest_url: str, product_ids: Sequence[str], timeout: float = TIMEOUT) -> list[str]:
    """Ask whether the products can be followed; give warnings to be shown.

    Raises UnknownProductError, with near names, for one that does not exist or is not traded. When REST does not
    answer, nothing is known and nothing said: the socket will tell.
    """
    warnings: list[str] = []
    listed = _listed(rest_url, product_ids, timeout)
    for product_id in product_ids:
        if product_id in listed:
            warnings += _limits_of(listed[product_id])
            continue
        try:
            product = msgspec.json.decode(_get(f"{rest_url}/products/{product_id}", timeout), type=ListedProduct)
        except HTTPError as error:
            if error.code == 404 and _is_coinbase(error):
                raise unknown_product(rest_url, product_id, timeout) from error
            continue
        except NO_ANSWER:
            return warnings
        warnings += _limits_of(product)
    return warnings


def _listed(rest_url: str, product_ids: Sequence[str], timeout: float) -> dict[str, ListedProduct]:
    """Give the products that are listed, where so many are asked for that one list is quicker; else none."""
    if len(product_ids) <= FEW:
        return {}
    try:
        return {product.id: product for product in all_products(rest_url, timeout)}
    except UnreachableError:
        return {}


def _limits_of(product: ListedProduct) -> list[str]:
    """Give what keeps people from trading it freely. Raises UnknownProductError when it is not traded at all."""
    if not product.is_traded:
        state = product.status_message or product.status or "trading is disabled"
        raise UnknownProductError(
            f"{product.id} is not traded now: {harmless(state)}.",
            "List the products with `coinbase_insights products`.",
        )
    return [f"{product.id} is {limit}" for limit in product.limits]


def unknown_product(rest_url: str, product_id: str, timeout: float = TIMEOUT) -> UnknownProductError:
    """Make the error for a product that Coinbase does not know, with near names if the list can be had."""
    try:
        names = [product.id for product in all_products(rest_url, timeout) if product.id != product_id]
    except UnreachableError:
        names = []
    near = difflib.get_close_matches(product_id, names, n=3, cutoff=0.5)
    hint = f"Did you mean {harmless(' or '.join(near))}? " if near else "Product ids look like ETH-USD. "
    return UnknownProductError(
        f"Coinbase does not know the product {product_id}: {product_id} is not a valid product.",
        hint + "List them with `coinbase_insights products`.",
    )


def with_near_names(error: UnknownProductError, rest_url: str, product_ids: Sequence[str]) -> UnknownProductError:
    """Give the same error, with near names in its hint where it has none and they can be had in a moment."""
    if len(product_ids) != 1 or "Did you mean" in error.hint or "not traded" in error.message:
        return error
    return UnknownProductError(error.message, unknown_product(rest_url, product_ids[0], LAST_LOOK).hint)


def _get(url: str, timeout: float) -> bytes:
    request = Request(url, headers={"Accept": "application/json", "User-Agent": "coinbase_insights"})  # noqa: S310 - http(s) only
    ways = [ProxyHandler({})] if is_here(url) else []
    with build_opener(*ways).open(request, timeout=timeout) as answer:
        return bytes(answer.read(MOST_BYTES))


def _is_coinbase(error: HTTPError) -> bool:
    """A 404 of the exchange is JSON with a message; that of a proxy or another server says nothing about products."""
    try:
        return "message" in json.loads(error.read(1000))
    except (ValueError, TypeError, *NO_ANSWER):
        return False


def _words(error: Exception) -> str:
    if isinstance(error, HTTPError):
        return f"HTTP status {error.code}"
    if isinstance(error, URLError):
        return harmless(str(error.reason))
    return harmless(str(error) or type(error).__name__)
