"""footcli: assisted diagnosis of foot and ankle disease from weight-bearing cone-beam CT.

Research use only. The public names are imported at their first use: `footcli --help` stays light.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from footcli.domain import CaseRef, CaseResult, Volume
    from footcli.errors import CaseError, FootcliError, SetupError, TruthError
    from footcli.read import read_case
    from footcli.run.pipeline import Foot, analyze_case
    from footcli.run.setup import Models, Options, load_models
    from footcli.walk.tree import find_cases

__version__ = "0.4.0"
__all__ = [
    "CaseError",
    "CaseRef",
    "CaseResult",
    "Foot",
    "FootcliError",
    "Models",
    "Options",
    "SetupError",
    "TruthError",
    "Volume",
    "__version__",
    "analyze_case",
    "find_cases",
    "load_models",
    "read_case",
]
_HOME = {
    "domain": ("CaseRef", "CaseResult", "Volume"),
    "errors": ("CaseError", "FootcliError", "SetupError", "TruthError"),
    "read": ("read_case",),
    "run.pipeline": ("Foot", "analyze_case"),
    "run.setup": ("Models", "Options", "load_models"),
    "walk.tree": ("find_cases",),
}


def __getattr__(name: str) -> object:
    for module, names in _HOME.items():
        if name in names:
            return getattr(import_module(f"footcli.{module}"), name)
    raise AttributeError(f"module 'footcli' has no attribute {name!r}")
