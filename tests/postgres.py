"""A PostgreSQL that tests start, stop and start again."""

import os
import shutil
import signal
import socket
import subprocess
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import adbc_driver_postgresql.dbapi as adbc

FOLDERS = sorted(Path("/usr/lib/postgresql").glob("*/bin"))
ACCESS = """
host all guarded 127.0.0.1/32 scram-sha-256
host all all 127.0.0.1/32 trust
"""


class Server:
    """One PostgreSQL, that can be stopped and started again; as root may not run it, it has a user of its own."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._user: dict[str, Any] = (
            {"user": "postgres", "group": "postgres", "extra_groups": []} if os.geteuid() == 0 else {}
        )
        if self._user:
            shutil.chown(folder, "postgres", "postgres")
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = int(probe.getsockname()[1])
        self._do("initdb", "--auth=trust", "--username=postgres", "--encoding=UTF8", "--no-locale", "--no-sync")
        (folder / "data/pg_hba.conf").write_text(ACCESS)

    def _do(self, program: str, *words: str) -> None:
        typed = [str(FOLDERS[-1] / program), "--pgdata", str(self._folder / "data"), *words]
        done = subprocess.run(typed, capture_output=True, text=True, check=False, cwd=self._folder, **self._user)
        log = self._folder / "log"
        assert done.returncode == 0, done.stderr + (log.read_text()[-2000:] if log.exists() else "")

    def start(self) -> None:
        options = f"-p {self.port} -c listen_addresses=127.0.0.1 -c unix_socket_directories=''"
        self._do("pg_ctl", "start", "--wait", "--log", str(self._folder / "log"), "--options", options)

    def stop(self) -> None:
        """As if it had crashed: nothing is brought in order."""
        self._do("pg_ctl", "stop", "--wait", "--mode", "immediate")

    def kill(self) -> None:
        """As if the power had gone: no process of it is left, nor its number, which a new start would stumble over."""
        number = self._folder / "data/postmaster.pid"
        first = int(number.read_text().split()[0])
        os.kill(first, signal.SIGSTOP)  # It makes no new one meanwhile.
        every = [first, *map(int, Path(f"/proc/{first}/task/{first}/children").read_text().split())]
        for each in every:
            with suppress(ProcessLookupError):
                os.kill(each, signal.SIGKILL)
        deadline = time.monotonic() + 20
        while any(map(_lives, every)):
            assert time.monotonic() < deadline
            time.sleep(0.01)
        number.unlink()  # The number is taken as long as nobody has asked after the dead.

    def address(self, database: str, user: str = "postgres") -> str:
        return f"postgresql://{user}@127.0.0.1:{self.port}/{database}"


def _lives(process: int) -> bool:
    """Whether it still holds what it has; a dead one that nobody has asked after does not."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def run_at(address: str, statement: str) -> None:
    with adbc.connect(address, autocommit=True) as connection, connection.cursor() as cursor:
        cursor.execute(statement)
