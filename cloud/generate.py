"""Write the notebooks of Fabric from those in spark/: its git integration keeps a notebook as a text of its own.

generate.py [--check]       with --check it writes nothing, and fails when a text is not up to date
"""

import json
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
KERNEL = {"kernel_info": {"name": "synapse_pyspark"}, "dependencies": {}}
LANGUAGE = {"language": "python", "language_group": "synapse_pyspark"}
STARS = " " + "*" * 20


def main() -> None:
    """Bring each notebook up to date, or look whether it is."""
    stale = []
    for name in ("build", "publish"):
        path = ROOT / "cloud" / "fabric" / f"coinbase_insights_{name}.Notebook" / "notebook-content.py"
        text = as_fabric_keeps_it(json.loads((ROOT / "spark" / f"{name}.ipynb").read_text()))
        if not path.exists() or path.read_text() != text:
            stale.append(path.relative_to(ROOT))
            if "--check" not in sys.argv:
                path.write_text(text)
    if stale and "--check" in sys.argv:
        sys.exit(f"error: {', '.join(map(str, stale))}: not up to date\nhint: make docs")


def as_fabric_keeps_it(notebook: dict[str, Any]) -> str:
    """Give a notebook as Fabric's git integration writes it."""
    return "\n\n".join(["# Fabric notebook source", _metadata(KERNEL), *map(_cell, notebook["cells"])]) + "\n"


def _cell(cell: dict[str, Any]) -> str:
    source = "".join(cell["source"])
    if cell["cell_type"] == "markdown":
        return f"# MARKDOWN{STARS}\n\n" + "\n".join(f"# {line}".rstrip() for line in source.splitlines())
    kind = "PARAMETERS CELL" if "parameters" in cell["metadata"].get("tags", []) else "CELL"
    return f"# {kind}{STARS}\n\n{source}\n\n{_metadata(LANGUAGE)}"


def _metadata(value: dict[str, Any]) -> str:
    lines = json.dumps(value, indent=2).splitlines()
    return f"# METADATA{STARS}\n\n" + "\n".join(f"# META {line}" for line in lines)


if __name__ == "__main__":
    main()
