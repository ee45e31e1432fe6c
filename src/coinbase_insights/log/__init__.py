"""Logs: ordered, durable lists of messages."""
