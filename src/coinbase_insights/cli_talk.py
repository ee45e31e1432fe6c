"""What every command says to a person, on stderr; stdout is for data."""

import os
import sys

from .errors import UsageError


def say_problem(message: str, hint: str) -> None:
    """Say what is wrong, and what to type next."""
    say(message)
    if hint:
        say(f"hint: {hint}")


def say(text: str) -> None:
    """Say it in a line."""
    from .show.safe import safe

    print(safe(text), file=sys.stderr, flush=True)


def lacks(what: str, error: ImportError) -> UsageError:
    """Make the error of a part that is not installed."""
    return UsageError(
        f"{what} needs more than the core: {error.name} is not installed.",
        "In a clone of the repository: pip install '.[lake,kafka,spark]'",
    )


def leave_stdout() -> None:
    """Whoever read our lines has read enough, or its disk is full: nothing may be written any more, even at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
