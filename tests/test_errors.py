"""Every way to fail, and what the process ends with."""

import pytest

from coinbase_insights import errors
from coinbase_insights.errors import InsightsError

EXIT_CODES = {
    "InsightsError": 1, "UsageError": 2, "UnknownProductError": 2, "RefusedError": 1, "UnreachableError": 1,
    "RecordingError": 2, "ModelError": 2, "StorageError": 4, "NoTableError": 4, "DamagedError": 4, "LockedError": 5,
}  # fmt: skip


def test_every_error_has_its_exit_code() -> None:
    classes = {name: value for name, value in vars(errors).items() if isinstance(value, type)}
    codes = {name: value.exit_code for name, value in classes.items() if issubclass(value, InsightsError)}
    assert codes == EXIT_CODES
    assert codes.keys() == classes.keys()


@pytest.mark.parametrize("name", EXIT_CODES)
def test_an_error_says_what_happened_and_what_to_type_next(name: str) -> None:
    error = getattr(errors, name)("It rains.", "Take an umbrella.")
    assert (error.message, error.hint, str(error)) == ("It rains.", "Take an umbrella.", "It rains.")
    assert getattr(errors, name)("It rains.").hint == ""
