"""Whether neighbouring slices belong together: jumps, repeated slices, slices of two scans."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from footcli.errors import ReadError
from footcli.text.lines import Line

BONE_HU, CLIP_HU = 150, (-300, 1500)
LEAST_BONE_PX = 450  # of the thinned slices, for two to be compared
THIN_PX = 128  # pixels along an edge that are compared
AROUND = 8  # slices on either side that a difference is compared with
FEWEST, LEAST_KNOWN = 12, 5  # differences that say something, of a scan and on either side
# Largest difference of two neighbours, as a multiple of the usual one on both sides: drawn and real
# feet have less than 2.9; two people's halves, a foot that has moved by 3 mm, lost slices 3.4 to 8
JUMP = 3.2
# Neighbours that have nothing in common jump sooner: such of a noisy foot have at most 1.5
UNLIKE, UNLIKE_JUMP = 0.85, 1.9
ALTERNATE = 0.5  # share of slices that resemble the next but one more than the next; usual is 0.01
STUCK = 4  # equal neighbours with bone, one after another


def check_continuity(hu: NDArray[np.int16], axis: int) -> tuple[Line, ...]:
    """Notices about slices that do not continue each other. hu: int16 (z, y, x); axis: of slices.

    Raises ReadError "two_scans" if the slices of two scans alternate.
    """
    slices = np.moveaxis(hu, axis, 0)
    step = max(1, min(slices.shape[1:]) // THIN_PX)
    thinned = np.clip(slices[:, ::step, ::step], *CLIP_HU).astype(np.float32)
    one, two = _differences(thinned, 1), _differences(thinned, 2)
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


def _differences(slices: NDArray[np.float32], apart: int) -> NDArray[np.float64]:
    """1 - correlation of the bone in slices that lie `apart`, NaN where there is too little."""
    found = np.full(max(0, len(slices) - apart), np.nan)
    for k in range(len(found)):
        a, b = slices[k], slices[k + apart]
        bone = (a > BONE_HU) | (b > BONE_HU)
        if np.count_nonzero(bone) < LEAST_BONE_PX:
            continue
        p, q = a[bone], b[bone]
        spread = float(p.std() * q.std())
        if spread > 0:
            found[k] = 1 - float(((p - p.mean()) * (q - q.mean())).mean()) / spread
            found[k] = 0.0 if np.array_equal(a, b) else max(found[k], 1e-6)
    return found


def jump(one: NDArray[np.float64]) -> int | None:
    """The place of the largest difference that stands out on both sides; None without one.

    Where a scan fades out at its end all differences are large, but on one side alone.
    """
    best, where = 1.0, None
    for k in np.flatnonzero(np.isfinite(one)):
        before, after = one[max(0, k - AROUND) : k], one[k + 1 : k + 1 + AROUND]
        usual = max(_usual(before), _usual(after))
        ratio = one[k] / usual / (UNLIKE_JUMP if one[k] > UNLIKE else JUMP)
        if ratio > best:
            best, where = ratio, int(k)
    return where


def _usual(some: NDArray[np.float64]) -> float:
    """Their median; infinite where too few are known."""
    known = some[np.isfinite(some)]
    return float(np.median(known)) or np.inf if len(known) >= LEAST_KNOWN else np.inf


def _longest_run(equal: NDArray[np.bool_]) -> int:
    longest = run = 0
    for same in equal:
        run = run + 1 if same else 0
        longest = max(longest, run)
    return longest
