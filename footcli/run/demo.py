"""The demo's case: one synthetic subject, drawn at the start and removed afterwards."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from footcli.domain import CaseRef
from footcli.phantom.disease import draw_subject
from footcli.phantom.scanner import scan
from footcli.phantom.seeds import DEMO_SEED
from footcli.phantom.write import write_case
from footcli.walk.tree import find_cases

DEMO_DISEASE = "flat_foot"
DEMO_SPACING_MM = 0.8
DEMO_ID = "demo"


@contextmanager
def demo_cases(say: Callable[[str], None]) -> Iterator[tuple[CaseRef, ...]]:
    """Draw the demo subject as DICOM in a temporary folder, for the length of a with-block."""
    with tempfile.TemporaryDirectory(prefix="footcli-demo-") as folder:
        say("drawing a synthetic flat foot")
        write_case(
            Path(folder),
            scan(draw_subject(DEMO_SEED, DEMO_DISEASE), DEMO_SPACING_MM, DEMO_SEED),
            DEMO_SEED,
        )
        # an id that no case of a data set has, so that the demo never replaces one
        yield tuple(replace(ref, case_id=DEMO_ID) for ref in find_cases(Path(folder)))
