"""Who we are to Azure: a token of Microsoft Entra in the place of a password.

In the cloud it is that of the managed identity, which AZURE_CLIENT_ID chooses where there are several; on a desk that
of `az login`. Library: azure-identity (learn.microsoft.com/python/api/overview/azure/identity-readme).
"""

import logging
from functools import cache
from typing import TYPE_CHECKING, NamedTuple

from .errors import StorageError, UsageError

if TYPE_CHECKING:
    from azure.identity import DefaultAzureCredential


class Token(NamedTuple):
    """What proves who we are, for a while."""

    text: str
    """Nobody else may see it."""
    expires_at: float
    """Seconds since 1970."""


def token(scope: str) -> Token:
    """Give a token for a service of Azure, such as `https://NAMESPACE.servicebus.windows.net/.default`.

    Raises StorageError when nobody says who we are, and UsageError when the library is not installed.
    """
    try:
        from azure.core.exceptions import AzureError

        credential = _credential()
    except ImportError as error:
        raise UsageError(
            f"To sign in to Azure needs more than the core: {error.name} is not installed.",
            "In a clone of the repository: pip install '.[azure]'",
        ) from error
    try:
        found = credential.get_token(scope)
    except AzureError as error:
        raise StorageError(
            f"Azure does not say who we are: {_reason(error.message)}",
            "On your machine: az login. In Azure: give the app a managed identity, and AZURE_CLIENT_ID its client id.",
        ) from error
    return Token(found.token, float(found.expires_on))


@cache
def _credential() -> "DefaultAzureCredential":
    from azure.identity import DefaultAzureCredential

    logging.getLogger("azure").setLevel(logging.CRITICAL)  # It says the same as the error, in forty lines.
    return DefaultAzureCredential()


def _reason(text: str) -> str:
    """Give what the managed identity or the command line said, which comes after what was tried in vain."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    said = [
        line.partition(": ")[2]
        for line in lines
        if line.startswith(("ManagedIdentityCredential", "AzureCliCredential"))
    ]
    return (" ".join(said) or lines[0])[:400]
