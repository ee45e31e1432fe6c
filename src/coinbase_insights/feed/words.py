"""What somebody else said, made fit for a line that a person reads."""

MOST = 200
"""Characters that are kept: an exchange may explain itself at any length."""


def harmless(text: str) -> str:
    r"""Write every character that has no look of its own as an escape, so that nothing steers a terminal.

    >>> harmless("bye\x1b[2J")
    'bye\\x1b[2J'
    """
    kept = text if len(text) <= MOST else text[:MOST] + "..."
    return "".join(character if character.isprintable() else ascii(character)[1:-1] for character in kept)
