"""Check that the values of a volume are Hounsfield units; mend a lost rescale intercept."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from footcli.errors import ReadError
from footcli.text.lines import Line

LOST_INTERCEPT = 1000  # what air lies above -1000 HU if RescaleIntercept is lost
PADDING_SHARE = 0.02  # the lowest value is padding if more of the voxels have it
AIR_BELOW, LEAST_AIR = -400, 0.005  # every field of view with some air has this share below
# Where soft tissue lies without intercept, and the valley between it and air; LEAST_SOFT is a share
# of the values from the valley up, LEAST_BODY of all
SOFT_SHIFTED, VALLEY = (750, 1350), (400, 700)
LEAST_SOFT, SOFT_TO_VALLEY, LEAST_BODY = 0.3, 3.0, 0.005
PADDING = -1024  # nothing in a body is thinner
BODY_ABOVE = -500  # air in the shade of a cone beam reaches -650
# Median of what is denser than BODY_ABOVE; drawn feet have -50 to 205, a real one -120, with half
# the contrast -470 to -330
BODY_HU = (-250, 450)
# Air may lie anywhere below AIR_HU: drawn feet have it at -790 to -1024, real ones at -1010. Where
# the thinnest values lie above it, THIN_SHARE of them below AIR_BELOW is air of a false scale
AIR_HU, THIN_SHARE, THINNEST = -700, 0.05, 0.5
# HU of the bone's 99th percentile above soft tissue: drawn feet have 450 and more, real ones 1360
LEAST_BONE = 400


def in_hounsfield(hu: NDArray[np.int16]) -> tuple[NDArray[np.int16], tuple[Line, ...]]:
    """The volume in Hounsfield units, and notices. hu: int16 (z, y, x).

    Values without rescale intercept are shifted by -LOST_INTERCEPT. Raises ReadError "bad_hu" if
    the values are of another scale.
    """
    notices: tuple[Line, ...] = ()
    if _intercept_is_lost(_without_padding(hu)):
        shifted = np.clip(hu.astype(np.int32) - LOST_INTERCEPT, PADDING, 32767)
        hu = shifted.astype(np.int16)
        notices = (Line("hu_offset", shift=-LOST_INTERCEPT),)
    _check_air(hu)
    body = hu[hu > BODY_ABOVE]
    if body.size:
        middle = float(np.median(body))
        if not BODY_HU[0] <= middle <= BODY_HU[1]:
            raise ReadError("bad_hu", middle=middle, low=BODY_HU[0], high=BODY_HU[1])
    return hu, notices


def check_bone(hu: NDArray[np.int16], labels: NDArray[np.uint8]) -> None:
    """Check that the bone found is as dense as bone. labels: uint8 (z, y, x), 0 for no bone.

    Raises ReadError "bad_hu" where it lies less than LEAST_BONE above soft tissue.
    """
    bone, soft = hu[labels > 0], hu[(labels == 0) & (hu > BODY_ABOVE)]
    if not bone.size or not soft.size:
        return
    above = float(np.percentile(bone, 99) - np.median(soft))
    if above < LEAST_BONE:
        raise ReadError("bad_hu.bone", above=above, least=LEAST_BONE)


def _check_air(hu: NDArray[np.int16]) -> None:
    """Raises ReadError "bad_hu" where much of the volume is thin, and nothing as thin as air."""
    values = hu[hu > hu.min()]
    if not values.size:
        return
    thinnest = float(np.percentile(values, THINNEST))
    if thinnest > AIR_HU and np.mean(values < AIR_BELOW) >= THIN_SHARE:
        raise ReadError("bad_hu.air", air=thinnest, most=AIR_HU)


def _without_padding(hu: NDArray[np.int16]) -> NDArray[np.int16]:
    """The values (N,) without those that fill the volume outside the field of view."""
    lowest = hu.min()
    filled = hu == lowest
    inside = hu > PADDING
    return hu[inside & ~filled] if filled.mean() > PADDING_SHARE else hu[inside]


def _intercept_is_lost(values: NDArray[np.int16]) -> bool:
    """Whether nothing is as thin as air, and soft tissue lies where it does without intercept."""
    if values.size == 0 or np.mean(values < AIR_BELOW) >= LEAST_AIR:
        return False
    body = values[values >= VALLEY[0]]
    if body.size < LEAST_BODY * values.size:
        return False
    soft, valley = _share(body, *SOFT_SHIFTED), _share(body, *VALLEY)
    return soft >= LEAST_SOFT and soft >= SOFT_TO_VALLEY * valley


def _share(values: NDArray[np.int16], low: int, high: int) -> float:
    return float(np.mean((values >= low) & (values < high)))
