"""A port that others connect to, and by which names they may call it."""

import socket

from .errors import UsageError

HOST = "127.0.0.1"
LOOPBACK = (HOST, "localhost", "::1")
"""Whoever listens there is heard by this machine alone."""
EVERYWHERE = {"0.0.0.0": HOST, "::": "::1"}  # noqa: S104 - they are refused without a token
"""Stand for every address of this machine, and are none to be called by; this machine calls them so."""


def listen(host: str, port: int, flag: str = "--port") -> socket.socket:
    """Open a port; 0 takes a free one. Raises UsageError, which names the flag to type another one after."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family)
    except (OSError, UnicodeError) as error:
        why = getattr(error, "strerror", None) or error
        raise UsageError(
            f"{host}:{port} cannot be listened on: {why}.", f"Name another {flag}; 0 takes a free one."
        ) from error


def address(host: str, port: int) -> str:
    """Write both as they stand in a URL."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def seen_as(host: str) -> str:
    """Give the address by which this machine calls who listens there."""
    return EVERYWHERE.get(host, host)


def own_names(host: str, port: int) -> frozenset[str]:
    """Tell what a request's Host may be: a page of somebody else's would name another one (DNS rebinding)."""
    names = {address(each, port) for each in (*LOOPBACK, host.lower())}
    return frozenset(names | {name.removesuffix(":80") for name in names})
