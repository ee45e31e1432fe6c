"""The models of a lake: the table `models` names them, and their folders are beside it (lake/trained.py).

A version is taken by the first who writes its coefficients: of several that train at once one does. The folder is
written first, its card last, and only then is the row committed, if nobody has trained meanwhile. So whoever is killed
when, the table names no half model, and no file of a model is ever written over.
"""

import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from ..engine.model import Model
from ..errors import LockedError, ModelError
from ..lake.delta import Delta
from ..lake.place import place
from ..lake.reaching import reaching
from ..lake.tables import MODELS
from ..lake.trained import Row, as_table, fits, path_of, rows
from .folder import MODEL, Card, Standing, open_model, read_model
from .train import ALL, LAST, Trained, verdict
from .write import card_of, digest_of, model_files, model_json


def next_version(lake: str, name: str) -> int:
    """Give the version that the next model of a name will have: none of a model that is there already.

    There may be one that the table does not name, where that was set aside by a repair or its trainer was killed.
    """
    version = 1 + max((int(row["version"]) for row in rows(lake) if row["name"] == name), default=0)
    with reaching(lake):
        while MODEL in place(folder_of(lake, name, version)).names():
            version += 1
    return version


def champion(lake: str, name: str) -> Model | None:
    """Give the present champion of a name; None where there never was one. Raises ModelError when it is damaged."""
    found = [row for row in rows(lake) if row["name"] == name and row["champion"]]
    return _model(lake, found[-1]) if found else None


def only_champion(lake: str) -> Model:
    """Give the champion of a lake. Raises ModelError when there is none, or one each of several names."""
    trained = rows(lake)
    champions = {row["name"]: row for row in trained if row["champion"]}
    if not champions:
        best = next((row for row in reversed(trained) if fits(lake, row)), None)
        raise ModelError(
            f"The lake in {lake} has no champion: {_so_many(len(trained))} trained in it"
            f"{', and none was better than what there was' if trained else ''}.",
            f"Train one: coinbase_insights train {lake}"
            if best is None
            else f"Name one nevertheless: --model {folder_of(lake, best['name'], best['version'])}",
        )
    if len(champions) > 1:
        folders = [folder_of(lake, row["name"], row["version"]) for row in champions.values()]
        raise ModelError(f"The lake in {lake} has {len(folders)} champions.", f"Name one: --model {folders[0]}")
    (row,) = champions.values()
    return _model(lake, row)


def _so_many(models: int) -> str:
    return "no model was" if not models else "1 model was" if models == 1 else f"{models} models were"


def _model(lake: str, row: Row) -> Model:
    where = folder_of(lake, row["name"], row["version"])
    model = stored_model(where)
    if model.digest != row["digest"]:
        raise ModelError(
            f"The model in {where} is not the one that was trained: the table `models` knows another digest.",
            f"Train anew: coinbase_insights train {lake} --name {row['name']}",
        )
    return model


def stored_model(where: str) -> Model:
    """Read the model of a folder, on a disk or in an object store. Raises ModelError."""
    if "://" not in where or where.startswith("file://"):
        return open_model(Path(where.removeprefix("file://")))
    files = place(where)
    with reaching(where):
        names = files.tree()
        if MODEL not in names:
            raise ModelError(f"There is no model in {where}.", "Train one: coinbase_insights train LAKE")
        return read_model(where, names, files.read)


def folder_of(lake: str, name: str, version: int) -> str:
    """Give the address of a model's folder."""
    return f"{lake.rstrip('/')}/{path_of(name, version)}"


def register(
    lake: str, untaught: Model, trained: Trained, compared_with: Model | None = None
) -> tuple[Card, dict[str, bytes]]:
    """Write the model's folder, then its row; give its card and its files.

    Raises LockedError when another process has trained meanwhile: this very version, or another champion than that
    which it was compared with; and else as `Delta.land`.
    """
    text = model_json(untaught._replace(learned=trained.learned))
    model = untaught._replace(learned=trained.learned, digest=digest_of(text))
    now = time.time_ns() // 1000
    card = card_of(
        model,
        trained_at=_text(now),
        times=(_text(trained.first_time), _text(trained.cut), _text(trained.last_time)),
        rows=(trained.rows, trained.held_out_rows),
        scores=trained.scores,
        verdict=verdict(trained.scores),
    )
    files = model_files(text, card)
    table = Delta(lake, MODELS, create=True)
    if champion(lake, card.name) != compared_with:
        raise LockedError(f"{card.name} has got another champion meanwhile, by another process.", "Train once more.")
    with reaching(lake):
        try:
            write_files(folder_of(lake, card.name, card.version), files)
        except FileExistsError as error:
            raise LockedError(f"{model.name} was trained by another process meanwhile.", "Train once more.") from error
    table.land(MODELS.name, table.landed(MODELS.name), [as_table([_row(model, trained, card, now)])])
    return card, files


def write_files(where: str, files: Mapping[str, bytes]) -> None:
    """Write a model's folder; without its card, which comes last, it is none.

    Raises FileExistsError where there is a model already, and has written nothing then.
    """
    folder = place(where)
    folder.create(MODEL, files[MODEL])
    for name, data in files.items():
        if name != MODEL:
            folder.write(name, data)


def _text(time_us: int) -> str:
    return datetime.fromtimestamp(time_us / 1e6, UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def _row(model: Model, trained: Trained, card: Card, now: int) -> Row:
    (score,) = (each for each in trained.scores if (each.product_id, each.against) == (ALL, LAST))
    return {
        "name": card.name,
        "version": card.version,
        "trained_at": now,
        "forecaster": model.forecaster,
        **model.parameters._asdict(),
        "products": ",".join(card.products),
        "first_time": trained.first_time,
        "cut": trained.cut,
        "last_time": trained.last_time,
        "rows": trained.rows,
        **_scored(score),
        "champion": card.champion,
        "reason": card.reason,
        "digest": card.digest,
        "code_version": card.code_version,
    }


def _scored(score: Standing) -> Row:
    return {
        "scored": score.scored,
        "error_bp": score.error_bp,
        "error_of_last_bp": score.error_against_bp,
        "skill": score.skill,
        "p_value": score.p_value,
        "band_hit_rate": score.band_hit_rate,
    }
