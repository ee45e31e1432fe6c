"""A model: a forecaster, how it is set, and what it has learned of each product. Values; nothing here reads a file."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

from .state import COUNT, DEFAULTS, FIRST_TIME, Learned, Parameters, State, new_state

NOTHING: Mapping[str, Learned] = MappingProxyType({})


class Model(NamedTuple):
    """What a product's forecaster begins with."""

    name: str
    """NAME/VERSION; the name of the forecaster alone where nothing was trained."""
    forecaster: str
    parameters: Parameters = DEFAULTS
    learned: Mapping[str, Learned] = NOTHING
    """By product."""
    digest: str = ""
    """SHA-256 of its coefficients as they were written; empty where nothing was trained."""

    def new_state(self, product_id: str, decimals: int = 0) -> State:
        """Make the memory of a product that begins with this model."""
        return new_state(self.forecaster, decimals, self.parameters, self.learned.get(product_id))

    def is_late(self, product_id: str, first_time: int) -> bool:
        """Whether a history that begins then gets nothing of what was learned: it was learned of that very time."""
        learned = self.learned.get(product_id)
        return learned is not None and first_time <= learned.until

    def is_late_for(self, product_id: str, state: State) -> bool:
        """The same for a product that is being folded."""
        return state.whole[COUNT] > 0 and self.is_late(product_id, state.whole[FIRST_TIME])


def untrained(forecaster: str) -> Model:
    """Give a forecaster that has learned nothing, with the usual parameters."""
    return Model(forecaster, forecaster)
