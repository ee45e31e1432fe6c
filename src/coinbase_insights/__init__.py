"""Coinbase's market-data feeds turned into insight, live in the terminal and at scale, by one set of rules."""

__version__ = "0.1.0"
