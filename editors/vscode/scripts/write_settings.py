"""Write the server's settings into the extension's manifest, from the schema that the server gives.

``python write_settings.py MIDFILL`` asks that program; nothing else knows what the settings are.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

MANIFEST = Path(__file__).resolve().parent.parent / "package.json"
OWN = "midfill.server."
"""Settings of the extension itself."""

OF_THE_MACHINE = ("model", "endpoint", "endpointTokenFile")
"""May be a path, or say what is run and where."""

ENUM_DESCRIPTIONS = {
    "mode": [
        "Whatever is likely enough.",
        "A line at a time, and only what is rather right than wrong.",
        "Only what is asked for by hand.",
    ],
    "multiline": [
        "A block where one has no body yet, else a statement.",
        "Never more than a line.",
        "As many lines as belong together.",
    ],
}


def settings(schema: dict[str, Any]) -> dict[str, Any]:
    """The ``midfill.*`` settings as a manifest declares them.

    Those that a folder may set can be set in a workspace; all others only by the user, whatever a
    workspace's own settings say.

    Args:
        schema: what ``midfill settings --schema editor`` prints.
    """
    properties = schema["properties"]
    of_a_folder = {*properties["languages"]["additionalProperties"]["properties"], "languages"}
    declared = {}
    for order, (name, rule) in enumerate(properties.items()):
        what = dict(rule)
        about = what.pop("description")
        scope = "resource" if name in of_a_folder else "application"
        scope = "machine" if name in OF_THE_MACHINE else scope
        declared[f"midfill.{name}"] = {
            **_with_types(what),
            "scope": scope,
            "order": order,
            "markdownDescription": about,
        }
        if name in ENUM_DESCRIPTIONS:
            declared[f"midfill.{name}"]["enumDescriptions"] = ENUM_DESCRIPTIONS[name]
    declared["midfill.languages"]["default"] = {}
    return declared


def _with_types(rule: dict[str, Any]) -> dict[str, Any]:
    """The rule with types where the schema goes without, so that the settings page has a field."""
    if "enum" in rule:
        return {"type": "string", **rule}
    if "anyOf" in rule:
        constants = [
            {"type": "string", "enum": [one["const"]]} for one in rule["anyOf"] if "const" in one
        ]
        return {**rule, "anyOf": constants + [one for one in rule["anyOf"] if "const" not in one]}
    return rule


def written(manifest: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    """The manifest with these settings; the extension's own stay as they are."""
    [ours, theirs] = manifest["contributes"]["configuration"]
    own = {name: rule for name, rule in theirs["properties"].items() if name.startswith(OWN)}
    configuration = [
        {**ours, "properties": settings(schema)},
        {**theirs, "properties": own},
    ]
    return {**manifest, "contributes": {**manifest["contributes"], "configuration": configuration}}


def main() -> None:
    [midfill] = sys.argv[1:]
    asked = [midfill, "settings", "--schema", "editor"]
    schema = json.loads(subprocess.run(asked, check=True, capture_output=True, text=True).stdout)
    manifest = written(json.loads(MANIFEST.read_text()), schema)
    MANIFEST.write_text(json.dumps(manifest, indent=2, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
