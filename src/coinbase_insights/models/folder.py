"""A model on a disk: read as numbers, checked one by one, and never run. Needs nothing but msgspec.

    model.json    what was learned: the coefficients
    card.json     what it was learned of, how good it was, and the digest of model.json
    README.md     the card in plain words
    MLmodel, conda.yaml, python_env.yaml, requirements.txt, code/     for MLflow

A folder that holds anything else is refused: a pickle is a program, and whoever planted one has a reason.
"""

import hashlib
import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

import msgspec
from msgspec import Meta

from ..engine.model import Model
from ..engine.state import Learned, Parameters
from ..errors import ModelError

MODEL, CARD = "model.json", "card.json"
SHIPPED = (
    "__init__.py", "errors.py", "quote.py",
    "engine/__init__.py", "engine/forecast.py", "engine/learn.py", "engine/model.py", "engine/score.py",
    "engine/skill.py", "engine/state.py", "engine/update.py", "engine/window.py",
    "models/__init__.py", "models/folder.py", "models/scoring.py",
)  # fmt: skip
"""Our own files that MLflow needs to serve a model: the rules, and what reads it."""
OWN = (
    MODEL, CARD, "README.md", "MLmodel", "conda.yaml", "python_env.yaml", "requirements.txt",
    *(f"code/coinbase_insights/{name}" for name in SHIPPED),
)  # fmt: skip
MLFLOWS = ("registered_model_meta",)
"""What MLflow adds to a model that it gives out."""
_COMPILED = re.compile(r"code/(?:[a-z_]+/)*__pycache__/[a-z_]+\.[a-z0-9-]+\.(?:opt-[12]\.)?pyc", re.ASCII).fullmatch
"""What Python leaves beside a module that it has imported."""
NAME = r"^[a-z][a-z0-9_-]{0,39}\Z"
PRODUCT_ID = r"^[A-Z0-9]{1,20}-[A-Z0-9]{1,20}\Z"
LARGEST = 1e18
UNITS = {
    "until": "exchange time, microseconds since 1970 UTC",
    "returns": "5-second marks with a return",
    "imbalance_squares": "1, with half-life",
    "imbalance_weight": "marks, with half-life",
    "usual_imbalance": "1, root mean square",
    "pair_weight": "pairs of marks, with half-life",
    "pair_squares": "usual imbalances squared, with half-life",
    "pair_products": "usual imbalances times basis points, with half-life",
    "beta": "basis points for one usual imbalance",
    "fast_squares": "squared log returns, of about 5 minutes",
    "fast_seconds": "s, of about 5 minutes",
    "slow_squares": "squared log returns, of about an hour",
    "slow_seconds": "s, of about an hour",
    "sigma": "log return over 60 s; null while it is not known",
    "band_factor": "half widths of the band for one sigma",
}

T = TypeVar("T")
_Sum = Annotated[float, Meta(ge=0.0, le=LARGEST)]


class Coefficients(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """What was learned of one product; see `engine.state.Learned`."""

    until: Annotated[int, Meta(ge=0, lt=2**53)]
    returns: Annotated[int, Meta(ge=0, lt=2**53)]
    imbalance_squares: _Sum
    imbalance_weight: _Sum
    usual_imbalance: Annotated[float, Meta(ge=0.0, le=1.0 + 1e-9)]
    pair_weight: _Sum
    pair_squares: _Sum
    pair_products: Annotated[float, Meta(ge=-LARGEST, le=LARGEST)]
    beta: Annotated[float, Meta(ge=-10_000.0, le=10_000.0)]
    fast_squares: _Sum
    fast_seconds: _Sum
    slow_squares: _Sum
    slow_seconds: _Sum
    sigma: Annotated[float, Meta(ge=0.0, le=10.0)] | None
    band_factor: Annotated[float, Meta(ge=0.05, le=1e6)]


class Settings(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """How the forecaster is set; see `engine.state.Parameters`."""

    half_life_h: Annotated[float, Meta(gt=0.0, le=1e6)]
    ridge: Annotated[float, Meta(ge=0.0, le=1e15)]
    pull: Annotated[float, Meta(ge=-10.0, le=10.0)]
    band_step: Annotated[float, Meta(ge=0.0, le=1.0)]


class ModelFile(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """What model.json holds."""

    format: Literal[1]
    name: Annotated[str, Meta(pattern=NAME)]
    version: Annotated[int, Meta(ge=1, lt=2**31)]
    forecaster: Literal["last", "tilt"]
    horizon_s: Literal[60]
    parameters: Settings
    products: dict[Annotated[str, Meta(pattern=PRODUCT_ID)], Coefficients]
    units: dict[str, str]


class Standing(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """How good forecasts were on the held-out time, beside those of somebody else."""

    product_id: str
    """`*` for all."""
    against: str
    """`last` is "nothing changes"; otherwise a model."""
    scored: int
    unscored: int
    error_bp: float | None
    """Mean absolute error, in basis points of the mid-price."""
    error_against_bp: float | None
    skill: float | None
    """1 - error / error of the other."""
    p_value: float | None
    """How often chance alone differs as much."""
    band_hit_rate: float | None
    band_width_bp: float | None


class Card(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """What card.json holds: what a model is, and how far it may be believed."""

    format: Literal[1]
    name: str
    version: int
    digest: Annotated[str, Meta(pattern="^[0-9a-f]{64}\\Z")]
    """SHA-256 of model.json."""
    forecaster: str
    code_version: str
    trained_at: str
    products: list[str]
    first_time: str
    """Of the quotes, exchange time, UTC; so are the two below."""
    cut: str
    """What was scored had learned up to here, and its forecasts were made after it."""
    last_time: str
    """The coefficients were learned up to here."""
    rows: int
    held_out_rows: int
    scores: list[Standing]
    champion: bool
    reason: str


def open_model(path: Path) -> Model:
    """Read the model in a folder. Raises ModelError when there is none, or when it is not whole and ours alone."""
    if not (path / MODEL).is_file():
        raise ModelError(
            f"There is no model in {path}.",
            f"A model is a folder with a {MODEL}; make one with `coinbase_insights train`.",
        )
    try:
        names = [name for each in path.rglob("*") if (name := _name(path, each)) is not None]
        return read_model(str(path), names, lambda name: (path / name).read_bytes())
    except OSError as error:
        raise ModelError(f"The model in {path} cannot be read: {error.strerror}.") from error


def _name(root: Path, file: Path) -> str | None:
    """Give the name of a file within the model; None for a folder. A link could lead anywhere, and is no folder."""
    return None if file.is_dir() and not file.is_symlink() else file.relative_to(root).as_posix()


def read_model(where: str, names: Iterable[str], read: Callable[[str], bytes]) -> Model:
    """Read the model whose files have these names. Raises ModelError."""
    refuse_unknown(where, names)
    text, card = read(MODEL), read_card(where, read)
    digest = hashlib.sha256(text).hexdigest()
    if card.digest != digest:
        raise ModelError(
            f"The model in {where} is not what was trained: {MODEL} has changed since {CARD} was written.",
            "Take it from where it was trained once more, or train anew.",
        )
    return _model(_decoded(where, MODEL, text, ModelFile), digest)


def read_card(where: str, read: Callable[[str], bytes]) -> Card:
    """Read the card of a model. Raises ModelError; a model that was not written to its end has none."""
    try:
        data = read(CARD)
    except FileNotFoundError as error:
        raise ModelError(f"The model in {where} is not whole: it has no {CARD}.", "Train it anew.") from error
    return _decoded(where, CARD, data, Card)


def refuse_unknown(where: str, names: Iterable[str]) -> None:
    """Raise ModelError for a file that is none of a model's own."""
    for name in sorted(names):
        if name not in OWN and name not in MLFLOWS and not _COMPILED(name):
            raise ModelError(
                f"The model in {where} is refused: it holds {name[:80]!a}, which is no part of a model.",
                "A model is numbers in JSON. Find out who put it there; nothing of it was read.",
            )


def _decoded(where: str, name: str, data: bytes, kind: type[T]) -> T:
    try:
        return msgspec.json.decode(data, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ModelError(f"The model in {where} cannot be used: in {name}, {error}.", "Train it anew.") from error


def _model(found: ModelFile, digest: str) -> Model:
    if found.units != UNITS:
        raise ModelError(f"The model {found.name} counts in other units than this version.", "Train it anew.")
    learned = {product_id: _learned(each) for product_id, each in found.products.items()}
    parameters = Parameters(*msgspec.structs.astuple(found.parameters))
    return Model(f"{found.name}/{found.version}", found.forecaster, parameters, learned, digest)


def _learned(found: Coefficients) -> Learned:
    values: dict[str, Any] = msgspec.structs.asdict(found)
    return Learned(**values | {"sigma": float("nan") if found.sigma is None else found.sigma})


def coefficients(learned: Learned) -> Coefficients:
    """Give what was learned as model.json has it."""
    return Coefficients(**learned._asdict() | {"sigma": None if learned.sigma != learned.sigma else learned.sigma})
