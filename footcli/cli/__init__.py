"""The command line: parse, call, print, exit. Results go to stdout, messages and progress to
stderr.
"""

from __future__ import annotations

import os
import sys

from footcli.cli import analyze, data, models, report
from footcli.cli.app import app
from footcli.cli.terminal import say

__all__ = ["analyze", "app", "data", "main", "models", "report", "say"]


def main() -> None:
    """The console script."""
    completing = "_FOOTCLI_COMPLETE" in os.environ  # the shell asks, without arguments
    if len(sys.argv) == 1 and not completing:
        app(["--help"], standalone_mode=False)
        raise SystemExit(2)
    app()
