"""What compose.yaml says, as a container engine would read it: each service with its words, variables and volumes."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import yaml

ROOT = Path(__file__).parents[1]
GIVEN = {"POSTGRES_PASSWORD": "a-password", "COINBASE_INSIGHTS_TOKEN": "a-token-of-many-letters"}
"""What .env says; where it says nothing, no service starts."""
VARIABLE = re.compile(r"\$(?:(\$)|\{(\w+)(?:(:-|:\?)([^}]*))?\})")


class Service(NamedTuple):
    """One service, with all that is said of it."""

    name: str
    words: list[str]
    """Behind the image's entrypoint, or behind its own."""
    variables: dict[str, str]
    said: Mapping[str, Any]

    @property
    def is_ours(self) -> bool:
        """Whether it runs our image."""
        return str(self.said["image"]) == "coinbase_insights"

    @property
    def is_command(self) -> bool:
        """Whether its words are a command line of ours."""
        return self.is_ours and "entrypoint" not in self.said

    @property
    def once(self) -> list[str]:
        """Its words, without those for a command that does its work again and again."""
        return [word for word in self.words if not word.startswith(("--every=", "--health-port="))]


def filled(text: str, given: Mapping[str, str]) -> str:
    """Put variables in. Raises KeyError for one that must be given."""

    def value(found: re.Match[str]) -> str:
        if found[1]:
            return "$"
        return given[found[2]] if found[3] != ":-" else given.get(found[2], found[4])

    return VARIABLE.sub(value, text)


def _filled(value: Any, given: Mapping[str, str]) -> Any:
    if isinstance(value, dict):
        return {name: _filled(inner, given) for name, inner in value.items()}
    if isinstance(value, list):
        return [_filled(inner, given) for inner in value]
    return filled(value, given) if isinstance(value, str) else value


def composed(given: Mapping[str, str] = GIVEN) -> dict[str, Any]:
    """Give the whole file, with its variables put in."""
    whole: dict[str, Any] = _filled(yaml.safe_load((ROOT / "compose.yaml").read_text()), given)
    return whole


def services(given: Mapping[str, str] = GIVEN) -> dict[str, Service]:
    """Give the services by their names."""
    return {
        name: Service(name, said.get("command", []), said.get("environment", {}), said)
        for name, said in composed(given)["services"].items()
    }
