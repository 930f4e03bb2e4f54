"""overlay: what is drawn lies where it was found."""

from __future__ import annotations

import base64
import io
import re
import xml.etree.ElementTree as ET
from dataclasses import replace

import numpy as np
import pytest
from make_result import make_result, make_views
from PIL import Image

from footcli.domain import Finding, Landmark, Lesion, Measurement, Plane
from footcli.levels import SURE
from footcli.report.angle_lines import angle_shown
from footcli.report.overlay import BONE_COLOURS, picture
from footcli.store.pictures import View
from footcli.web import svg

SLAB, COR, AXL = make_views()
SVG = "{http://www.w3.org/2000/svg}"


def _parts(view: View, **changes: object) -> ET.Element:
    return ET.fromstring(str(picture(view, make_result(**changes))))


def _layer(root: ET.Element, name: str) -> ET.Element:
    found = root.find(f"{SVG}g[@class='layer-{name}']")
    assert found is not None
    return found


def _texts(root: ET.Element) -> list[str]:
    return ["".join(text.itertext()) for text in root.iter(f"{SVG}text")]


def test_the_grey_image_is_the_views_own() -> None:
    href = _parts(COR).find(f"{SVG}image").attrib["href"]  # type: ignore[union-attr]
    pixels = np.asarray(
        Image.open(io.BytesIO(base64.b64decode(href.removeprefix("data:image/jpeg;base64,"))))
    )
    assert pixels.shape == COR.image.shape
    assert np.abs(pixels.astype(int) - COR.image).mean() < 4


def test_a_pixel_is_square_whatever_the_pictures_shape() -> None:
    root = _parts(SLAB)
    assert root.attrib["viewBox"] == "0 0 80 60"
    assert (
        root.find(f"{SVG}image").attrib["width"],
        root.find(f"{SVG}image").attrib["height"],
    ) == ("80", "60")  # type: ignore[union-attr]


def test_a_bones_outline_runs_along_the_edge_of_its_pixels() -> None:
    labels = np.zeros((30, 40), dtype=np.uint8)
    labels[10:20, 5:25] = 4
    path = _layer(_parts(replace(COR, labels=labels, image=labels)), "bones").find(f"{SVG}path")
    assert path is not None
    assert path.attrib["stroke"] == BONE_COLOURS[3]
    numbers = np.array([float(n) for n in re.findall(r"[\d.]+", path.attrib["d"])]).reshape(-1, 2)
    assert numbers.min(axis=0) == pytest.approx([5, 10], abs=0.1)
    assert numbers.max(axis=0) == pytest.approx([25, 20], abs=0.1)


def test_a_bone_at_the_pictures_border_is_closed_there() -> None:
    labels = np.full((8, 8), 1, dtype=np.uint8)
    path = _layer(_parts(replace(COR, labels=labels, image=labels)), "bones").find(f"{SVG}path")
    assert path is not None
    numbers = np.array([float(n) for n in re.findall(r"-?[\d.]+", path.attrib["d"])])
    assert (numbers.min(), numbers.max()) == (0.0, 8.0)


def test_ten_bones_have_ten_colours() -> None:
    assert len(set(BONE_COLOURS)) == 10


def test_a_slab_shows_the_angles_of_its_plane_from_both_sources() -> None:
    texts = _texts(_layer(_parts(SLAB), "lines"))
    assert {"CPA 12.9°", "CPA 13.4°", "TMA 5.2°", "TMA 11.0°", "TCA 38.0°", "TCA 39.5°"} == set(
        texts
    )


def test_lines_from_landmarks_are_solid_and_those_from_masks_dashed() -> None:
    for group in _layer(_parts(SLAB), "lines"):
        dashed = ["stroke-dasharray" in line.attrib for line in group.findall(f"{SVG}line")]
        assert dashed == [("source-masks" in group.attrib["class"])] * 2


def test_a_line_runs_through_its_points_as_the_view_projects_them() -> None:
    view = replace(
        SLAB,
        vox_to_px=np.array([[0, 2.0, 0, 10], [0, 0, -2.0, 100]]),
        image=np.zeros((120, 200), np.uint8),
    )
    points = ((25.0, 10.0, 40.0), (25.0, 60.0, 40.0), (25.0, 10.0, 5.0), (25.0, 60.0, 5.0))
    root = _parts(
        view,
        measurements=(
            Measurement("CPA", "deg", "landmarks", 0.0, plane=Plane.SAG, points_vox=points),
        ),
    )
    line = _layer(root, "lines")[0].find(f"{SVG}line")
    assert line is not None
    assert (
        line.attrib["y1"] == line.attrib["y2"] == "20.5"
    )  # row -2 * 40 + 100, centre of the pixel
    assert float(line.attrib["x1"]) < 30 < 130 < float(line.attrib["x2"])


def test_a_slice_far_from_the_points_shows_no_line_and_no_point() -> None:
    near, far = replace(SLAB, index=27), replace(SLAB, index=40)
    assert len(_layer(_parts(near), "lines")) == 6
    assert len(_layer(_parts(far), "lines")) == 0
    assert len(_layer(_parts(far), "points")) == 0


def test_a_slice_with_one_of_four_points_far_off_shows_no_line() -> None:
    points = ((25.0, 10.0, 9.0), (25.0, 60.0, 9.0), (25.0, 10.0, 5.0), (35.0, 60.0, 5.0))
    measured = (Measurement("CPA", "deg", "masks", 4.0, plane=Plane.SAG, points_vox=points),)
    assert len(_layer(_parts(replace(SLAB, index=25), measurements=measured), "lines")) == 0
    assert len(_layer(_parts(SLAB, measurements=measured), "lines")) == 1


def test_points_of_an_angle_that_is_not_measurable_are_not_drawn() -> None:
    measured = tuple(
        replace(m, value=None, why_missing="cut off", points_vox=())
        if (m.name, m.source) == ("CPA", "landmarks")
        else m
        for m in make_result().measurements
    )
    for view in (SLAB, replace(SLAB, index=27)):
        before, after = (
            "".join(_texts(_layer(_parts(view, **how), "points")))
            for how in ({}, {"measurements": measured})
        )
        assert "CPA" in before
        assert "CPA" not in after
        assert "TMA" in after


def test_landmarks_on_one_spot_share_a_label() -> None:
    assert "TMA P1 TCA P1" in _texts(_layer(_parts(SLAB), "points"))


@pytest.mark.parametrize(("score", "dotted"), [(SURE, False), (SURE - 0.01, True)])
def test_a_box_is_solid_where_its_finding_is_present(score: float, dotted: bool) -> None:
    lesion = Lesion("OLT", score, Plane.COR, (47, 53), (20.0, 47.0, 38.0, 27.0, 54.0, 43.0), None)
    box = _layer(_parts(COR, lesions=(lesion,)), "boxes").find(f"{SVG}rect")
    assert box is not None
    assert ("stroke-dasharray" in box.attrib) == dotted
    # columns 20 to 26, rows 59 - 42 to 59 - 38
    assert [float(box.attrib[k]) for k in ("x", "y", "width", "height")] == [20.0, 17.0, 7.0, 5.0]


def test_a_box_is_drawn_on_its_own_slices_and_plane_only() -> None:
    assert len(_layer(_parts(COR), "boxes")) == 2
    assert len(_layer(_parts(replace(COR, index=54)), "boxes")) == 0
    assert len(_layer(_parts(replace(COR, plane=Plane.SAG)), "boxes")) == 0


def test_side_edges_slice_and_scale_are_written_on_every_picture() -> None:
    texts = _texts(_parts(COR))
    assert {"L", "Me", "La", "S", "I", "slice 50", "10 mm"} <= set(texts)
    bar = next(line for line in _parts(COR).iter(f"{SVG}line") if line.attrib.get("class") == "bar")
    assert float(bar.attrib["x2"]) - float(bar.attrib["x1"]) == pytest.approx(
        20
    )  # 10 mm of half-millimetre pixels


def test_the_bar_is_20_mm_where_it_fits_and_absent_without_millimetres() -> None:
    assert "20 mm" in _texts(_parts(replace(COR, pixel_mm=1.0)))
    assert not any("mm" in text for text in _texts(_parts(replace(COR, pixel_mm=None))))


def test_an_unknown_side_is_said_and_not_guessed() -> None:
    texts = _texts(_parts(COR, side=None))
    assert "Side: Unknown" in texts
    assert not {"L", "R"} & set(texts)


def test_hostile_names_stay_text() -> None:
    bad = '<script>alert(1)</script>"\u202e'
    root = _parts(
        COR,
        lesions=(
            Lesion(bad, 0.9, Plane.COR, (47, 53), (20.0, 47.0, 38.0, 27.0, 54.0, 43.0), None),
        ),
        landmarks=(Landmark("HAA_Line1_Pt1" + bad, (25.0, 50.0, 30.0), None, 0.9),),
        findings=(Finding(bad, make_result().findings[0].level, ()),),
    )
    assert not list(root.iter(f"{SVG}script")) + list(root.iter("script"))
    assert any(text.startswith("<script>alert(1)</script>") for text in _texts(root))
    assert not any("\u202e" in text for text in _texts(root))


def test_lines_that_meet_nowhere_or_have_no_length_are_still_drawn() -> None:
    same = ((25.0, 10.0, 9.0),) * 4
    root = _parts(
        SLAB,
        measurements=(Measurement("CPA", "deg", "masks", 0.0, plane=Plane.SAG, points_vox=same),),
    )
    assert len(_layer(root, "lines")) == 1


def test_two_lines_cross_where_they_should() -> None:
    p = [np.array(v, dtype=float) for v in ((0, 0), (2, 2), (0, 4), (1, 3))]
    assert svg.crossing(*p) == pytest.approx([2, 2])
    assert svg.crossing(p[0], p[1], p[0] + 1.0, p[1] + 1.0) is None


@pytest.mark.parametrize(("value", "opening"), [(40.0, 40.0), (-40.0, 40.0), (140.0, 140.0)])
def test_the_arc_spans_the_sector_of_the_value(value: float, opening: float) -> None:
    angle = np.radians(40)
    p = [
        np.array(v, dtype=float)
        for v in ((0, 0), (10, 0), (0, 0), (10 * np.cos(angle), 10 * np.sin(angle)))
    ]
    first, second = angle_shown(np.zeros(2), (p[0] + p[1]) / 2, (p[2] + p[3]) / 2, abs(value))
    assert np.degrees(np.arccos(first @ second)) == pytest.approx(opening)
