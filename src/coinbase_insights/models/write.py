"""The files of a model: numbers in JSON, a card, and what MLflow needs to serve it. Reads only our own source."""

import hashlib
import json
from collections.abc import Sequence
from datetime import datetime
from importlib.resources import files as own_files

import msgspec

from .. import __version__
from ..engine.model import Model
from ..show.listing import table
from .folder import CARD, MODEL, SHIPPED, UNITS, Card, ModelFile, Settings, Standing, coefficients
from .scoring import INPUTS, OUTPUTS

PYTHON = "3.11"
REQUIREMENTS = ("azureml-ai-monitoring", "mlflow>=3.0,<4", "msgspec>=0.20,<1", "pandas>=2.3")
"""Of whoever serves it; Azure ML wants its own part in the list where it deploys without code of ours."""
STANDING_HEADS = Standing.__struct_fields__


def model_json(model: Model) -> bytes:
    """Give model.json; the same model gives the same bytes."""
    name, _, version = model.name.partition("/")
    written = ModelFile(
        format=1,
        name=name,
        version=int(version),
        forecaster="last" if model.forecaster == "last" else "tilt",
        horizon_s=60,
        parameters=Settings(*model.parameters),
        products={product_id: coefficients(each) for product_id, each in sorted(model.learned.items())},
        units=UNITS,
    )
    return _json(written)


def digest_of(text: bytes) -> str:
    """Give the digest of model.json, which the card and the lake keep."""
    return hashlib.sha256(text).hexdigest()


def model_files(text: bytes, card: Card) -> dict[str, bytes]:
    """Give every file by its name; the card is the last, and without it nothing is a model."""
    code = {f"code/coinbase_insights/{name}": _source(name) for name in SHIPPED}
    named = {
        MODEL: text,
        "MLmodel": _mlmodel(card),
        "requirements.txt": _lines(REQUIREMENTS),
        "conda.yaml": _conda(),
        "python_env.yaml": _lines((f"python: '{PYTHON}'", "dependencies:", "- -r requirements.txt")),
        "README.md": readme(card).encode(),
    }
    return code | named | {CARD: _json(card)}


def _json(value: msgspec.Struct) -> bytes:
    return msgspec.json.format(msgspec.json.encode(value), indent=2) + b"\n"


def _source(name: str) -> bytes:
    return own_files("coinbase_insights").joinpath(name).read_bytes()


def _lines(lines: Sequence[str]) -> bytes:
    return "\n".join((*lines, "")).encode()


def _mlmodel(card: Card) -> bytes:
    """Give MLmodel as MLflow reads it; a JSON text is a YAML text."""
    inputs = [
        {"type": "string" if name == "product_id" else "double", "name": name, "required": "size" not in name}
        for name in INPUTS
    ]
    outputs = [{"type": "double", "name": name, "required": name not in ("low", "high")} for name in OUTPUTS]
    trained_at = datetime.fromisoformat(card.trained_at)
    return _lines(
        (
            "flavors:",
            "  python_function:",
            "    code: code",
            "    env:",
            "      conda: conda.yaml",
            "      virtualenv: python_env.yaml",
            "    loader_module: coinbase_insights.models.scoring",
            f"    python_version: '{PYTHON}'",
            "signature:",
            f"  inputs: '{json.dumps(inputs)}'",
            f"  outputs: '{json.dumps(outputs)}'",
            "  params: null",
            f"utc_time_created: '{trained_at:%Y-%m-%d %H:%M:%S.%f}'",
            "metadata:",
            f"  name: {card.name}",
            f"  version: {card.version}",
            f"  digest: '{card.digest}'",
            f"  code_version: '{card.code_version}'",
        )
    )


def _conda() -> bytes:
    head = ("name: coinbase_insights", "channels:", "- conda-forge", "dependencies:", f"- python={PYTHON}", "- pip")
    return _lines((*head, "- pip:", *(f"  - {each}" for each in REQUIREMENTS)))


def readme(card: Card) -> str:
    """Give the card in plain words."""
    rows = [[getattr(each, head) for head in STANDING_HEADS] for each in card.scores]
    products = ", ".join(card.products)
    standing = "The champion" if card.champion else "Not the champion"
    return f"""# {card.name}/{card.version}

A forecast of the mid-price 60 seconds ahead, with a band that should hold nine times out of ten, for
{products}. The forecaster is `{card.forecaster}`, of coinbase_insights {card.code_version}. This is not advice.

- Trained at {card.trained_at} on {card.rows:,} quotes from {card.first_time} to {card.last_time}.
- Scored on the {card.held_out_rows:,} quotes after {card.cut}: the forecaster had learned up to there,
  and learned on from what came true, as it does live. The coefficients in {MODEL} are of all the time.
- {standing}: {card.reason}.

```text
{table(STANDING_HEADS, rows)}
```

`against` is whom it is compared with: `last` says that nothing changes. Errors are mean absolute errors in basis points
of the mid-price; skill is 1 - error / error of the other; a p_value below 0.05 is a difference chance hardly makes.

{MODEL} is numbers in JSON; its SHA-256 is
{card.digest}. There is no pickle here, and a folder that holds one is refused.

```console
$ coinbase_insights run --product-id {card.products[0]} --model FOLDER
$ mlflow models serve --env-manager local --model-uri FOLDER
```
"""


def card_of(
    model: Model,
    *,
    trained_at: str,
    times: tuple[str, str, str],
    rows: tuple[int, int],
    scores: Sequence[Standing],
    verdict: tuple[bool, str],
) -> Card:
    """Make the card: `times` are first, cut and last; `rows` all and held out; `verdict` champion or not, and why."""
    name, _, version = model.name.partition("/")
    return Card(
        1, name, int(version), model.digest, model.forecaster, __version__, trained_at, sorted(model.learned), *times,
        *rows, list(scores), *verdict,
    )  # fmt: skip
