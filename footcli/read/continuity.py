"""Whether neighbouring slices belong together: jumps, repeated slices, slices of two scans."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from footcli.errors import ReadError
from footcli.text.lines import Line

BONE_HU, CLIP_HU = 250, (-300, 1500)
SMOOTH_PX, LEAST_BONE_PX = 5, 450  # of the thinned slices: bone is told from noise; for comparison
THIN_PX = 128  # pixels along an edge that are compared
AROUND = 8  # slices on either side that a difference is compared with
FEWEST, LEAST_KNOWN = 12, 5  # differences that say something, of a scan and on one side
# Neighbours jump that have nothing in common, where those on both sides have: 1 - correlation, and
# by the usual. Two people's halves, lost slices, feet that moved by 6 to 8 mm: 0.9 to 1.4 and 2.2
# to 5.0; drawn feet, of which noisy ones differ from slice to slice, have at most 1.5 times the
# usual where nothing is in common; real ones 0.5
UNLIKE, JUMP = 0.95, 1.9
OPPOSITE = 1.25  # bone lies where there was none: where little bone shows on one of the sides
ALTERNATE = 0.5  # share of slices that resemble the next but one more than the next; usual is 0.01
STUCK = 4  # equal neighbours with bone, one after another


def check_continuity(hu: NDArray[np.int16], axis: int) -> tuple[Line, ...]:
    """Notices about slices that do not continue each other. hu: int16 (z, y, x); axis: of slices.

    Raises ReadError "two_scans" if the slices of two scans alternate.
    """
    slices = np.moveaxis(hu, axis, 0)
    step = max(1, min(slices.shape[1:]) // THIN_PX)
    thinned = np.clip(slices[:, ::step, ::step], *CLIP_HU).astype(np.float32)
    bone = ndimage.uniform_filter(thinned, (0, SMOOTH_PX, SMOOTH_PX)) > BONE_HU
    one, two = _differences(thinned, bone, 1), _differences(thinned, bone, 2)
    known = np.isfinite(one[:-1]) & np.isfinite(two)
    if known.sum() >= FEWEST and np.mean(two[known] < one[:-1][known]) > ALTERNATE:
        raise ReadError("two_scans")
    notices = []
    if (place := jump(one)) is not None:
        notices.append(Line("slices_jump", slice=place + 1))
    longest = _longest_run(one == 0)
    if longest >= STUCK:
        notices.append(Line("stuck_slices", count=longest + 1))
    return tuple(notices)


def _differences(
    slices: NDArray[np.float32], bone: NDArray[np.bool_], apart: int
) -> NDArray[np.float64]:
    """1 - correlation of the bone in slices that lie `apart`, NaN where there is too little."""
    found = np.full(max(0, len(slices) - apart), np.nan)
    for k in range(len(found)):
        either = bone[k] | bone[k + apart]
        if min(map(np.count_nonzero, (bone[k], bone[k + apart]))) < LEAST_BONE_PX:
            continue
        p, q = slices[k][either], slices[k + apart][either]
        spread = float(p.std() * q.std())
        if np.array_equal(slices[k], slices[k + apart]):
            found[k] = 0.0
        elif spread > 0:
            found[k] = max(1e-6, 1 - float(((p - p.mean()) * (q - q.mean())).mean()) / spread)
    return found


def jump(one: NDArray[np.float64]) -> int | None:
    """The place of the difference that stands out most on both sides; None without one."""
    best, where = JUMP, None
    for k in np.flatnonzero(one > UNLIKE):
        sides = _usual(one[max(0, k - AROUND) : k]), _usual(one[k + 1 : k + 1 + AROUND])
        usual = max(sides)
        told = min(sides) > 0 or one[k] > OPPOSITE
        if told and usual > 0 and one[k] > best * usual:
            best, where = one[k] / usual, int(k)
    return where


def _usual(some: NDArray[np.float64]) -> float:
    """Their median; 0 where too few are known."""
    known = some[np.isfinite(some)]
    return float(np.median(known)) if len(known) >= LEAST_KNOWN else 0.0


def _longest_run(equal: NDArray[np.bool_]) -> int:
    longest = run = 0
    for same in equal:
        run = run + 1 if same else 0
        longest = max(longest, run)
    return longest
