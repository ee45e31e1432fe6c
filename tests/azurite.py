"""An object store that tests start, kill and start again."""

import os
import re
import socket
import subprocess
import sys
import time
from pathlib import Path

from composed import services

ROOT = Path(__file__).parents[1]
PROGRAM = ROOT / ".components/azurite/node_modules/.bin/azurite-blob"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Azurite:
    """One Azurite, with what it keeps on the disk; `variables` are what its users must have in their environment."""

    def __init__(self, folder: Path, container: str = "lake") -> None:
        self.port, self._folder = free_port(), folder
        self.variables = services()["container"].variables | {
            "AZURITE_BLOB_STORAGE_URL": f"http://127.0.0.1:{self.port}"
        }
        self.start()
        made = [sys.executable, str(ROOT / "compose/make_container.py"), container]
        subprocess.run(made, check=True, env=os.environ | self.variables)

    def start(self) -> None:
        places = ["--location", str(self._folder), "--blobPort", str(self.port)]
        command = [str(PROGRAM), *places, "--silent", "--skipApiVersionCheck"]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + 30
        while not self._listens():
            assert time.monotonic() < deadline
            time.sleep(0.1)

    def _listens(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def has_kept(self, name: str) -> bool:
        """Tell whether a blob would outlive a crash: Azurite writes its lists, of blobs and of data, now and then."""
        blobs, data = ((self._folder / f"__azurite_db_{each}__.json").read_text() for each in ("blob", "blob_extent"))
        used = set(re.findall(r'"persistency":\{"id":"([^"]+)"', blobs))
        return f'/{name}"' in blobs and all(each in data for each in used)

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()
