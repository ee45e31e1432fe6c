"""What both dialects share: JSON that may be anything at all, and the words for what is wrong with it."""

from typing import Annotated, TypeVar

import msgspec

from ..quote import Bad

T = TypeVar("T")
Number = Annotated[str, msgspec.Meta(max_length=64)] | None
"""A price or a size as text; nothing longer can be one, and prices are remembered (quote.py)."""


def decode(decoder: msgspec.json.Decoder[T], data: bytes | msgspec.Raw) -> T | Bad:
    """Decode, or say why not, naming the field: `best_bid: expected str, got int`."""
    try:
        return decoder.decode(data)
    except msgspec.ValidationError as error:
        return Bad(_field_and_fault(str(error)))
    except UnicodeDecodeError:
        return Bad("not UTF-8")
    except msgspec.DecodeError as error:
        return Bad("not UTF-8" if "utf-8" in str(error) else "not JSON")
    except RecursionError:
        return Bad("nested too deep")


def _field_and_fault(text: str) -> str:
    fault, _, path = text.partition(" - at `$")
    field = "".join(c for c in path.rstrip("`") if c.isalpha() or c in "._")
    words = (fault[0].lower() + fault[1:]).replace("`", "")
    return f"{field.strip('.')}: {words}" if field.strip(".") else f"message: {words}"
