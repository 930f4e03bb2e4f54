"""Lesions of synthetic subjects: stages, places, what they do to joints; and what healthy feet have
that looks like one.
"""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from scipy import ndimage

from footcli.domain import Plane
from footcli.kinds import ARCH, BONE_ID, LESIONS
from footcli.phantom.disease import DISEASES, Variety, draw_subject
from footcli.phantom.grid import make_grid
from footcli.phantom.lesion_sites import sites
from footcli.phantom.makers import MAKERS
from footcli.phantom.raster import Raster, rasterize
from footcli.phantom.scanner import scan
from footcli.phantom.severity import takakura
from footcli.phantom.subject import Subject
from footcli.phantom.write import lesion_boxes

SEEDS = range(1, 25)
STAGES = {  # (of the lesser half of severities, of the greater)
    "olt": (
        {"Ferkel 1", "Ferkel 2A", "Ferkel 3"},
        {"Ferkel 2A", "Ferkel 2B", "Ferkel 3", "Ferkel 4"},
    ),
    "accessory_navicular": ({"Geist 1", "Geist 3"}, {"Geist 1", "Geist 2"}),
    "ankle_arthritis": ({"Takakura 1", "Takakura 2"}, {"Takakura 3", "Takakura 4"}),
}


@cache
def _drawn(disease: str, subtle: bool) -> list[Subject]:
    return [draw_subject(seed, disease, subtle=subtle) for seed in SEEDS]


def _part(subject: Subject, middle: np.ndarray, reach: float = 14.0, mm: float = 0.5) -> Raster:
    return rasterize(subject, make_grid(subject, mm, middle - reach, middle + reach, np.eye(3)))


def _dome(subject: Subject) -> np.ndarray:
    return np.asarray(sites(subject.bones)["Ankle Arthritis"][0])


@pytest.mark.parametrize("disease", STAGES)
def test_every_stage_comes_up_and_mild_ones_among_the_subtle(disease: str) -> None:
    for subtle, wanted in zip((True, False), STAGES[disease], strict=True):
        assert {s.stage for s in _drawn(disease, subtle)} == wanted


def test_coalitions_lie_at_three_places_and_only_plain_ones_are_osseous() -> None:
    subtle, plain = (
        {s.stage for s in _drawn("tarsal_coalition", subtle)} for subtle in (True, False)
    )
    places = ("middle facet", "posterior facet", "calcaneonavicular")
    assert subtle == {f"{place}, not osseous" for place in places}
    assert {f"{place}, osseous" for place in places} <= plain


@pytest.mark.parametrize("disease", MAKERS)
def test_a_lesion_lies_where_its_places_say(disease: str) -> None:
    for subject in (*_drawn(disease, True)[:6], *_drawn(disease, False)[:6]):
        ((label, region),) = subject.lesions
        assert min(np.linalg.norm(region.centre - at) for at in sites(subject.bones)[label]) < 15, (
            subject.stage
        )


def test_every_foot_has_a_place_for_every_lesion() -> None:
    assert set(sites(draw_subject(1, "normal").bones)) == {term.name for term in LESIONS}


def test_sizes_are_those_of_the_literature() -> None:
    lengths = [
        2 * s.lesions[0][1].radii[1] - 2 for subtle in (True, False) for s in _drawn("olt", subtle)
    ]  # the box is a margin wider
    assert 3 <= min(lengths) < 5
    assert 14 < max(lengths) <= 20
    first = [s for s in _drawn("accessory_navicular", True) if s.stage == "Geist 1"]
    assert all(2 <= 2 * (s.lesions[0][1].radii[0] - 3) <= 6.1 for s in first)


def test_the_toe_turns_further_the_worse_it_is() -> None:
    def turn(subject: Subject) -> float:
        a, b = (
            subject.bones[n].point("head_centre") - subject.bones[n].point("base_centre")
            for n in ("metatarsal1", "phalanx_prox1")
        )
        return float(np.degrees(np.arctan2(a[0], a[1]) - np.arctan2(b[0], b[1])))

    subtle, plain = (
        np.mean([turn(s) for s in _drawn("hallux_valgus", kind)]) for kind in (True, False)
    )
    healthy = np.mean([turn(draw_subject(seed, "normal")) for seed in SEEDS])
    assert healthy + 6 < subtle < plain - 6


@pytest.mark.parametrize(("stage", "open_share"), [(1, (0.95, 1.0)), (4, (0.0, 0.5))])
def test_the_ankle_joint_is_open_at_first_and_closed_at_last(
    stage: int, open_share: tuple[float, float]
) -> None:
    found = [
        s
        for subtle in (True, False)
        for s in _drawn("ankle_arthritis", subtle)
        if s.stage == f"Takakura {stage}"
    ][:3]
    assert len(found) == 3
    for subject in found:
        raster = _part(subject, _dome(subject), 9.0)
        labels = raster.labels
        over = labels == BONE_ID["Tibia"]
        under = labels == BONE_ID["Talus"]
        both = over.any(0) & under.any(0)  # columns that run through both bones
        top = len(labels) - 1 - under[::-1].argmax(0)
        free = over.argmax(0) - top - 1 >= 1  # at least a voxel between them
        assert open_share[0] <= free[both].mean() <= open_share[1], subject.stage


def test_stages_of_arthritis_go_by_severity() -> None:
    assert [takakura(s) for s in (0.0, 0.24, 0.26, 0.5, 0.76, 1.0)] == [1, 1, 2, 3, 4, 4]


def test_a_coalition_that_is_not_osseous_keeps_its_cleft() -> None:
    for subject in [s for s in _drawn("tarsal_coalition", True) if "facet" in s.stage][:3]:
        labels = _part(subject, subject.lesions[0][1].centre, 8.0, 0.3).labels
        a, b = labels == BONE_ID["Talus"], labels == BONE_ID["Calcaneus"]
        touching = np.count_nonzero(ndimage.binary_dilation(a) & b)
        assert a.any()
        assert b.any()
        assert touching < 12, subject.stage


@pytest.mark.parametrize("disease", DISEASES)
def test_mimics_add_bones_and_spots_and_no_lesion(disease: str) -> None:
    added = set()
    for seed in SEEDS:
        plain, more = (
            draw_subject(seed, disease),
            draw_subject(seed, disease, variety=Variety(with_mimics=True)),
        )
        assert len(more.lesions) == len(plain.lesions)
        assert len(more.spots) >= len(plain.spots)
        added |= set(more.bones) - set(plain.bones)
        assert all(
            np.allclose(more.bones[name].pos, bone.pos) for name, bone in plain.bones.items()
        )
    assert added == {"os_trigonum", "os_peroneum"}


@pytest.mark.parametrize("seed", [3, 8])
def test_the_arch_is_boxed_from_end_to_end_in_each_sagittal_slice_that_shows_talus_or_ray(
    seed: int,
) -> None:
    raster = scan(draw_subject(seed, "flat_foot"), 1.5, seed).raster
    shown = np.isin(raster.labels, [BONE_ID["Talus"], BONE_ID["1st Metatarsal"]]).any((0, 1))
    boxes = [
        lesion_boxes(raster.lesion[:, :, x], Plane.SAG).get(ARCH, [])
        for x in range(raster.lesion.shape[2])
    ]
    assert [len(found) for found in boxes] == shown.astype(int).tolist()
    long = [x1 - x0 for ((x0, _, x1, _),) in filter(None, boxes)]
    assert min(long) > 0.93 * max(long)
