"""The live source: messages from Coinbase's socket, whatever happens to the line."""

from .feed import Feed
from .timing import Timing

__all__ = ["Feed", "Timing"]
