"""Slices that do not continue each other, and what the words of a series say."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import ndimage

from footcli.errors import ReadError
from footcli.read.continuity import check_continuity
from footcli.read.words import load_in, side_in

HU = NDArray[np.int16]


def _bones(seed: int) -> HU:
    """A leg with smooth, slowly changing bones."""
    rng = np.random.default_rng(seed)
    field = ndimage.gaussian_filter(rng.normal(0, 1, (60, 64, 64)), (9, 5, 5), mode="nearest")
    hu = np.where(field > np.quantile(field, 0.75), 900.0, 30.0)
    hu = ndimage.gaussian_filter(hu, 1.0) + rng.normal(0, 20, hu.shape)
    return hu.astype(np.int16)


def _codes(hu: HU, axis: int = 0) -> list[str]:
    return [line.code for line in check_continuity(hu, axis)]


@pytest.mark.parametrize("seed", range(6))
def test_slices_of_one_scan_continue_each_other(seed: int) -> None:
    assert _codes(_bones(seed)) == []


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_two_halves_jump(axis: int) -> None:
    hu = _bones(1)
    hu[30:] = _bones(2)[30:]
    (line,) = check_continuity(np.moveaxis(hu, 0, axis), axis)
    assert (line.code, line.values["slice"]) == ("slices_jump", 30)


def test_a_foot_that_moves_jumps() -> None:
    hu = _bones(3)
    hu[25:] = np.roll(hu[25:], 14, axis=2)
    assert _codes(hu) == ["slices_jump"]


def test_slices_of_two_scans_that_alternate_are_refused() -> None:
    hu = _bones(1)
    hu[::2] = _bones(2)[::2]
    with pytest.raises(ReadError, match="two scans alternate") as error:
        check_continuity(hu, 0)
    assert error.value.code == "two_scans"


def test_repeated_slices_are_told_and_blank_ones_are_not() -> None:
    hu = _bones(1)
    hu[20:28] = hu[20]
    assert "stuck_slices" in _codes(hu)
    blank = _bones(1)
    blank[:10] = -1000
    assert _codes(blank) == []


@pytest.mark.parametrize(
    ("words", "loaded"),
    [
        ("FOOT WB", True),
        ("L-ANKLE WBCT", True),
        ("Weight-bearing CT without contrast", True),
        ("체중부하 CT", True),
        ("Fuss belastet", True),
        ("FOOT", None),
        ("simulated weight bearing", None),
        ("Standing order 1234", None),
        ("FOOT NON WEIGHT BEARING", False),
        ("not WB", False),
        ("FOOT without weight bearing", False),
        ("w/o WB", False),
        ("weight-bearing: no", False),
        ("kein WB", False),
        ("unbelastet WBCT", False),
        ("WBCT sitting", False),
        ("무체중부하", False),
        ("체중부하 안함", False),
        ("비체중부하", False),
    ],
)
def test_a_denial_of_load_wins(words: str, loaded: bool | None) -> None:
    assert load_in(words) is loaded


@pytest.mark.parametrize(
    ("words", "side"),
    [
        ("L-ANKLE WB", "L"),
        ("LT FOOT", "L"),
        ("좌측 발", "L"),
        ("right foot", "R"),
        ("FOOT R/O FRACTURE", None),
        ("L and R feet", None),
        ("RECON L5", None),
        ("FOOT WB", None),
    ],
)
def test_the_side_that_words_name(words: str, side: str | None) -> None:
    assert side_in(words) == side
