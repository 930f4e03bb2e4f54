"""findings and profiles: cut-offs with sources, guard bands, conflicts, boxes, and what may be
called normal.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from pathlib import Path

import pytest

import footcli.decide.profile
from footcli.decide.boxes import arch_by_angles
from footcli.decide.findings import decide
from footcli.decide.profile import UNSOURCED, load_profile, profile_names
from footcli.domain import Finding, Lesion, Level, Measurement, Plane, Source
from footcli.errors import SetupError
from footcli.kinds import ANGLE, ANGLES, FINDINGS, LESION
from footcli.levels import SURE, SUSPICIOUS
from footcli.text.lines import Line
from footcli.text.wording import text

GENERAL = load_profile("general")
OUT_OF_VIEW = Line("part_outside", part=Line("part.talus_top"))
HEALTHY = {"CPA": 24.0, "TMA": 1.0, "TCA": 38.0, "HAA": 4.0, "MTASA": 89.0}


def angle(
    name: str, value: float | None, source: Source = "landmarks", why: Line | None = None
) -> Measurement:
    return Measurement(name, ANGLE[name].unit, source, value=value, why_missing=why)


def box(label: str, score: float, slices: tuple[int, int] = (10, 14)) -> Lesion:
    return Lesion(label, score, LESION[label].plane, slices, (0, 0, 0, 1, 1, 1), None)


def found(
    values: Mapping[str, float | None] = HEALTHY,
    lesions: tuple[Lesion, ...] = (),
    *,
    profile: str = "general",
    age: float | None = 40.0,
    unseen: Mapping[str, Line] | None = None,
    extra: tuple[Measurement, ...] = (),
) -> dict[str, Finding]:
    measured = [
        angle(name, value, why=OUT_OF_VIEW if value is None else None)
        for name, value in values.items()
    ]
    answer = decide(
        [*measured, *extra],
        lesions,
        load_profile(profile),
        age_years=age,
        lesion_not_assessable=unseen,
    )
    assert [f.name for f in answer] == [term.name for term in FINDINGS]
    return {f.name: f for f in answer}


def feet(**values: float | None) -> dict[str, float | None]:
    return {**HEALTHY, **values}


def test_a_healthy_foot_is_normal_and_says_what_was_looked_for() -> None:
    answer = found()
    assert answer["normal"].level is Level.PRESENT
    assert all(f.level is Level.NOT_SEEN for f in answer.values() if f.name != "normal")
    assert "flat foot, cavus foot, hallux valgus" in text(answer["normal"].evidence[0])


def test_flat_foot_needs_both_angles_and_shows_value_cut_off_and_source() -> None:
    flat = found(feet(CPA=14.2, TMA=11.0))["flat_foot"]
    assert (flat.level, flat.grade) == (Level.PRESENT, "mild")
    assert (
        "CPA 14.2 deg, below 18 deg (general; S4 pacs.de, Calcaneal inclination angle), from the "
        "landmarks" in map(text, flat.evidence)
    )
    assert any(
        line.startswith("TMA 11.0 deg, above 4 deg (general; S17")
        for line in map(text, flat.evidence)
    )


@pytest.mark.parametrize("values", [{"CPA": 14.0}, {"TMA": 9.0}])
def test_one_angle_alone_is_a_conflict_and_borderline(values: dict[str, float | None]) -> None:
    flat = found(feet(**values))["flat_foot"]
    assert flat.level is Level.POSSIBLE
    assert text(flat.evidence[0]).startswith(
        f"conflict: {next(iter(values))} is consistent with flat foot"
    )
    assert flat.grade is None


@pytest.mark.parametrize(
    ("cpa", "tma", "level"),
    [
        (17.5, 9.0, Level.POSSIBLE),  # pitch in its band
        (18.5, 9.0, Level.POSSIBLE),  # the band counts on both sides
        (14.0, 5.9, Level.POSSIBLE),
        (17.0, 6.0, Level.PRESENT),  # at the band's edge: no longer borderline
        (17.5, 1.0, Level.NOT_SEEN),  # the other angle is clearly short: both together cannot be
        (19.0, 2.0, Level.NOT_SEEN),
        (None, 9.0, Level.POSSIBLE),
        (14.0, None, Level.POSSIBLE),
        (24.0, None, Level.NOT_MEASURABLE),
        (None, None, Level.NOT_MEASURABLE),
    ],
)
def test_flat_foot_follows_guard_bands_and_missing_angles(
    cpa: float | None, tma: float | None, level: Level
) -> None:
    flat = found(feet(CPA=cpa, TMA=tma))["flat_foot"]
    assert flat.level is level
    if None in (cpa, tma):
        assert any(
            "not measurable: dome of the talus is outside" in line
            for line in map(text, flat.evidence)
        )


@pytest.mark.parametrize(
    ("cpa", "tma", "level"),
    [
        (34.0, 0.0, Level.PRESENT),
        (24.0, -9.0, Level.PRESENT),
        (34.0, None, Level.PRESENT),
        (29.5, 0.0, Level.POSSIBLE),
        (34.0, 9.0, Level.POSSIBLE),
        (24.0, None, Level.NOT_MEASURABLE),
        (24.0, 0.0, Level.NOT_SEEN),
    ],
)
def test_cavus_takes_one_angle_unless_the_other_says_the_opposite(
    cpa: float, tma: float | None, level: Level
) -> None:
    cavus = found(feet(CPA=cpa, TMA=tma))["cavus_foot"]
    assert cavus.level is level
    assert text(cavus.evidence[0]).startswith("conflict") == (tma == 9.0)


def test_the_korean_profile_has_its_own_cut_offs_and_grades() -> None:
    assert found(feet(CPA=16.0, TMA=9.0), profile="korea")["flat_foot"].level is Level.PRESENT
    assert found(feet(CPA=17.5, TMA=9.0), profile="korea")["flat_foot"].level is Level.POSSIBLE
    low_pitch = found(feet(CPA=8.0, TMA=9.0), profile="korea")["flat_foot"]
    assert low_pitch.grade == "moderate-severe"
    assert any(
        "CPA 8.0 deg, below 10 deg (korea; S5 Ryu 2022" in line
        for line in map(text, low_pitch.evidence)
    )
    assert any(
        "(general; S4" in line
        for line in map(text, found(feet(CPA=34.0), profile="korea")["cavus_foot"].evidence)
    )


@pytest.mark.parametrize(
    ("tma", "grade"), [(8.0, "mild"), (15.0, "moderate"), (30.0, "moderate"), (30.5, "severe")]
)
def test_grades_of_flat_foot_follow_the_talo_metatarsal_angle(tma: float, grade: str) -> None:
    assert found(feet(CPA=10.0, TMA=tma))["flat_foot"].grade == grade


@pytest.mark.parametrize("age", [None, 17.9, float("nan")])
def test_children_and_unknown_ages_get_no_adult_grade(age: float | None) -> None:
    flat = found(feet(CPA=10.0, TMA=20.0), age=age)["flat_foot"]
    assert (flat.level, flat.grade) == (Level.PRESENT, None)
    assert any("cut-offs are for adults" in line for line in map(text, flat.evidence))
    assert found(feet(CPA=10.0, TMA=20.0), age=18.0)["flat_foot"].grade == "moderate"


def test_masks_stand_in_where_landmarks_have_no_value() -> None:
    flat = found(feet(CPA=None, TMA=9.0), extra=(angle("CPA", 12.0, "masks"),))["flat_foot"]
    assert flat.level is Level.PRESENT
    assert any(
        "CPA 12.0 deg" in line and line.endswith("from the bone masks")
        for line in map(text, flat.evidence)
    )


def test_landmarks_and_masks_that_disagree_make_a_finding_borderline() -> None:
    near = found(feet(CPA=12.0, TMA=9.0), extra=(angle("CPA", 14.9, "masks"),))["flat_foot"]
    assert any(
        "CPA 13.4 deg" in line and line.endswith("from the landmarks and the bone masks")
        for line in map(text, near.evidence)
    ), "their mean"
    far = found(feet(CPA=12.0, TMA=9.0), extra=(angle("CPA", 15.1, "masks"),))["flat_foot"]
    assert (near.level, far.level) == (Level.PRESENT, Level.POSSIBLE)
    assert (
        "landmarks and masks give CPA values that differ by 3.1 deg (more than 3): 12.0 from the "
        "landmarks, 15.1 from the bone masks" in map(text, far.evidence)
    )
    assert found(extra=(angle("HAA", 9.0, "masks"),))["normal"].level is Level.POSSIBLE


def test_a_value_that_is_no_number_counts_as_missing() -> None:
    assert found(feet(CPA=float("nan")))["normal"].level is Level.NOT_MEASURABLE


@pytest.mark.parametrize(
    ("score", "level"),
    [(SURE, Level.PRESENT), (SUSPICIOUS, Level.POSSIBLE), (SUSPICIOUS - 0.01, Level.NOT_SEEN)],
)
@pytest.mark.parametrize(
    ("name", "label"),
    [
        ("hallux_valgus", "Hallux Valgus"),
        ("ankle_arthritis", "Ankle Arthritis"),
        ("olt", "OLT"),
        ("accessory_navicular", "Accessory Navicular"),
        ("tarsal_coalition", "Tarsal Coalition"),
    ],
)
def test_a_box_makes_its_own_finding_only(
    name: str, label: str, score: float, level: Level
) -> None:
    answer = found(lesions=(box(label, score),))
    assert answer[name].level is level
    assert all(f.level is Level.NOT_SEEN for f in answer.values() if f.name not in (name, "normal"))
    assert answer["normal"].level is (Level.PRESENT if level is Level.NOT_SEEN else Level.NOT_SEEN)


def test_an_olt_box_in_a_single_slice_is_not_counted() -> None:
    assert found(lesions=(box("OLT", 0.9, (7, 8)),))["olt"].level is Level.PRESENT
    single = found(lesions=(box("OLT", 0.9, (7, 7)),))["olt"]
    assert single.level is Level.NOT_SEEN
    assert "coronal slice 7: not counted, it takes 2 consecutive slices" in text(single.evidence[0])


def test_a_lesion_that_could_not_be_looked_for_is_not_measurable_unless_a_box_was_found() -> None:
    unseen = {"Hallux Valgus": OUT_OF_VIEW}
    blind = found(unseen=unseen)
    assert blind["hallux_valgus"].level is Level.NOT_MEASURABLE
    assert blind["hallux_valgus"].evidence == (Line("not_assessable", why=OUT_OF_VIEW),)
    assert blind["normal"].level is Level.NOT_MEASURABLE
    assert "dome of the talus is outside the field of view" in text(blind["normal"].evidence[0])
    assert (
        found(lesions=(box("Hallux Valgus", 0.8),), unseen=unseen)["hallux_valgus"].level
        is Level.PRESENT
    )
    with pytest.raises(ValueError, match="'hallux' is no lesion name"):
        found(unseen={"hallux": OUT_OF_VIEW})


def test_a_measured_hallux_angle_counts_beside_the_box() -> None:
    bent = found(feet(HVA=43.0, IMA=13.0))["hallux_valgus"]
    assert (bent.level, bent.grade) == (Level.PRESENT, "severe")
    assert found(feet(HVA=30.0, IMA=19.0))["hallux_valgus"].grade == "severe"
    assert found(feet(HVA=16.0))["hallux_valgus"].level is Level.POSSIBLE
    assert (
        found(feet(HVA=8.0), lesions=(box("Hallux Valgus", 0.8),))["hallux_valgus"].level
        is Level.PRESENT
    )
    assert (
        found(feet(HVA=43.0), lesions=(box("Hallux Valgus", 0.8),), age=None)["hallux_valgus"].grade
        is None
    )


@pytest.mark.parametrize(
    ("cpa", "tma", "score"),
    [
        (14.2, 11.0, [0.78]),
        (17.0, 11.0, [0.5]),
        (18.0, 11.0, [0.38]),
        (32.0, -10.0, [0.73]),
        (22.0, -8.0, [0.62]),
        (17.0, 2.0, [0.27]),
        (22.0, 1.0, [0.15]),
        (14.0, None, [0.38]),
        (None, 11.0, [0.38]),
        (None, 2.0, [0.27]),
        (None, -10.0, [0.73]),
        (None, None, [0.4, 0.1]),
    ],
)
def test_a_box_of_the_arch_is_as_sure_as_the_angles_that_define_it(
    cpa: float | None, tma: float | None, score: list[float]
) -> None:
    measured = [angle("CPA", cpa, why="out of view"), angle("TMA", tma, why="out of view")]
    lesions = (
        box("OLT", 0.6),
        box("Flatfoot or Cavus", 0.4),
        box("Tarsal Coalition", 0.31),
        box("Flatfoot or Cavus", 0.1),
    )
    judged = arch_by_angles(lesions, measured, load_profile("general"))
    assert [x.score for x in judged if x.label == "Flatfoot or Cavus"] == pytest.approx(
        score, abs=0.006
    )
    assert [x.score for x in judged if x.label != "Flatfoot or Cavus"] == [0.6, 0.31]
    assert sorted(judged, key=lambda x: -x.score) == list(judged)


def test_the_flat_or_cavus_box_only_supports() -> None:
    shape = box("Flatfoot or Cavus", 0.9)
    answer = found(lesions=(shape,))
    assert answer["flat_foot"].level is Level.NOT_SEEN
    assert answer["normal"].level is Level.POSSIBLE
    assert any(
        "supports flat foot" in line
        for line in map(text, found(feet(CPA=12.0, TMA=9.0), (shape,))["flat_foot"].evidence)
    )


def test_other_angles_support_a_finding_without_making_one() -> None:
    flat = found(feet(CPA=12.0, TMA=9.0, TCA=50.0))["flat_foot"]
    assert any(
        line.startswith("supporting: TCA 50.0 deg, above 45 deg")
        for line in map(text, flat.evidence)
    )
    tilted = found(feet(MTASA=70.0))
    assert tilted["ankle_arthritis"].level is Level.NOT_SEEN
    assert any(
        "MTASA 70.0 deg, outside" in line for line in map(text, tilted["ankle_arthritis"].evidence)
    )
    assert tilted["normal"].level is Level.NOT_SEEN


def _joint(medial: float, tilt: float) -> tuple[Measurement, ...]:
    return Measurement("JSW_M", "mm", "masks", value=medial), Measurement(
        "TT", "deg", "masks", value=tilt
    )


@pytest.mark.parametrize(
    ("score", "medial", "tilt", "level"),
    [
        (0.0, 2.5, 0.0, Level.NOT_SEEN),
        (0.0, 0.9, 0.0, Level.NOT_SEEN),
        (0.0, 0.9, 6.0, Level.POSSIBLE),
        (0.0, 1.4, 6.0, Level.NOT_SEEN),
        (0.4, 2.5, 6.0, Level.POSSIBLE),
        (0.4, 0.9, 0.0, Level.PRESENT),
        (0.7, 2.5, 0.0, Level.PRESENT),
    ],
)
def test_joint_space_and_tilt_add_to_the_box_of_ankle_arthritis(
    score: float, medial: float, tilt: float, level: Level
) -> None:
    boxes = (box("Ankle Arthritis", score),) if score else ()
    answer = found(lesions=boxes, extra=_joint(medial, tilt))["ankle_arthritis"]
    assert answer.level is level
    assert any(
        "JSW_M 0.9 mm, outside the normal range" in line for line in map(text, answer.evidence)
    ) is (medial == 0.9)


@pytest.mark.parametrize("name", [a.name for a in ANGLES])
def test_no_foot_is_normal_with_an_angle_missing(name: str) -> None:
    normal = found(feet(**{name: None}))["normal"]
    assert normal.level is Level.NOT_MEASURABLE
    assert Line("angle_missing", angle=name, why=(OUT_OF_VIEW,)) in normal.evidence


def test_nothing_measured_at_all_is_never_normal() -> None:
    answer = found({})
    assert answer["normal"].level is Level.NOT_MEASURABLE
    assert answer["flat_foot"].level is Level.NOT_MEASURABLE


def test_no_word_of_diagnosis_and_no_syndrome_is_printed() -> None:
    every = tuple(box(label, 0.9) for label in LESION)
    lines = [
        line
        for f in found(feet(CPA=12.0, TMA=20.0), every).values()
        for line in map(text, f.evidence)
    ]
    assert len(lines) > 10
    assert not [line for line in lines if re.search("diagnos|syndrome", line, re.IGNORECASE)]


def test_an_unknown_profile_names_those_there_are() -> None:
    assert profile_names() == ("general", "korea")
    for name in ("japan", "../general", ""):
        with pytest.raises(SetupError, match="choose one of general, korea"):
            load_profile(name)


@pytest.mark.parametrize("name", profile_names())
def test_every_range_and_cut_off_carries_a_source(name: str) -> None:
    profile = load_profile(name)
    ranges = profile.facts().ranges
    texts = []
    for limits in ranges.values():
        assert limits.origins
        texts.append(str(limits.origins[0].values["origin"]))
    texts += [cutoff.source for table in profile.cutoffs.values() for cutoff in table.values()]
    texts += [grade.cutoff.source for grades in profile.grades.values() for grade in grades]
    assert all(UNSOURCED in said or re.search(r"\bS\d+ \w", said) for said in texts)
    assert set(ranges) >= {a.name for a in ANGLES}
    assert set(profile.guard_band) >= {a.name for a in ANGLES}
    assert len(profile.facts().sha256) == 64


def test_the_shipped_cut_offs_are_those_of_the_literature_table() -> None:
    korea, general = load_profile("korea").shown, GENERAL.shown
    assert (general["CPA"].low, general["CPA"].high) == (18.0, 30.0)
    assert (general["TMA"].low, general["TMA"].high) == (-4.0, 4.0)
    assert (korea["CPA"].low, korea["CPA"].high, korea["TMA"].high) == (17.0, 30.0, 6.0)
    assert general["HVA"].low is None
    assert GENERAL.cutoffs["HAA"]["cavus"].source == UNSOURCED


def test_every_cited_code_is_used_and_resolved() -> None:
    for file in Path(footcli.decide.profile.__file__).parent.glob("*.toml"):
        content = file.read_text(encoding="utf-8")
        codes = set(tomllib.loads(content)["sources"])
        assert codes == set(re.findall(r'"(S\d+)"', content))


def test_a_damaged_profile_is_a_setup_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "odd.toml").write_text(
        'extends = "general"\n[cutoff.CPA]\nflat = { op = "~", value = 1.0, source = ["S4"] }\n'
    )
    (tmp_path / "bad.toml").write_text("[[[")
    (tmp_path / "general.toml").write_bytes(
        (Path(footcli.decide.profile.__file__).parent / "general.toml").read_bytes()
    )
    monkeypatch.setattr(footcli.decide.profile, "_FOLDER", tmp_path)
    with pytest.raises(SetupError, match=r"profile odd cannot be used.*op '~'"):
        load_profile("odd")
    with pytest.raises(SetupError, match="profile bad cannot be used"):
        load_profile("bad")


def test_planes_of_boxes_are_said_in_words() -> None:
    assert "axial slices 10-14" in text(
        found(lesions=(box("Hallux Valgus", 0.8),))["hallux_valgus"].evidence[0]
    )
    assert {kind.plane for kind in LESION.values()} == set(Plane)
