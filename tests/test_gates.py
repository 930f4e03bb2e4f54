"""Gates: what is no foot, no Hounsfield units, no standing foot, no plausible value or place."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
from analyst import SPEC
from numpy.typing import NDArray
from scipy import ndimage

from footcli.decide.certainty import Certainty
from footcli.decide.compare import Angles
from footcli.decide.findings import decide
from footcli.decide.profile import load_profile
from footcli.decide.verdict import RAISED
from footcli.domain import CaseRef, Finding, Lesion, Level, Measurement, ScanTags, Source, Volume
from footcli.errors import CaseError, ImplausibleError, ReadError
from footcli.frame.axes import FootFrame, foot_frame
from footcli.frame.foot_check import Fit, check_foot
from footcli.frame.masks import find_bones
from footcli.geometry import Array, apply
from footcli.infer.bones import Segmented
from footcli.infer.landmarks import Located
from footcli.infer.prepare import Canonical
from footcli.kinds import ANGLE, BONE, BONE_ID, LESION, LESIONS, MEASURES, RAYS
from footcli.levels import USUAL_SIZE
from footcli.measure.angles import mask_points, measure_both
from footcli.measure.bone_points import Found, bones_in_frame
from footcli.measure.box_anatomy import Site, sort_boxes
from footcli.measure.load import Pose, load_of, pose_of, with_load
from footcli.phantom.disease import DISEASES, draw_subject
from footcli.phantom.grid import make_grid
from footcli.phantom.pose import flexed
from footcli.phantom.raster import Raster, rasterize
from footcli.phantom.scanner import FIELDS, Field, scan
from footcli.read.hounsfield import check_bone, in_hounsfield
from footcli.report.head import head_rows
from footcli.run import pipeline
from footcli.run.doubts import box_limits, scan_limits
from footcli.run.pipeline import Foot, analyze_volume
from footcli.run.setup import Clock, Models, Options, load_models
from footcli.text.lines import Line
from footcli.web.page import strings

MM = 2.0
Labels = NDArray[np.uint8]


# Hounsfield units


def _volume(noise_sd: float = 15.0) -> NDArray[np.int16]:
    """A leg in air with a hollow bone, padded with -1024; blurred as every scanner does."""
    z, y, x = np.ogrid[:20, :60, :60]
    away = np.hypot(y - 30, x - 30) + 0 * z
    hu = np.where(away < 22, 40.0, -1000.0)
    hu[away < 8], hu[away < 5] = 1100.0, 250.0
    hu = ndimage.gaussian_filter(hu, 1.0)
    hu += np.random.default_rng(0).normal(0, noise_sd, hu.shape)
    hu[away > 29] = -1024
    return hu.astype(np.int16)


def test_hounsfield_units_stay_as_they_are() -> None:
    hu = _volume()
    found, notices = in_hounsfield(hu)
    assert found is hu
    assert notices == ()


@pytest.mark.parametrize("rows", [1, 3])
def test_a_lost_intercept_is_found_beside_padding_of_any_value(rows: int) -> None:
    hu = _volume()
    lost = (np.maximum(hu, -1000) + 1000).astype(np.int16)
    lost[:, :rows], lost[0, 0, 0] = -2000, -3000
    assert [line.code for line in in_hounsfield(lost)[1]] == ["hu_offset"]


def test_a_lost_intercept_is_found_in_a_wide_field() -> None:
    wide = np.random.default_rng(1).normal(0, 15, (20, 300, 300)).astype(np.int16)
    wide[:, :60, :60] = np.maximum(_volume(), -1000) + 1000
    assert [line.code for line in in_hounsfield(wide)[1]] == ["hu_offset"]


@pytest.mark.parametrize("with_padding", [False, True])
def test_a_lost_intercept_is_mended_and_said(with_padding: bool) -> None:
    hu = _volume()
    lost = np.where(hu == -1024, -1024 if with_padding else -24, hu + 1000).astype(np.int16)
    found, notices = in_hounsfield(lost)
    assert [line.code for line in notices] == ["hu_offset"]
    inside = hu != -1024
    assert np.array_equal(found[inside], np.maximum(hu, -1024)[inside])


def test_a_field_of_view_without_air_is_not_taken_for_a_lost_intercept() -> None:
    hu = _volume()[:, 16:44, 16:44]
    found, notices = in_hounsfield(np.ascontiguousarray(hu))
    assert (notices, found.min()) == ((), hu.min())


@pytest.mark.parametrize("factor", [0.5, 0.3])
def test_lower_contrast_is_no_scale_of_hounsfield(factor: float) -> None:
    weak = ((_volume().astype(np.float64) + 1000) * factor - 1000).astype(np.int16)
    with pytest.raises(ReadError, match="the values are not Hounsfield units") as error:
        in_hounsfield(weak)
    assert error.value.code == "bad_hu"


def test_a_shifted_scale_has_no_air() -> None:
    shifted = np.clip(_volume().astype(np.int32) + 400, -1024, 3071).astype(np.int16)
    with pytest.raises(ReadError, match="air at -1000") as error:
        in_hounsfield(shifted)
    assert error.value.code == "bad_hu"


def test_bone_is_denser_than_soft_tissue() -> None:
    hu = _volume()
    bone = (hu > 200).astype(np.uint8)
    check_bone(hu, bone)
    weak = np.where(hu > 200, 200, hu).astype(np.int16)
    with pytest.raises(ReadError, match=r"only 1.. HU denser than soft tissue") as error:
        check_bone(weak, bone)
    assert error.value.code == "bad_hu"


# A foot


def _drawn(seed: int, field: Field = "foot", plantar_deg: float = 0.0) -> tuple[Raster, Array]:
    subject = draw_subject(seed)
    if plantar_deg:
        subject = flexed(subject, plantar_deg)
    low, high = (corner * subject.scale for corner in FIELDS[field])
    grid = make_grid(subject, MM, low, high, np.eye(3))
    return rasterize(subject, grid), grid.affine


def _frame(labels: Labels, affine: Array) -> FootFrame:
    return foot_frame(labels, affine, orientation_known=True, weight_bearing=True)


def _check(labels: Labels, affine: Array, spacing_known: bool = True) -> Fit:
    return check_foot(find_bones(labels, affine), affine, spacing_known=spacing_known)


@pytest.mark.parametrize("field", ["foot", "ankle", "hindfoot"])
@pytest.mark.parametrize("seed", [5001, 5003, 5006])
def test_feet_of_all_fields_pass(seed: int, field: Field) -> None:
    raster, affine = _drawn(seed, field)
    assert _check(raster.labels, affine).off_mm < 9


def test_a_hanging_foot_passes_and_its_pose_is_known() -> None:
    raster, affine = _drawn(5004, plantar_deg=40.0)
    assert _pose(raster.labels, affine).flexion_deg == pytest.approx(32, abs=10)


def test_a_childs_foot_passes() -> None:
    raster, affine = _drawn(5004)
    small = affine.copy()
    small[:3] *= 0.65
    assert _check(raster.labels, small).size < USUAL_SIZE[0]
    bones = bones_in_frame(_frame(raster.labels, small), 0.65)
    assert all(bone.volume_ml > bone.least_ml for bone in bones.values())


def test_a_foot_of_a_wrong_pixel_size_is_refused() -> None:
    raster, affine = _drawn(5004)
    large = affine.copy()
    large[:3] *= 2.5
    with pytest.raises(ImplausibleError, match="% of the adult size"):
        _check(raster.labels, large)
    assert _check(raster.labels, large, spacing_known=False).size > 2


def test_bones_in_the_wrong_places_are_no_foot() -> None:
    raster, affine = _drawn(5004)
    labels = raster.labels
    mixed = labels.copy()
    mixed[labels == BONE_ID["Calcaneus"]] = BONE_ID["5th Metatarsal"]
    mixed[labels == BONE_ID["5th Metatarsal"]] = BONE_ID["Talus"]
    mixed[labels == BONE_ID["Talus"]] = BONE_ID["2nd Metatarsal"]
    mixed[labels == BONE_ID["2nd Metatarsal"]] = BONE_ID["Calcaneus"]
    with pytest.raises(ImplausibleError, match="not arranged like the bones of a foot") as error:
        _check(mixed, affine)
    assert error.value.code == "no_foot"


@pytest.mark.parametrize(
    ("kept", "words"),
    [
        (("Tibia", "Fibula"), "no bone of a foot is in the scan"),
        (("MidFoot",), "(midfoot)"),
        (("1st Metatarsal", "2nd Metatarsal"), "(1st metatarsal, 2nd metatarsal)"),
        (("Calcaneus", "Tibia"), "(calcaneus)"),
    ],
)
def test_too_little_of_a_foot_says_what_is_seen(kept: tuple[str, ...], words: str) -> None:
    raster, affine = _drawn(5004)
    labels = np.where(np.isin(raster.labels, [BONE_ID[name] for name in kept]), raster.labels, 0)
    with pytest.raises(ImplausibleError) as error:
        _check(labels.astype(np.uint8), affine)
    assert error.value.code == "too_little_foot"
    assert words in str(error.value)


def test_a_forefoot_alone_is_enough() -> None:
    raster, affine = _drawn(5004)
    labels = np.where(np.isin(raster.labels, (*RAYS, BONE_ID["MidFoot"])), raster.labels, 0)
    assert _check(labels.astype(np.uint8), affine).off_mm < 9


# Load


def _pose(labels: Labels, affine: Array) -> Pose:
    bones = find_bones(labels, affine)
    fit = check_foot(bones, affine, spacing_known=True)
    frame = _frame(labels, affine)
    return pose_of(mask_points(frame).found, frame.to_foot, affine, fit, True)


@pytest.mark.parametrize("seed", [5001, 5002, 5005, 5006])
def test_a_standing_foot_does_not_hang(seed: int) -> None:
    raster, affine = _drawn(seed)
    assert load_of(True, _pose(raster.labels, affine)).loaded is True


def test_a_hanging_foot_without_a_leg_is_seen_by_its_sole() -> None:
    raster, affine = _drawn(5004, plantar_deg=40.0)
    leg = np.isin(raster.labels, (BONE_ID["Tibia"], BONE_ID["Fibula"]))
    pose = _pose(np.where(leg, 0, raster.labels).astype(np.uint8), affine)
    assert pose.flexion_deg is None
    load = load_of(True, pose)
    assert load.pose is not None
    assert (load.pose.code, load.floor) == ("not_standing.tilted", False)


@pytest.mark.parametrize(
    ("pose", "stated", "loaded", "floor"),
    [
        (Pose(5.0, 3.0), True, True, True),
        (Pose(5.0, 40.0), None, False, False),
        (Pose(20.0, 3.0), True, False, True),
        (Pose(30.0, 3.0), None, False, False),
        (Pose(None, 20.0), True, False, True),
        (Pose(None, None), False, False, True),
    ],
)
def test_the_pose_overrides_what_the_files_state(
    pose: Pose, stated: bool | None, loaded: bool | None, floor: bool
) -> None:
    load = load_of(stated, pose)
    assert (load.loaded, load.floor) == (loaded, floor)


def test_angles_to_the_floor_of_a_hanging_foot_are_marked_or_absent() -> None:
    values = [_measured("CPA", 20.0), _measured("TCA", 40.0)]
    marked = with_load(values, load_of(None, Pose(20.0, None)))
    assert [m.note.code if m.note else None for m in marked] == ["unloaded", None]
    gone = with_load(values, load_of(None, Pose(40.0, None)))
    assert [m.value for m in gone] == [None, 40.0]
    assert gone[0].why_missing is not None
    assert gone[0].why_missing.code == "not_standing"


@pytest.mark.parametrize(("loaded", "level"), [(True, "PRESENT"), (None, "POSSIBLE")])
def test_an_arch_is_judged_for_sure_in_a_loaded_foot_alone(loaded: bool | None, level: str) -> None:
    values = [_measured("CPA", 8.0), _measured("TMA", 20.0)]
    flat = _decided(values, certainty=Certainty(loaded))["flat_foot"]
    assert flat.level is Level(level)
    assert ("load_unknown" in {line.code for line in flat.evidence}) == (loaded is None)


# Values


def _measured(name: str, value: float, source: Source = "masks") -> Measurement:
    return Measurement(name, ANGLE[name].unit, source, value=value)


def _decided(
    values: list[Measurement],
    lesions: tuple[Lesion, ...] = (),
    certainty: Certainty | None = None,
) -> dict[str, Finding]:
    found = decide(values, lesions, load_profile("general"), age_years=40.0, certainty=certainty)
    return {f.name: f for f in found}


def _values(raster: Raster, affine: Array, **unsure: float) -> dict[str, Measurement]:
    frame = _frame(raster.labels, affine)
    doubts = {
        name: Line("bone_unsure", bone=BONE[name].word, confidence=value)
        for name, value in unsure.items()
    }
    found = measure_both((), mask_points(frame), frame, unsure=doubts)
    return {m.name: m for m in found if m.source == "masks"}


def test_a_joint_space_is_not_measured_in_coarse_voxels() -> None:
    why = _values(*_drawn(5004))["JSW_M"].why_missing
    assert why is not None
    assert why.code == "coarse_voxels"


def test_nothing_rests_on_a_bone_of_little_confidence() -> None:
    values = _values(*_drawn(5004), Talus=0.4)
    for name, m in values.items():
        rests = "Talus" in ANGLE[name].bones
        assert rests == (m.why_missing is not None and m.why_missing.code == "bone_unsure")


def test_a_value_that_no_foot_has_is_not_measurable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("footcli.measure.angles.angle_deg", lambda name, points: 89.0)
    values = _values(*_drawn(5004))
    why = values["CPA"].why_missing
    assert why is not None
    assert (why.code, why.values["value"]) == ("implausible", 89.0)
    assert values["MTASA"].value == 89.0


def test_ranges_that_no_foot_leaves() -> None:
    """Those of the specification; a joint space below 0.3 mm is bone on bone."""
    assert {kind.name: kind.plausible for kind in MEASURES} == {
        "CPA": (-10, 45),
        "TMA": (-45, 60),
        "TCA": (10, 75),
        "HAA": (-35, 45),
        "MTASA": (70, 115),
        "MTASA_B": (70, 115),
        "TT": (-25, 25),
        "TCA_AP": (0, 65),
        "HVA": (-15, 75),
        "IMA": (0, 35),
        "FAO": (-35, 35),
        "JSW_M": (0, 7),
        "JSW_C": (0, 7),
        "JSW_L": (0, 7),
    }


@pytest.mark.parametrize(("width", "note"), [(0.2, "bone_on_bone"), (0.4, None), (7.5, None)])
def test_a_joint_space_is_named_where_bones_touch_and_absent_where_none_is_so_wide(
    width: float, note: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("footcli.measure.angles.COARSE_MM", 3.0)
    monkeypatch.setattr("footcli.measure.angles.angle_deg", lambda name, points: width)
    found = _values(*_drawn(5004))["JSW_C"]
    assert (found.note.code if found.note else None) == note
    assert (found.value is None) == (width > 7)


def test_two_sources_far_apart_never_make_a_finding_present() -> None:
    apart = [_measured("CPA", 34.0), _measured("CPA", 12.0, "landmarks")]
    cavus = _decided([*apart, _measured("TMA", -12.0)])["cavus_foot"]
    assert cavus.level is Level.POSSIBLE
    assert "ways_differ" in {line.code for line in cavus.evidence}


@pytest.mark.parametrize("name", ["CPA", "TMA"])
def test_two_sources_far_apart_have_no_mean(name: str) -> None:
    profile = load_profile("general")
    values = [_measured(name, 8.0), _measured(name, 12.9, "landmarks")]
    assert Angles.of(values, profile)[name].value == pytest.approx(10.45)
    values = [_measured(name, 8.0), _measured(name, 13.1, "landmarks")]
    assert Angles.of(values, profile)[name].value is None


def test_two_sources_far_apart_make_a_flat_foot_possible_at_most() -> None:
    apart = [_measured("CPA", 8.0), _measured("CPA", 14.0, "landmarks")]
    flat = _decided([*apart, _measured("TMA", 20.0)])["flat_foot"]
    assert flat.level is Level.POSSIBLE
    near = [_measured("CPA", 8.0), _measured("CPA", 9.0, "landmarks")]
    assert _decided([*near, _measured("TMA", 20.0)])["flat_foot"].level is Level.PRESENT


# The place of a box


@pytest.fixture(scope="module", params=DISEASES)
def ill(request: pytest.FixtureRequest) -> tuple[Raster, FootFrame, Found]:
    subject = draw_subject(5200 + DISEASES.index(request.param), request.param)
    low, high = (corner * subject.scale for corner in FIELDS["foot"])
    grid = make_grid(subject, 1.2, low, high, np.eye(3))
    raster = rasterize(subject, grid)
    frame = foot_frame(raster.labels, grid.affine, orientation_known=True, weight_bearing=True)
    return raster, frame, mask_points(frame).found


def _boxes(raster: Raster) -> list[Lesion]:
    boxes = []
    for bit, kind in enumerate(LESIONS):
        marked, count = ndimage.label((raster.lesion >> bit) & 1)
        for box in ndimage.find_objects(marked, count):
            low = [float(s.start) for s in box[::-1]]
            high = [float(s.stop) for s in box[::-1]]
            slices = (int(low[kind.plane.axis]), int(high[kind.plane.axis]) - 1)
            corners = (low[0], low[1], low[2], high[0], high[1], high[2])
            boxes.append(Lesion(kind.name, 0.9, kind.plane, slices, corners, None))
    return boxes


# Where each kind's box is moved to (mm medial, forward, up), just out of its place
AWAY = {
    "OLT": [(0, 0, 12), (0, 0, -20), (45, 0, 0), (0, 40, 0)],
    "Accessory Navicular": [(-20, 0, 0), (0, 16, 0), (0, -20, 0), (0, 0, 20)],
    "Tarsal Coalition": [(0, -35, 0), (0, 0, 25), (0, 25, 0), (0, 0, -25)],
    "Ankle Arthritis": [(0, 0, 14), (0, 0, -16), (0, 40, 0), (35, 0, 0)],
    "Hallux Valgus": [(-22, 0, 0), (0, -22, 0), (0, 16, 0), (0, 0, 20)],
}


def _moved(box: Lesion, frame: FootFrame, mm: tuple[int, ...]) -> Lesion:
    shift = np.linalg.inv(frame.to_foot[:3, :3]) @ np.array(mm, float)
    return replace(box, box_vox=tuple(np.array(box.box_vox) + np.tile(shift, 2)))  # type: ignore[arg-type]


def test_true_boxes_stay_and_moved_ones_are_left_out(
    ill: tuple[Raster, FootFrame, Found],
) -> None:
    raster, frame, found = ill
    boxes = _boxes(raster)
    assert sort_boxes(boxes, frame, found).kept == tuple(boxes)
    for box in boxes:
        for mm in AWAY.get(box.label, []):
            moved = _moved(box, frame, mm)
            assert sort_boxes([moved], frame, found).elsewhere == (moved,), (box.label, mm)


def test_a_coalition_is_none_at_the_joint_of_calcaneus_and_cuboid() -> None:
    raster, affine = _drawn(5004)
    frame = _frame(raster.labels, affine)
    heel = Site(frame, {}).surface("Calcaneus")
    assert heel is not None
    low, extent = heel.min(0), np.ptp(heel, axis=0)
    front = heel[heel[:, 1] > low[1] + 0.95 * extent[1]]
    at = front[np.abs(front[:, 2] - low[2] - 0.4 * extent[2]).argmin()]
    voxel = apply(np.linalg.inv(frame.to_foot), at)
    box = replace(_box("Tarsal Coalition"), box_vox=(*(voxel - 2), *(voxel + 3)))
    assert sort_boxes([box], frame, mask_points(frame).found).elsewhere == (box,)


def test_no_box_can_be_checked_in_pixels() -> None:
    raster, affine = _drawn(5004)
    frame = _frame(raster.labels, affine)
    box = _box("OLT")
    found = sort_boxes([box], frame, mask_points(frame).found, spacing_known=False)
    assert (found.kept, found.unchecked) == ((box,), {"OLT"})


def _box(label: str, score: float = 0.9) -> Lesion:
    return Lesion(label, score, LESION[label].plane, (10, 14), (0, 0, 0, 1, 1, 1), None)


def test_a_box_that_cannot_be_checked_makes_nothing_present() -> None:
    box = _box("OLT")
    assert _decided([], (box,))["olt"].level is Level.PRESENT
    unchecked = Certainty(True, frozenset({"OLT"}))
    assert _decided([], (box,), unchecked)["olt"].level is Level.POSSIBLE


# What a scan allows to say


def test_in_coarse_voxels_a_box_makes_nothing_present_and_angles_do() -> None:
    coarse = Certainty(box_limits=(Line("coarse_scan", edge=1.2, most=1.0),))
    values = [_measured("CPA", 8.0), _measured("TMA", 20.0), _measured("HVA", 40.0)]
    found = _decided(values, (_box("OLT"), _box("Hallux Valgus")), coarse)
    assert found["olt"].level is Level.POSSIBLE
    assert found["hallux_valgus"].level is Level.PRESENT
    assert found["flat_foot"].level is Level.PRESENT


def test_in_an_unknown_kind_of_foot_nothing_is_present() -> None:
    child = Certainty(limits=(Line("growth_plates", years=16),))
    values = [_measured("CPA", 8.0), _measured("TMA", 20.0), _measured("HVA", 40.0)]
    found = _decided(values, (_box("OLT"),), child)
    assert {f.level for f in found.values() if f.level in RAISED} == {Level.POSSIBLE}
    assert all(
        "growth_plates" in {line.code for line in f.evidence}
        for f in found.values()
        if f.level in RAISED
    )


def _volume_of(mm: float, age: float | None = None) -> Volume:
    tags = ScanTags(age_years=age)
    affine = np.diag([mm, 0.4, 0.4, 1])
    return Volume(np.zeros((2, 2, 2), np.int16), affine, ("a", "b"), "", tags=tags)


@pytest.mark.parametrize(
    ("mm", "every", "boxed"),
    [(1.0, [], []), (1.2, [], ["coarse_scan"]), (3.0, ["coarse_scan"], ["coarse_scan"])],
)
def test_coarse_voxels_limit_what_is_said(mm: float, every: list[str], boxed: list[str]) -> None:
    volume = _volume_of(mm, 40.0)
    fit = Fit(1.0, 1.0, np.eye(3))
    assert [line.code for line in scan_limits(volume, fit)] == every
    assert [line.code for line in box_limits(volume)] == boxed


@pytest.mark.parametrize(
    ("age", "size", "codes"),
    [
        (12.0, 1.0, ["growth_plates"]),
        (12.0, 0.65, ["growth_plates", "unusual_size"]),
        (47.0, 0.65, ["unusual_size"]),
        (None, 1.4, ["unusual_size"]),
        (None, 0.8, []),
    ],
)
def test_a_childs_foot_is_told_by_age_or_size(
    age: float | None, size: float, codes: list[str]
) -> None:
    found = scan_limits(_volume_of(0.4, age), Fit(1.0, size, np.eye(3)))
    assert [line.code for line in found] == codes


def test_a_stretched_foot_is_told() -> None:
    raster, affine = _drawn(5004)
    plain = _check(raster.labels, affine)
    assert scan_limits(_volume_of(0.4, 40.0), plain) == ()
    high = affine.copy()
    high[2] *= 1.4
    (line,) = scan_limits(_volume_of(0.4, 40.0), _check(raster.labels, high))
    assert line.code == "stretched"


@pytest.mark.parametrize("code", ["slices_jump", "stuck_slices", "step_disagrees", "step_guessed"])
def test_a_broken_scan_limits_what_is_said(code: str) -> None:
    notice = Line(code, slice=3, count=5, stated=1.0, step=0.5, thickness=1.0)
    volume = replace(_volume_of(0.4, 40.0), notices=(notice,))
    assert scan_limits(volume, Fit(1.0, 1.0, np.eye(3))) == (notice,)


def test_an_arch_without_a_floor_is_possible_at_most() -> None:
    values = [_measured("CPA", 38.0)]
    cavus = _decided(values, certainty=Certainty(floor_seen=False))["cavus_foot"]
    assert cavus.level is Level.POSSIBLE
    assert "floor_unseen" in {line.code for line in cavus.evidence}


def test_a_joint_that_is_closed_is_never_unseen() -> None:
    closed = [_measured(name, 0.1) for name in ("JSW_C", "JSW_L")]
    arthritis = _decided(closed)["ankle_arthritis"]
    assert arthritis.level is Level.POSSIBLE
    assert "joint_closed" in {line.code for line in arthritis.evidence}
    assert _decided(closed[:1])["ankle_arthritis"].level is Level.NOT_SEEN


# The whole of an analysis, with a stand-in for the networks


@pytest.fixture
def drawn_foot(monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[Foot, ...]]:
    """Analyses labels that are given as those found."""

    def analyze(
        parts: Sequence[Labels],
        affine: Array,
        unsure: Mapping[str, float] | None = None,
        lesions: tuple[Lesion, ...] = (),
        metal: NDArray[np.bool_] | None = None,
    ) -> tuple[Foot, ...]:
        raster = np.max(parts, axis=0)
        hu = np.where(raster > 0, 900, 20).astype(np.int16)
        hu[:2] = -1000
        if metal is not None:
            hu[metal] = 3000
        volume = Volume(hu, affine, tuple(map(str, range(len(hu)))), "")
        grid = Canonical(hu.astype(np.float32), MM, np.eye(4), (0, 1, 2), (False, False, False))
        sure = {BONE_ID[name]: value for name, value in (unsure or {}).items()}

        def segmented(labels: Labels) -> Segmented:
            confidence = {int(k): sure.get(int(k), 0.95) for k in np.unique(labels) if k}
            nothing = np.zeros((1, 1, 1, 1), np.float32)
            return Segmented(grid, nothing, labels, confidence, (False, False))

        feet = tuple(map(segmented, parts))
        monkeypatch.setattr(pipeline, "segment", lambda *given: feet)
        monkeypatch.setattr(pipeline, "on_input_grid", lambda foot, labels, volume: labels)
        monkeypatch.setattr(pipeline, "locate", lambda *given: Located((), {}, ()))
        gone = Line("part_outside", part=Line("part.ray1"))
        monkeypatch.setattr(pipeline, "phalanx", lambda *given: gone)

        def sought(volume: Volume, foot: Segmented, models: Models, hidden: Any) -> Any:
            return tuple(box for box in lesions if box.label not in hidden)

        monkeypatch.setattr(pipeline, "seek_lesions", sought)
        for name in ("slab", "build_stack"):
            monkeypatch.setattr(pipeline, name, lambda *given: None)
        monkeypatch.setattr(pipeline, "build_views", lambda *given: ())
        models = SimpleNamespace(
            bones=(None, None),
            landmarks={},
            lesions=[(None, SPEC)],
            profile=load_profile("general"),
            specs=lambda: [SPEC],
        )
        case = CaseRef("drawn", Path(), "plain", {})
        return analyze_volume(case, volume, cast("Models", models), Options(), Clock())

    return analyze


def test_a_bone_of_little_confidence_is_said_and_nothing_rests_on_it(
    drawn_foot: Callable[..., tuple[Foot, ...]],
) -> None:
    raster, affine = _drawn(5004)
    (foot,) = drawn_foot([raster.labels], affine, {"Talus": 0.4}, (_box("OLT"),))
    result = foot.result
    assert [line.code for line in result.warnings if line.code == "low_confidence"] != []
    assert result.lesions == ()
    found = {f.name: f for f in result.findings}
    assert found["olt"].level is Level.NOT_MEASURABLE
    assert all(m.value is None for m in result.measurements if "Talus" in ANGLE[m.name].bones)


def test_nothing_rests_on_a_bone_of_a_size_that_no_foot_has(
    drawn_foot: Callable[..., tuple[Foot, ...]],
) -> None:
    raster, affine = _drawn(5004)
    labels = raster.labels.copy()
    talus = np.argwhere(labels == BONE_ID["Talus"])
    lost = talus[talus[:, 0] < np.quantile(talus[:, 0], 0.55)]
    labels[tuple(lost.T)] = 0
    (foot,) = drawn_foot([labels], affine)
    (said,) = [line for line in foot.result.warnings if line.code == "low_confidence"]
    assert isinstance(said.values["why"], Line)
    assert said.values["why"].code == "bone_odd"


def test_nothing_rests_on_a_bone_with_metal_and_a_plate_below_is_none(
    drawn_foot: Callable[..., tuple[Foot, ...]],
) -> None:
    raster, affine = _drawn(5004)
    z, y, x = np.argwhere(raster.labels == BONE_ID["Talus"]).mean(0).astype(int)
    metal = np.zeros(raster.labels.shape, bool)
    metal[z - 2 : z + 2, y - 2 : y + 2, x - 2 : x + 2] = True
    (foot,) = drawn_foot([raster.labels], affine, metal=metal)
    codes = [line.values["why"] for line in foot.result.warnings if line.code == "low_confidence"]
    assert [code.code for code in codes if isinstance(code, Line)] == ["metal_in_bone"]
    assert all(m.value is None for m in foot.result.measurements if "Talus" in ANGLE[m.name].bones)
    metal[:] = False
    metal[:3] = True
    (foot,) = drawn_foot([raster.labels], affine, metal=metal)
    assert "low_confidence" not in {line.code for line in foot.result.warnings}


def test_boxes_elsewhere_are_counted(drawn_foot: Callable[..., tuple[Foot, ...]]) -> None:
    raster, affine = _drawn(5004)
    (foot,) = drawn_foot([raster.labels], affine, None, (_box("OLT"), _box("OLT", 0.2)))
    (said,) = [line for line in foot.result.warnings if line.code == "box_elsewhere"]
    assert said.values["count"] == 1
    assert foot.result.lesions == ()


def test_a_foot_of_two_that_is_none_is_left_out_and_said(
    drawn_foot: Callable[..., tuple[Foot, ...]],
) -> None:
    raster, affine = _drawn(5004)
    mess = np.zeros_like(raster.labels)
    mess[5:12, 5:12, 5:12] = BONE_ID["Tibia"]
    (foot,) = drawn_foot([np.where(mess, 0, raster.labels), mess], affine)
    (said,) = [line for line in foot.result.warnings if line.code == "foot_left_out"]
    assert isinstance(said.values["why"], Line)
    assert said.values["why"].family == "too_little_foot"


def test_a_hanging_foots_page_says_so_at_its_top(
    drawn_foot: Callable[..., tuple[Foot, ...]],
) -> None:
    raster, affine = _drawn(5004, plantar_deg=40.0)
    (foot,) = drawn_foot([raster.labels], affine)
    assert ("Weight-bearing", "no (the foot hangs)") in head_rows(foot.result, strings("en"))


# All of it, with the shipped networks


@pytest.fixture(scope="module")
def models() -> Models:
    return load_models(Options(device="cpu"))


def _analyzed(hu: NDArray[np.int16], models: Models, mm: float = 1.5) -> tuple[Foot, ...]:
    values, notices = in_hounsfield(hu)
    names = tuple(map(str, range(hu.shape[0])))
    volume = Volume(values, np.diag([mm, mm, mm, 1.0]), names, "", notices=notices)
    ref = CaseRef("drawn", Path(), "plain", {})
    return analyze_volume(ref, volume, models, Options(device="cpu", quality="fast"), Clock())


def _balls(shape: tuple[int, int, int], places: list[tuple[float, ...]]) -> NDArray[np.float64]:
    """Tissue in air with dense balls (z, y, x, radius)."""
    z, y, x = np.ogrid[: shape[0], : shape[1], : shape[2]]
    middle = np.hypot((y - shape[1] / 2) / (shape[1] / 2.4), (x - shape[2] / 2) / (shape[2] / 2.4))
    hu = np.where(middle + 0 * z < 1, 40.0, -1000.0)
    for at in places:
        away = np.sqrt((z - at[0]) ** 2 + (y - at[1]) ** 2 + (x - at[2]) ** 2)
        hu[away < at[3]] = 1100.0
        hu[away < at[3] - 2] = 350.0
    return ndimage.gaussian_filter(hu, 0.7)


def _rods(count: int) -> NDArray[np.float64]:
    """A plate of tissue with rods side by side, as fingers lie."""
    hu = np.full((40, 140, 90), -1000.0)
    hu[10:30, 5:135, 5:85] = 40.0
    z, x = np.ogrid[:40, :90]
    for number in range(count):
        away = np.hypot(z - 20, x - 14 - 15 * number)
        for start in (45, 80, 105):
            part = hu[:, start : start + 22]
            part[np.broadcast_to((away < 5)[:, None], part.shape)] = 1000.0
            part[np.broadcast_to((away < 3)[:, None], part.shape)] = 300.0
    return ndimage.gaussian_filter(hu, 0.7)


def _not_feet() -> dict[str, NDArray[np.float64]]:
    rng = np.random.default_rng(5)
    metal = _balls((90, 120, 90), [])
    metal[40:46, 50:80, 40:44] = 3000.0
    return {
        "air": rng.normal(-1000, 10, (90, 120, 90)),
        "noise": rng.normal(0, 300, (90, 120, 90)),
        "clouds": ndimage.gaussian_filter(rng.normal(0, 1, (90, 120, 90)), 2) * 6000,
        "water with metal": metal,
        "head": _balls((90, 120, 90), [(45, 60, 45, 34)]),
        "knee": _balls((90, 120, 90), [(20, 60, 45, 22), (68, 60, 45, 24), (45, 92, 45, 10)]),
        "hand": _rods(5),
    }


@pytest.mark.slow
@pytest.mark.parametrize("name", _not_feet())
def test_what_is_no_foot_is_refused(name: str, models: Models) -> None:
    hu = np.clip(_not_feet()[name], -1024, 3071).astype(np.int16)
    with pytest.raises(CaseError) as error:
        _analyzed(hu, models)
    assert error.value.code in ("no_bone_found", "too_little_foot", "no_foot", "bad_hu")


@pytest.mark.slow
def test_a_lost_intercept_gives_the_angles_of_the_scan_as_it_was(models: Models) -> None:
    hu = scan(draw_subject(5009), 1.5, 5009).hu
    (before,) = _analyzed(hu, models)
    (after,) = _analyzed((hu.astype(np.int32) + 1000).astype(np.int16), models)
    assert [line.code for line in after.volume.notices] == ["hu_offset"]
    first, second = (
        {(m.name, m.source): m.value for m in foot.result.measurements} for foot in (before, after)
    )
    assert first.keys() == second.keys()
    assert all(
        value == pytest.approx(second[key], abs=0.2)
        for key, value in first.items()
        if value is not None
    )


@pytest.mark.slow
def test_a_foot_turned_about_its_long_axis_says_nothing_wrong(models: Models) -> None:
    hu = np.ascontiguousarray(np.rot90(scan(draw_subject(5009), 1.5, 5009).hu, 1, (0, 2)))
    with pytest.raises(CaseError) as error:
        _analyzed(hu, models)
    assert error.value.code in ("no_foot", "too_little_foot", "no_bone_found")
