"""Bones that wear a measured surface: points and landmarks are read on it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from footcli.anatomy.surface import surface_points
from footcli.anatomy.template import Bone, SampledField, distance, reference_foot
from footcli.anatomy.worn import blended, wearing
from footcli.kinds import BONES
from footcli.kinds.parts import BONE_OF_PART, PART_OF, PARTS
from footcli.phantom.disease import Variety, draw_subject
from footcli.train.fits import bone_of, fitted
from footcli.train.shapes import ShapeSwap

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
NEEDS_DATA = pytest.mark.skipif(
    not (DATA / "feet").is_dir(), reason="measured surfaces are not here (../shared/data/feet)"
)


def _field(bone: Bone, shift: tuple[float, float, float]) -> SampledField:
    """The bone's own surface, shifted in its local frame, as if it had been measured."""
    low = np.array([bone.tube.t[0] - 12.0, -45.0, -45.0])
    shape = (int(bone.tube.t[1] - bone.tube.t[0]) + 25, 91, 91)
    at = np.stack(np.meshgrid(*(low[i] + np.arange(shape[i]) for i in range(3)), indexing="ij"))
    local = at.reshape(3, -1) - np.array(shift)[:, None]
    return SampledField(low, 1.0, distance(bone, local.astype(np.float32)).reshape(shape), None)


@pytest.mark.parametrize("name", ["talus", "calcaneus", "metatarsal1", "navicular"])
def test_landmarks_go_with_the_surface_that_is_worn(name: str) -> None:
    bone, shift = reference_foot()[name], (2.0, -1.5, 1.0)
    worn = wearing(bone, _field(bone, shift))
    for mark, at in bone.landmarks.items():
        depth = float(distance(bone, at.astype(np.float32)[:, None])[0])
        now = float(distance(worn, worn.landmarks[mark].astype(np.float32)[:, None])[0])
        if abs(depth) < 1.5:
            assert abs(now) < 0.3, mark  # of the surface
        elif depth < 0:
            assert np.linalg.norm(worn.landmarks[mark] - at - shift) < 1.2, mark


def test_points_lie_on_the_surface_that_is_worn() -> None:
    bone = reference_foot()["calcaneus"]
    worn = replace(bone, field=_field(bone, (3.0, 0.0, 0.0)))
    local = (surface_points(worn) - bone.pos) @ bone.axes.T / bone.scale
    assert np.abs(distance(worn, local.T.astype(np.float32))).max() < 0.6
    step = np.ptp(surface_points(worn) @ bone.axes[0])
    assert step == pytest.approx(np.ptp(surface_points(bone) @ bone.axes[0]), abs=1.0)


def test_a_blend_lies_between_two_surfaces() -> None:
    bone = reference_foot()["talus"]
    one, other = _field(bone, (0.0, 0.0, 0.0)), _field(bone, (0.0, 0.0, 4.0))
    heights = [
        surface_points(replace(bone, field=field)) @ bone.axes[2]
        for field in (one, blended(one, other, 0.5), other)
    ]
    low, middle, high = (float(np.quantile(h, 0.98)) for h in heights)
    assert low < middle < high
    assert middle - low == pytest.approx(2.0, abs=0.7)


def test_every_drawn_bone_is_a_part_and_every_part_of_a_bone_is_that_bone() -> None:
    assert set(PART_OF) == set(reference_foot())
    names = {0: None} | {i: bone.name for i, bone in enumerate(BONES, start=1)}
    assert [names[k] for k in BONE_OF_PART[1:]] == [part.bone for part in PARTS]


@NEEDS_DATA
@pytest.mark.parametrize(
    ("file", "most"),
    [
        ("bp3dR_metatarsal2", 0.8),
        ("vhmR_navicular", 0.9),  # of a foot that hangs
        ("vhmR_talus", 1.0),
        ("vhmL_fibula", 1.0),
        ("bp3dR_phalanx1_proximal", 0.7),
    ],
)
def test_measured_surfaces_fit_the_mean_foot(file: str, most: float) -> None:
    assert fitted(DATA / "feet" / f"{file}.ply").off_mm < most


@NEEDS_DATA
def test_no_surface_of_the_person_who_is_measured_is_there_to_train_on() -> None:
    names = [path.name for path in DATA.rglob("*.ply")]
    assert len(names) > 50
    assert not [name for name in names if "vhf" in name.lower()]
    assert {bone_of(path) for path in (DATA / "feet").glob("bp3dR_*.ply")} >= {"talus", "cuboid"}


@NEEDS_DATA
def test_a_foot_that_wears_measured_surfaces_stands_on_them() -> None:
    wear = ShapeSwap(DATA / "feet", 1.0)
    worn = draw_subject(11, "normal", variety=Variety(wear=wear))
    plain = draw_subject(11, "normal")
    dressed = [name for name, bone in worn.bones.items() if bone.field is not None]
    assert len(dressed) >= 8
    assert abs(surface_points(worn.bones["calcaneus"])[:, 2].min()) < 0.5
    assert any(not np.allclose(worn.landmarks[k], plain.landmarks[k]) for k in plain.landmarks)
