"""Passwords that libpq is given beside the address, as its own documentation says where they are."""

from pathlib import Path

import pytest

from coinbase_insights.warehouse.address import Address, Login
from coinbase_insights.warehouse.passwords import is_given

LOGIN = Login("wh.postgres.database.azure.com", "5432", "market", "me@desk.example")


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("PGPASSWORD", "PGPASSFILE"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


@pytest.mark.parametrize(
    ("line", "is_found"),
    [
        ("wh.postgres.database.azure.com:5432:market:me@desk.example:secret", True),
        ("*:*:*:*:secret", True),
        (r"*:*:*:me@desk.example:se\:cret", True),
        (r"*:*:mar\ket:*:secret", True),
        (r"*:*:mar\:ket:*:secret", False),
        ("db.example:*:*:*:secret", False),
        ("*:5433:*:*:secret", False),
        ("*:*:*:you:secret", False),
        ("*:*:*", False),
        ("#*:*:*:*:secret", False),
        ("", False),
    ],
)
def test_a_file_gives_a_password_to_the_logins_that_it_names(line: str, is_found: bool, home: Path) -> None:
    file = home / ".pgpass"
    file.write_text(f"# mine\nother:1:x:y:z\n{line}\n")
    file.chmod(0o600)

    assert is_given(LOGIN) is is_found


def test_the_environment_gives_a_password_or_names_its_file(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = home / "passwords"
    file.write_text("*:*:*:*:secret")
    file.chmod(0o600)
    nothing = is_given(LOGIN)
    monkeypatch.setenv("PGPASSFILE", str(file))
    by_file = is_given(LOGIN)
    file.chmod(0o644)
    readable_by_others = is_given(LOGIN)
    monkeypatch.setenv("PGPASSWORD", "secret")

    assert (nothing, by_file, readable_by_others, is_given(LOGIN)) == (False, True, False, True)


def test_the_login_is_read_out_of_the_address() -> None:
    address = "postgresql://me%40desk.example@wh.postgres.database.azure.com/market"

    assert Address.parse(address).login == LOGIN
    assert Address.parse(address.replace(".com", ".com:6432")).login.port == "6432"
