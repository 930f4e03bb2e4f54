"""Key points from bone masks: axes and extreme points in the foot frame, after the definitions in the README."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from footcli.frame import FootFrame, cut_sides, low_point
from footcli.geometry import Array, apply
from footcli.names import BONE_ID, BONES

PLATE_MM = 5.0  # radius about the trochlea's top in which the plafond's height is read
SHAFT_TOP_MM = 70.0  # upper level of the tibial axis above the plafond, where the scan reaches that far
SHAFT_APART_MM, SHAFT_APART_SHARE = 15.0, 0.4  # the lower level lies this far below, or this share of its height
SHAFT_MARGIN_MM = 18.0  # malleolus below the plafond, and a rim at the upper end of the scan
LEAST_SHAFT_MM = 26.0  # a shorter piece of shaft has no axis
LEVEL_MM = 1.5  # half thickness of the section in which a shaft's middle is taken
DOME_SLAB_MM = 2.5
# By how much these means lie off the defined centres, foot frame mm; measured on the masks of TUNE_SEEDS
BODY_OFF_MM, HEAD_OFF_MM = np.array([0.4, 0.5, 0.4]), np.array([0.5, -0.3, -0.8])
CORNER_DEG = 50.0  # the dome's edges are the talus' extreme points in this direction, up and sideways
LEAST_ML = {"Talus": 10.0, "Calcaneus": 20.0, "Tibia": 10.0, "1st Metatarsal": 3.0, "5th Metatarsal": 1.0}


@dataclass(frozen=True, slots=True, eq=False)
class BonePoints:
    """A bone in the foot frame: every voxel's middle (N, 3), those on its surface (M, 3), and at which ends it is cut off."""

    solid: Array
    surface: Array
    cut: frozenset[str]
    volume_ml: float


Found = dict[str, Array | str]  # point name -> foot frame (3,), or why it is missing


def bones_in_frame(
    labels: NDArray[np.uint8], affine: Array, frame: FootFrame, inside: NDArray[np.bool_] | None = None,
) -> dict[str, BonePoints]:  # fmt: skip
    """The bones that the angles need, by name; absent ones are left out."""
    voxel_ml = abs(float(np.linalg.det(frame.to_foot[:3, :3]))) / 1000
    found = {}
    boxes = ndimage.find_objects(labels, max_label=len(BONES))
    for name in LEAST_ML:
        box = boxes[BONE_ID[name] - 1]
        if box is None:
            continue
        mask = np.pad(labels[box] == BONE_ID[name], 1)
        pieces, count = ndimage.label(mask)
        if count > 1:
            mask = pieces == 1 + np.argmax(np.bincount(pieces.ravel())[1:])
        offset = np.array([s.start - 1 for s in box])

        def place(where: NDArray[np.bool_], offset: NDArray[np.int64] = offset) -> Array:
            return apply(frame.to_foot, (np.argwhere(where) + offset)[:, ::-1])

        edge = mask & ~ndimage.binary_erosion(mask)
        found[name] = BonePoints(place(mask), place(edge), cut_sides(labels, BONE_ID[name], frame, affine, inside), float(mask.sum()) * voxel_ml)
    return found


def long_axis(points: Array, forward: int = 1) -> Array:
    """(3,) first principal axis, pointing to plus along foot axis `forward`."""
    axis = np.linalg.svd(np.cov((points - points.mean(0)).T))[0][:, 0]
    return np.asarray(axis * np.sign(axis[forward] or 1.0))


def _share(points: Array, axis: Array) -> Array:
    """Position of each point along the axis, 0 at the back end, 1 at the front end."""
    along = points @ axis
    return np.asarray((along - along.min()) / np.ptp(along))


def _talus(bone: BonePoints) -> Found:
    share = _share(bone.surface, long_axis(bone.solid))
    body, head = bone.surface[share < 0.62].mean(0) - BODY_OFF_MM, bone.surface[share > 0.78].mean(0) - HEAD_OFF_MM
    return {"body": body, "head": head, "centre": bone.solid.mean(0)}


def _calcaneus(bone: BonePoints) -> Found:
    share = _share(bone.surface, long_axis(bone.solid))
    return {
        "tuberosity": low_point(bone.surface[share < 0.45]), "anterior": low_point(bone.surface[share > 0.72]), "heel": low_point(bone.surface),
    }  # fmt: skip


def _ray(bone: BonePoints) -> Found:
    share = _share(bone.surface, long_axis(bone.solid))
    return {"base": bone.surface[share < 0.12].mean(0), "head": bone.surface[share > 0.85].mean(0)}


def _dome(talus: BonePoints) -> Found:
    """Medial and lateral corner of the talar dome, in the coronal section through its top."""
    share = _share(talus.solid, long_axis(talus.solid))
    body = talus.solid[share < 0.6]
    top = body[body[:, 2].argmax()]
    slab = body[np.abs(body[:, 1] - top[1]) < DOME_SLAB_MM]
    turn = np.radians(CORNER_DEG)
    found: Found = {"top": top}
    for name, sign in (("dome_medial", 1.0), ("dome_lateral", -1.0)):
        reach = slab[:, [0, 2]] @ np.array([sign * np.cos(turn), np.sin(turn)])
        found[name] = slab[reach > reach.max() - 0.7].mean(0)
    return found


def _shaft(tibia: BonePoints, top: Array) -> Found:
    """Middles of the tibia's section at two heights above the plafond."""
    over = tibia.solid[np.hypot(tibia.solid[:, 0] - top[0], tibia.solid[:, 1] - top[1]) < PLATE_MM]
    if not len(over):
        return dict.fromkeys(("upper", "lower"), "the tibia does not lie above the talus")
    plafond = over[:, 2].min()
    high = min(SHAFT_TOP_MM, float(np.ptp(tibia.solid[:, 2])) - SHAFT_MARGIN_MM)
    if high < LEAST_SHAFT_MM:
        return dict.fromkeys(("upper", "lower"), "too little of the tibia's shaft is in the field of view")
    found: Found = {}
    for name, height in (("upper", high), ("lower", high - max(SHAFT_APART_SHARE * high, SHAFT_APART_MM))):
        level = tibia.solid[np.abs(tibia.solid[:, 2] - plafond - height) < LEVEL_MM]
        found[name] = level.mean(0) if len(level) else "the tibia's mask has a gap at that height"
    return found


def key_points(bones: Mapping[str, BonePoints]) -> Found:
    """LANDMARKS names (and `_` ones in between) -> foot frame point, or the reason why there is none."""
    parts: dict[str, Found] = {
        name: _one(bones, name, ends, make, keys)
        for name, ends, make, keys in (
            ("Talus", {"front", "back", "top"}, _talus, ("body", "head", "centre")),
            ("Calcaneus", {"back", "bottom", "front"}, _calcaneus, ("tuberosity", "anterior", "heel")),
            ("1st Metatarsal", {"front", "back"}, _ray, ("base", "head")),
            ("5th Metatarsal", {"front"}, _ray, ("base", "head")),
        )
    }
    dome = _one(bones, "Talus", {"top"}, _dome, ("top", "dome_medial", "dome_lateral"))
    top = dome["top"]
    shaft: Found = dict.fromkeys(("upper", "lower"), top) if isinstance(top, str) else (
        _one(bones, "Tibia", {"bottom"}, lambda tibia: _shaft(tibia, top), ("upper", "lower"))
    )  # fmt: skip
    talus, heel, ray, last = (parts[n] for n in ("Talus", "Calcaneus", "1st Metatarsal", "5th Metatarsal"))
    lines = {
        "CPA": (heel["tuberosity"], heel["anterior"], _down(heel["heel"]), _ball(ray, last, bones)),
        "TMA": (talus["body"], talus["head"], ray["base"], ray["head"]),
        "TCA": (talus["body"], talus["head"], heel["tuberosity"], heel["anterior"]),
        "HAA": (shaft["upper"], shaft["lower"], talus["centre"], heel["heel"]),
        "MTASA": (shaft["upper"], shaft["lower"], dome["dome_medial"], dome["dome_lateral"]),
    }
    return {f"{angle}_Line{1 + i // 2}_Pt{1 + i % 2}": p for angle, points in lines.items() for i, p in enumerate(points)}


def _one(bones: Mapping[str, BonePoints], name: str, needed: set[str], make: Callable[[BonePoints], Found], keys: tuple[str, ...]) -> Found:
    """Points of a bone, or the same reason for all: it is not there, or an end that they need is cut off."""
    bone, words = bones.get(name), name if name[0].isdigit() else name.lower()
    if bone is None or bone.volume_ml < 0.2 * LEAST_ML[name]:
        return dict.fromkeys(keys, f"{words} is not in the scan")
    cut = sorted(bone.cut & needed)
    if cut:
        return dict.fromkeys(keys, f"{words} is cut off by the field of view ({', '.join(cut)})")
    if bone.volume_ml < LEAST_ML[name]:
        return dict.fromkeys(keys, f"{words} was found only in part ({bone.volume_ml:.1f} mL)")
    return make(bone)


def _down(point: Array | str) -> Array | str:
    return point if isinstance(point, str) else point * np.array([1.0, 1.0, 0.0])


def _ball(ray: Found, last: Found, bones: Mapping[str, BonePoints]) -> Array | str:
    """The point of the floor under the middle between the 1st and 5th metatarsal heads."""
    heads = []
    for found, name in ((ray, "1st Metatarsal"), (last, "5th Metatarsal")):
        if isinstance(found["head"], str):
            return found["head"]
        bone = bones[name].surface
        heads.append(low_point(bone[_share(bone, long_axis(bone)) > 0.7]))
    middle = (heads[0] + heads[1]) / 2
    return np.array([middle[0], middle[1], 0.0])
