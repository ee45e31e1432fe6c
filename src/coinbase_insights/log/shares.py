"""Shares of the products of a topic, and what is remembered of each, wherever it is folded. Pure."""

import zlib
from dataclasses import dataclass, field
from typing import NamedTuple

import msgspec

from ..engine.product import Product, ProductMemory
from ..memory import PipeMemory
from ..pipe import Pipe


class Remembered(NamedTuple):
    """All that is remembered of a share."""

    offset: int
    """In the topic, behind the last message that it knows of."""
    pipe: PipeMemory
    products: list[ProductMemory]
    folded_as: str
    """By what rules: those who take it up may have others."""


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Remembered).decode


@dataclass
class Shares:
    """Which products are ours."""

    count: int = 1
    own: set[int] = field(default_factory=set)

    def holds(self, product_id: str) -> bool:
        """Tell whether a product is ours to fold."""
        return self.of(product_id) in self.own

    def of(self, product_id: str) -> int:
        """Give the share that a product belongs to."""
        return zlib.crc32(product_id.encode()) % self.count


def remember(offset: int, pipe: Pipe, shares: Shares, share: int, folded_as: str) -> bytes:
    """Give all that a pipe knows of a share, behind the message before this offset."""
    products = [each.save() for name, each in pipe.products.items() if shares.of(name) == share]
    return _encode(Remembered(offset, pipe.save(), products, folded_as))


def decode(data: bytes) -> Remembered:
    """Read what `remember` gives."""
    return _decode(data)


def recall(pipe: Pipe, remembered: Remembered) -> None:
    """Let a new pipe go on with a share."""
    pipe.load(remembered.pipe)
    pipe.products = {memory.product_id: Product.loaded(memory) for memory in remembered.products}
