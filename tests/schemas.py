"""The published schemas, for the tests that hold written files against them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

FOLDER = Path(__file__).resolve().parents[1] / "footcli" / "store" / "schemas"


def validator(name: str) -> Any:
    """A validator of `result`, `run`, `journal` or `signoff`; references between them resolved."""
    jsonschema = pytest.importorskip("jsonschema", reason="jsonschema (extra dev) is not installed")
    referencing = pytest.importorskip("referencing")
    contents = {path.name: json.loads(path.read_text("utf-8")) for path in FOLDER.glob("*.json")}
    found = [(key, referencing.Resource.from_contents(value)) for key, value in contents.items()]
    schema = contents[f"{name}.schema.json"]
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(
        schema, registry=referencing.Registry().with_resources(found)
    )


def faults(name: str, data: Any) -> list[str]:
    """What in some data does not follow a schema."""
    return [f"{e.json_path}: {e.message}" for e in validator(name).iter_errors(data)]
