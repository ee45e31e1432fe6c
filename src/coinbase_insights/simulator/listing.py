"""How REST and the `status` channels describe products and currencies.

https://docs.cdp.coinbase.com/exchange/reference/exchangerestapi_getproducts
"""

from .digits import padded
from .product import Product

BASE_INCREMENT = "0.00000001"


def increment(product: Product) -> str:
    """Write the smallest step of the price."""
    return padded(1, product.price_decimals)


def exchange_product(product: Product) -> dict[str, object]:
    """Describe a product as the Exchange REST does."""
    return {
        "id": product.product_id,
        "base_currency": product.base,
        "quote_currency": product.quote_currency,
        "quote_increment": increment(product),
        "base_increment": BASE_INCREMENT,
        "display_name": product.product_id,
        "min_market_funds": "1",
        "margin_enabled": False,
        "post_only": False,
        "limit_only": False,
        "cancel_only": False,
        "status": product.status,
        "status_message": "",
        "trading_disabled": not product.online,
        "fx_stablecoin": False,
        "max_slippage_percentage": "0.02000000",
        "auction_mode": False,
        "high_bid_limit_percentage": "",
    }


def advanced_status(product: Product) -> dict[str, object]:
    """Describe a product as the `status` channel of Advanced Trade does."""
    return {
        "product_type": "SPOT",
        "id": product.product_id,
        "base_currency": product.base,
        "quote_currency": product.quote_currency,
        "base_increment": BASE_INCREMENT,
        "quote_increment": increment(product),
        "display_name": f"{product.base}/{product.quote_currency}",
        "status": product.status,
        "status_message": "",
        "min_market_funds": "1",
    }


def advanced_product(product: Product, price: str, aliases: list[str]) -> dict[str, object]:
    """Describe a product as the Advanced Trade REST does; best prices stay empty without a key."""
    return {
        "product_id": product.product_id,
        "price": price,
        "base_increment": BASE_INCREMENT,
        "quote_increment": increment(product),
        "price_increment": increment(product),
        "base_name": product.base,
        "quote_name": product.quote_currency,
        "status": product.status,
        "trading_disabled": not product.online,
        "is_disabled": False,
        "view_only": False,
        "auction_mode": False,
        "cancel_only": False,
        "limit_only": False,
        "post_only": False,
        "product_type": "SPOT",
        "base_currency_id": product.base,
        "quote_currency_id": product.quote_currency,
        "alias": product.alias,
        "alias_to": aliases,
        "mid_market_price": "",
        "best_bid_price": "",
        "best_ask_price": "",
    }


def currency(name: str) -> dict[str, object]:
    """Describe a currency as the Exchange REST does."""
    fiat = name in ("USD", "EUR", "GBP", "JPY")
    return {
        "id": name,
        "name": name,
        "min_size": "0.01" if fiat else BASE_INCREMENT,
        "status": "online",
        "message": "",
        "max_precision": "0.01" if fiat else BASE_INCREMENT,
        "convertible_to": [],
        "details": {"type": "fiat" if fiat else "crypto", "symbol": None, "sort_order": 0},
        "default_network": "",
        "supported_networks": [],
    }
