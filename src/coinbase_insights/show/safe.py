r"""Text that came from somebody else, made fit to be shown.

A message may carry characters that steer a terminal, hide text, or turn its direction around. They are shown as
what they are, as `\x1b`; nothing else of the text is changed, and none of it is ever read as markup.
"""


def safe(text: str) -> str:
    r"""Write every character that has no look of its own as an escape.

    These are the control characters (newline and tab among them), bidirectional and zero-width ones, line
    separators, and code points without a meaning: all that Unicode calls "other" or a separator, but the space.

    >>> safe("ETH\x1b[2J")
    'ETH\\x1b[2J'
    """
    if text.isprintable():
        return text
    return "".join(character if character.isprintable() else _escape(ord(character)) for character in text)


def _escape(code: int) -> str:
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
