"""What every command says to a person, on stderr; stdout is for data."""

import os
import sys
from typing import TYPE_CHECKING

from .errors import UsageError

if TYPE_CHECKING:
    from .engine.model import Model


EXTRAS = {
    "confluent_kafka": "lake,kafka", "pyspark": "lake,spark", "starlette": "lake,serve", "uvicorn": "lake,serve",
}  # fmt: skip
"""What to install for a library that is not there."""


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
    extras = {
        "pyspark": "lake,spark",
        "confluent_kafka": "lake,kafka",
        "starlette": "serve,lake",
        "uvicorn": "serve,lake",
    }
    extra = extras.get(str(error.name), "lake")
    return UsageError(
        f"{what} needs more than the core: {error.name} is not installed.",
        f"In a clone of the repository: pip install '.[{extra}]'",
    )


def chosen_model(where: str | None, forecaster: str | None) -> "Model":
    """Give the model that --model names, or the forecaster alone, and say what was found."""
    from .models.find import model_for

    try:
        model = model_for(where, forecaster)
    except ImportError as error:
        raise lacks("A lake's champion", error) from error
    if model.digest:
        say(f"begins with the model {model.name}: {', '.join(sorted(model.learned)) or 'no product'}")
    return model


def say_late(model: "Model", product_ids: list[str]) -> None:
    """Say of which products nothing that was learned is used, if there are any."""
    if product_ids:
        which, begin = ", ".join(product_ids), "begin" if len(product_ids) > 1 else "begins"
        say(f"{model.name} has learned up to a later time than {which} {begin} at: nothing of it is used there")


def leave_stdout() -> None:
    """Whoever read our lines has read enough, or its disk is full: nothing may be written any more, even at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
