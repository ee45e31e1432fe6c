"""Read the files of cloud/synapse with Azure Synapse's own library: FOLDER. Prints each word that it does not know."""

import json
import sys
from pathlib import Path
from typing import Any

from azure.synapse.artifacts.models import PipelineResource, TriggerResource


def unknown(value: Any) -> list[str]:
    """Words that were read into no field of their own, and values of no type that it knows."""
    if isinstance(value, list):
        return [each for item in value for each in unknown(item)]
    if isinstance(value, dict):
        return unknown(list(value.values()))
    if not hasattr(value, "_attribute_map"):
        return []
    kind = type(value).__name__
    found = [f"{kind}: {word}" for word in getattr(value, "additional_properties", None) or {}]
    found += [f"{kind}: {value.type}"] if kind in ("Activity", "Trigger") else []
    lacking = [
        name for name, rule in value._validation.items() if rule.get("required") and getattr(value, name) is None
    ]
    found += [f"{kind} without {name}" for name in lacking]
    return found + unknown([getattr(value, name) for name in value._attribute_map if name != "additional_properties"])


def lost(words: Any, kept: Any, where: str = "") -> list[str]:
    """Words that it does not write again."""
    if not isinstance(words, dict | list) or not isinstance(kept, type(words)):
        return [] if words == kept else [f"{where} is lost"]
    names = words if isinstance(words, dict) else range(min(len(words), len(kept)))
    has = kept.get if isinstance(kept, dict) else kept.__getitem__
    return [each for name in names for each in lost(words[name], has(name), f"{where}/{name}")]


for name, resource in (("pipeline", PipelineResource), ("trigger", TriggerResource)):
    words = json.loads((Path(sys.argv[1]) / f"{name}.json").read_text())
    read = resource.from_dict(words)
    print(
        *unknown(read), *lost(words["properties"], read.serialize(keep_readonly=True)["properties"]), sep="\n", end=""
    )
