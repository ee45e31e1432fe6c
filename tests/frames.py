"""What Coinbase's Exchange feed sends, as in real frames of 2023 and 2026, made to measure for a test."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

Json = dict[str, Any]

SEQUENCE = 48147127815
START = datetime(2026, 11, 22, 13, tzinfo=UTC)


def rfc3339(moment: datetime) -> str:
    """Six digits and a Z, always."""
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def at(seconds: float) -> str:
    """So many seconds after 13:00 on the day of the tests."""
    return rfc3339(START + timedelta(seconds=seconds))


def now() -> str:
    return rfc3339(datetime.now(UTC))


def changed(message: Json, fields: Json) -> Json:
    """Set these fields; one given as `...` is left out."""
    return {name: value for name, value in {**message, **fields}.items() if value is not ...}


def ticker(number: int, **fields: Any) -> Json:
    """The nth quote; its time is now, its price walks a little, its sequence grows by steps that are not 1."""
    cents = 166057 + number * 7 % 11
    message = {
        "type": "ticker",
        "sequence": SEQUENCE + number * 37 + number % 5,
        "product_id": "ETH-USD",
        "price": f"{(cents + 1) / 100:.2f}",
        "open_24h": "1684.16",
        "volume_24h": "113471.90962885",
        "low_24h": "1640.18",
        "high_24h": "1688.67",
        "volume_30d": "2059225.73896110",
        "best_bid": f"{cents / 100:.2f}",
        "best_bid_size": "0.67796111",
        "best_ask": f"{(cents + 1 + number % 3) / 100:.2f}",
        "best_ask_size": "20.70876345",
        "side": "buy",
        "time": now(),
        "trade_id": 466390072 + number,
        "last_size": "0.00299594",
    }
    return changed(message, fields)


def heartbeat(number: int, **fields: Any) -> Json:
    """A beat after the nth quote."""
    message = {
        "type": "heartbeat",
        "last_trade_id": 466390072 + number,
        "product_id": "ETH-USD",
        "sequence": SEQUENCE + number * 37 + 20,
        "time": now(),
    }
    return changed(message, fields)


def ack(subscribe: Json) -> str:
    """The answer to a subscription, in the dialect in which it was asked."""
    products = subscribe.get("product_ids", [])
    if "channel" in subscribe:
        listed = {subscribe["channel"]: products or [subscribe["channel"]]}
        return json.dumps(
            {"channel": "subscriptions", "timestamp": now(), "sequence_num": 0, "events": [{"subscriptions": listed}]}
        )
    channels = [
        {"name": channel["name"], "product_ids": channel.get("product_ids", products), "account_ids": None}
        if isinstance(channel, dict)
        else {"name": channel, "product_ids": products, "account_ids": None}
        for channel in subscribe["channels"]
    ]
    return json.dumps({"type": "subscriptions", "channels": channels})


def error(reason: str, message: str = "Failed to subscribe") -> str:
    """The exchange's refusal."""
    return json.dumps({"type": "error", "message": message, "reason": reason})
