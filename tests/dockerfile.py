"""The Dockerfile without a container engine: its commands run in a clean folder, and what they make runs by itself."""

import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from fnmatch import fnmatch
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[1]
OWN = re.compile(r"(?<![\w/.])/(?=(?:source|build|opt|wheels|data)\b)")
"""Where an absolute path begins that is the image's own; all others are the system's."""
USER = "65532"
CONTAINED = """
mount --bind "$0" "$0"
mount -o remount,bind,ro /
awk '$2 != "/" && $2 !~ "^/(proc|sys|dev)(/|$)" {print $2}' /proc/self/mounts | while read -r point; do
    [ "$point" = "$0" ] || mount -o remount,bind,ro "$point" || exit 1
done
mount -o remount,bind,ro /dev/shm || true
cd "$0"
exec setpriv --reuid=USER --regid=USER --clear-groups --no-new-privs --inh-caps=-all --bounding-set=-all -- "$@"
""".replace("USER", USER)
"""A read-only system, where only the folder $0 is written, and then a process without any right."""


class Line(NamedTuple):
    """An instruction of a Dockerfile."""

    word: str
    text: str


def lines_of(text: str) -> list[Line]:
    """Read instructions; comments go, and lines that end with a backslash go on."""
    kept = "\n".join(line for line in text.splitlines() if not line.startswith("#"))
    whole = re.sub(r"\\\n\s*", "", kept)
    return [Line(*line.split(" ", 1)) for line in whole.splitlines() if line]


def is_ignored(name: str, patterns: list[str]) -> bool:
    """Tell whether .dockerignore keeps a file away: the last pattern that fits it, or a folder around it, decides."""
    around = [name, *map(str, Path(name).parents)]
    is_so = False
    for pattern in patterns:
        wanted = pattern.removeprefix("!")
        if any(fnmatch(each, wanted) or fnmatch(f"x/{each}", wanted.replace("**", "*")) for each in around):
            is_so = not pattern.startswith("!")
    return is_so


def base_python() -> Path:
    """Give the Python that stands for the base image's: ours, or the system's where ours is at somebody's home."""
    name = f"bin/python{sys.version_info[0]}.{sys.version_info[1]}"
    for prefix in (Path(sys.base_prefix), Path("/usr")):
        if (prefix / name).exists() and all(each.stat().st_mode & 0o001 for each in (prefix, *prefix.parents)):
            return prefix / name
    raise AssertionError(f"{name} is nowhere where everybody may run it: on Debian, sudo apt-get install python3-venv")


def context() -> list[str]:
    """Give the files that an engine would be sent: what git knows or would add, but for what .dockerignore names."""
    listed = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(listed, cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()
    ignored = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if not line.startswith("#")]
    return [name for name in names if (ROOT / name).exists() and not is_ignored(name, ignored)]


class Image:
    """What a Dockerfile makes, in a folder that stands for `/`."""

    def __init__(self, folder: Path) -> None:
        """Run every instruction, in its order; the folder must be one that everybody may enter."""
        self.root, self._built = folder / "root", dict[str, Path]()
        self.environment = {"PATH": f"{folder}/bin:/usr/local/bin:/usr/bin:/bin"}
        self.user, self.entrypoint, self.command = "0", list[str](), list[str]()
        self._folder, self._stage, self._at = folder, "", Path("/")
        (folder / "bin").mkdir()
        (folder / "bin/python").write_text(f'#!/bin/sh\nexec {base_python()} "$@"\n')
        (folder / "bin/python").chmod(0o755)
        self.context = context()
        for line in lines_of((ROOT / "Dockerfile").read_text()):
            getattr(self, f"_{line.word.lower()}", self._nothing)(line.text)

    def _nothing(self, _: str) -> None:
        """LABEL and STOPSIGNAL change no file."""

    def _inside(self, path: str) -> Path:
        return self.root / str(self._at / path).lstrip("/")

    def _placed(self, text: str) -> str:
        """Put the image's own paths into its folder."""
        return OWN.sub(f"{self.root}/", text)

    def _from(self, text: str) -> None:
        if self.root.exists():
            self.root.rename(self._folder / "before")
            self._built[self._stage] = self._folder / "before"
        self._stage = text.partition(" AS ")[2]
        self.root.mkdir()
        self._at = Path("/")

    def _workdir(self, text: str) -> None:
        self._at = Path(text)
        self._inside("").mkdir(parents=True, exist_ok=True)

    def _copy(self, text: str) -> None:
        *sources, target = text.split()
        if sources[0].startswith("--from="):
            built = self._built[sources[0].removeprefix("--from=")]
            shutil.copytree(built / sources[1].lstrip("/"), self._inside(target), symlinks=True)
            return
        for source in sources:
            for name in self.context:
                if name == source or name.startswith(f"{source}/"):
                    is_into = target.endswith("/") and name == source
                    path = self._inside(target) / (Path(name).name if is_into else Path(name).relative_to(source))
                    path.parent.mkdir(parents=True, exist_ok=True)
                    shutil.copyfile(ROOT / name, path)

    def _run(self, text: str) -> None:
        owner = f"{USER}:{USER}" if os.geteuid() == 0 else f"{os.geteuid()}:{os.getegid()}"
        written = self._placed(text).replace(f"{USER}:{USER}", owner)
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "VIRTUAL"))}
        done = subprocess.run(
            ["/bin/sh", "-c", written],
            cwd=self._inside(""),
            env=kept | self.environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"RUN {written}\n{done.stderr[-3000:]}"

    def _env(self, text: str) -> None:
        for word in shlex.split(self._placed(text)):
            name, _, value = word.partition("=")
            self.environment[name] = value.replace("$PATH", self.environment["PATH"])

    def _user(self, text: str) -> None:
        self.user = text

    def _entrypoint(self, text: str) -> None:
        self.entrypoint = json.loads(text)

    def _cmd(self, text: str) -> None:
        self.command = json.loads(text)

    @contextmanager
    def started(self, *words: str, **variables: str) -> Iterator["Contained"]:
        """Run a process of this image, as near to a container as can be, as long as the context lasts."""
        process = Contained(self, [*self.entrypoint, *(words or self.command)], variables)
        try:
            yield process
        finally:
            if process.outer.poll() is None:
                process.signal(signal.SIGKILL)
            process.end()

    def done(self, *words: str, **variables: str) -> tuple[int, str, str]:
        """Run a process to its end; give its exit code, and what it has said on both streams."""
        with self.started(*words, **variables) as process:
            return process.end()


def contains() -> bool:
    """Tell whether this machine lets us have a system of our own that is read-only."""
    return (
        subprocess.run(["unshare", "--mount", "--pid", "--fork", "true"], capture_output=True, check=False).returncode
        == 0
    )


class Contained:
    """A process of an image: nobody's, number 1 of its own, on a system that only its data folder lets it write."""

    def __init__(self, image: Image, words: list[str], variables: Mapping[str, str]) -> None:
        """Start it."""
        data = image.root / "data"
        self._is_contained = contains()
        if self._is_contained:
            shell = ["/bin/sh", "-ec", CONTAINED, str(data)]
            words = ["unshare", "--mount", "--pid", "--fork", "--mount-proc", *shell, *words]
        pipe = subprocess.PIPE
        environment = image.environment | dict(variables)
        self.outer = subprocess.Popen(words, cwd=data, env=environment, stdout=pipe, stderr=pipe, text=True)
        self._said: tuple[str, str] | None = None

    def signal(self, number: int) -> None:
        """Send a signal to the process itself."""
        outer = self.outer.pid
        inner = Path(f"/proc/{outer}/task/{outer}/children").read_text().split() if self._is_contained else [str(outer)]
        os.kill(int(inner[0]), number)

    def says(self, words: str) -> str:
        """Wait for a line on stderr with these words in it."""
        assert self.outer.stderr is not None
        return next(line for line in self.outer.stderr if words in line)

    def end(self) -> tuple[int, str, str]:
        """Wait for its end; give its exit code, and what it has said on both streams."""
        self._said = self._said or self.outer.communicate(timeout=120)
        return self.outer.returncode, *self._said
