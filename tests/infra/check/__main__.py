"""The command: read every file, print what is wrong."""

import sys
from pathlib import Path

import yaml

from .rules import findings, parameters, services
from .source import Source, literal, member, read


def main() -> int:
    """Check the folder that is named, and azure.yaml beside it."""
    folder = Path(sys.argv[1])
    sources = {path: read(path) for path in sorted(folder.rglob("*.bicep"))}
    main_file, given, azure = folder / "main.bicep", folder / "main.parameters.json", folder.parent / "azure.yaml"
    lines = [f"{path}:{at}: {text}" for path, source in sources.items() for at, text in findings(source)]
    lines += [f"{given}:{at}: {text}" for at, text in parameters(sources[main_file], given)]
    told = yaml.safe_load(azure.read_text())
    lines += [f"{azure}:{at}: {text}" for at, text in services(told, azure.parent, _apps(sources))]
    called = {path.parent / each.declared for path, source in sources.items() for each in source.of("module").values()}
    for path in sorted(set(sources) - {each.parent.resolve() / each.name for each in called} - called - {main_file}):
        lines.append(f"{path}:1: no module calls this file")
    print("\n".join(dict.fromkeys(lines)), end="\n" if lines else "")
    return 1 if lines else 0


def _apps(sources: dict[Path, Source]) -> set[str]:
    """Give the services that apps are made for: `service` of each module app.bicep."""
    bodies = [
        each.value
        for source in sources.values()
        for each in source.of("module").values()
        if each.declared == "app.bicep" and each.value is not None
    ]
    params = [found for body in bodies if (found := member(body, "params")) is not None]
    named = [literal(value) for each in params if (value := member(each, "service")) is not None]
    return {each for each in named if each is not None}


if __name__ == "__main__":
    sys.exit(main())
