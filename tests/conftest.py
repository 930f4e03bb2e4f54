"""What all tests share: slow ones come last, and a stand-in for the analysis."""

from __future__ import annotations

import pytest
from analyst import Analyst, install


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Slow tests last, so that the first answers are there at once."""
    items.sort(key=lambda item: item.get_closest_marker("slow") is not None)


@pytest.fixture
def analyst(monkeypatch: pytest.MonkeyPatch) -> Analyst:
    """Stands for reading and analysis in `footcli analyze`."""
    return install(monkeypatch)
