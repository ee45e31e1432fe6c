"""Which model a command begins with: that of a folder, a lake's champion, or none. A folder needs nothing heavy."""

from pathlib import Path

from ..engine.model import Model, untrained
from ..errors import UsageError
from .folder import CARD, MODEL, open_model


def model_for(where: str | None, forecaster: str | None) -> Model:
    """Give the model of this folder or lake; the forecaster alone, or `tilt`, where none is named.

    Raises ModelError when there is none, UsageError when it is of another forecaster, and ImportError when it is in a
    lake and what reads lakes is not installed.
    """
    if where is None:
        return untrained(forecaster or "tilt")
    model = _found(where)
    if forecaster is not None and forecaster != model.forecaster:
        raise UsageError(
            f"--forecaster {forecaster} is not that of the model {model.name}, which is {model.forecaster}.",
            "Leave --forecaster out: the model says.",
        )
    return model


def _found(where: str) -> Model:
    is_here = "://" not in where or where.startswith("file://")
    path = Path(where.removeprefix("file://"))
    if is_here and not (path / "models" / "_delta_log").is_dir() and not (path / "raw").is_dir():
        return open_model(path)
    from ..lake.place import place
    from .registry import only_champion, stored_model

    names = place(where).names()
    return stored_model(where) if MODEL in names or CARD in names else only_champion(where)
