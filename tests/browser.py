"""A page opened in headless Chromium, for the tests of every page that footcli writes."""

from __future__ import annotations

import importlib.util
import re
import shutil
import subprocess
from pathlib import Path

import pytest

CHROMIUM = shutil.which("chromium") or shutil.which("/usr/bin/chromium")
needs_chromium = pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed")
needs_driver = pytest.mark.skipif(
    CHROMIUM is None or importlib.util.find_spec("playwright") is None,
    reason="chromium or playwright is not installed",
)


def axe_script() -> str:
    """axe-core, which checks a page for accessibility."""
    files = importlib.util.find_spec("axe_playwright_python")
    assert files is not None
    assert files.submodule_search_locations is not None
    return next(Path(files.submodule_search_locations[0]).rglob("axe.min.js")).read_text("utf-8")


def opened(page: Path) -> subprocess.CompletedProcess[str]:
    """The page's document on stdout once its script has run; console messages, marked CONSOLE, on
    stderr.
    """
    return _chromium(page, "--enable-logging=stderr", "--dump-dom")


def printed_pages(page: Path) -> int:
    """How many sheets the page takes on paper."""
    pdf = page.with_suffix(".pdf")
    _chromium(page, "--no-pdf-header-footer", f"--print-to-pdf={pdf}")
    return len(re.findall(rb"/Type\s*/Page\b", pdf.read_bytes()))


def _chromium(page: Path, *wanted: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [
            str(CHROMIUM),
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            f"--user-data-dir={page.parent / 'profile'}",
            *wanted,
            page.as_uri(),
        ],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
