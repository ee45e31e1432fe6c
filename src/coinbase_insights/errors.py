"""Every way this program can fail a person, each with an exit code and a hint.

Only `cli.main` prints these and exits; everything below raises them. Nothing here formats a traceback.
"""


class InsightsError(Exception):
    """What happened, with the value in it, and what to type next.

    `exit_code` is what the process ends with; `hint` is empty when there is nothing useful to type.
    """

    exit_code = 1

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class UsageError(InsightsError):
    """The command line asks for something that cannot be."""

    exit_code = 2


class UnknownProductError(InsightsError):
    """Coinbase does not know the product, or does not trade it now."""

    exit_code = 2


class RefusedError(InsightsError):
    """The feed answered the subscription with an error, or acknowledged another one."""

    exit_code = 1


class UnreachableError(InsightsError):
    """The feed did not come up in the time that we give it at the start."""

    exit_code = 1


class RecordingError(InsightsError):
    """A recording cannot be read, or cannot be written."""

    exit_code = 2


class ModelError(InsightsError):
    """A model cannot be used: there is none, it is damaged, or it holds what no model should."""

    exit_code = 2


class StorageError(InsightsError):
    """What must be kept cannot be: a folder, a disk or an object store does not take it, or is damaged."""

    exit_code = 4


class NoTableError(StorageError):
    """There is a lake, and this table of it was not made yet."""


class DamagedError(StorageError):
    """What was kept is not what it was."""


class LockedError(InsightsError):
    """Another process writes there."""

    exit_code = 5
