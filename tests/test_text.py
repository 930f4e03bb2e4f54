"""text: every line has both languages with the same slots, and is worded from data alone."""

from __future__ import annotations

import ast
import pickle
import re
import string
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from footcli.decide.findings import decide
from footcli.decide.profile import load_profile
from footcli.domain import Lesion, Measurement
from footcli.errors import CaseError, ReadError, SetupError
from footcli.infer.landmarks import OUT_OF_VIEW
from footcli.kinds import BONE, BONES, FINDINGS, LESIONS, MEASURES
from footcli.measure import hallux
from footcli.store.codec import line_from, line_json
from footcli.text import codes
from footcli.text.lines import Line
from footcli.text.wording import FILES, LANGUAGES, strings, tables, text, wording
from footcli.views.slices import SLAB_WORDS
from footcli.web.page import strings as page_strings

PACKAGE = Path(__file__).resolve().parents[1] / "footcli"
KEPT = {"mm", "spacing", "overwrite", "jobs", "dcm", "json", "npz", "inf", "signoff", "report"}
REASONS = (
    Line("part_outside", part=Line("part.talus_top")),
    *(Line("bone_absent", bone=bone.word) for bone in BONES),
    *(Line("bone_in_part", bone=bone.word, volume=3.14) for bone in BONES),
    hallux.OUTSIDE,
    hallux.NOT_FOUND,
    OUT_OF_VIEW,
    Line("landmark_unsure", point="HAA_Line1_Pt1", score=0.123),
    Line("point_not_sought", point="CPA_Line1_Pt1"),
)


def english(said: str) -> set[str]:
    """English words of a Korean text, citations and what stands in brackets left out."""
    while re.search(r"\([^()]*\)", said):
        said = re.sub(r"\([^()]*\)", "", said)
    return set(re.findall(r"(?<![\w.-])[a-z]{2,}(?![\w.-])", said)) - KEPT


def slots(template: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(template) if name is not None}


def test_no_code_stands_in_two_tables() -> None:
    counts = [len(entries) for entries in map(_entries, FILES)]
    assert sum(counts) == len(tables())
    assert all(count > 50 for count in counts)


def _entries(name: str) -> dict[str, Any]:
    from footcli.text import wording as module

    return module._entries(name)


@pytest.mark.parametrize("code", sorted(tables()))
def test_both_languages_have_the_same_slots(code: str) -> None:
    en, ko = tables()[code]
    assert en.strip()
    assert ko.strip()
    wanted, found = slots(en), slots(ko)
    # the unit of a range stands once in Korean; "one of several" slices names no last one
    assert found <= wanted or code in ("range_both",)
    assert wanted == found


def test_korean_lines_hold_no_english() -> None:
    left = {}
    for code in _entries("lines.toml"):
        bare = re.sub(r"\{[^}]*\}", "", wording(code, "ko"))
        if found := english(bare):
            left[code] = found
    words = {word for found in left.values() for word in found} - {"footcli", "imagecodecs"}
    assert words == set(), left


def _called_codes() -> Iterator[tuple[str, set[str], str]]:
    """(code, keyword names, where) of every line that the package makes with a fixed code."""
    makers = {"Line", "warn", "line", "ReadError", "CaseError", "InferenceError"}
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if not isinstance(node, ast.Call) or not node.args:
                continue
            name = getattr(node.func, "id", getattr(node.func, "attr", ""))
            first = node.args[0]
            if name in makers and isinstance(first, ast.Constant) and isinstance(first.value, str):
                known = {word.arg for word in node.keywords if word.arg is not None}
                whole = all(word.arg is not None for word in node.keywords)
                yield first.value, known if whole else set(), f"{path.name}:{node.lineno}"


def test_every_line_that_is_made_has_a_wording_and_fills_its_slots() -> None:
    made = list(_called_codes())
    assert len(made) > 80
    for code, given, where in made:
        assert code in tables(), f"{where}: {code}"
        # an earlier version's text stands for all slots; compare.py adds an angle's own
        if given and "text" not in given and not where.startswith("compare.py"):
            assert slots(wording(code)) <= given, f"{where}: {code}"


def test_every_wording_of_a_line_is_used() -> None:
    source = "".join(path.read_text("utf-8") for path in PACKAGE.rglob("*.py"))
    source += "".join(path.read_text("utf-8") for path in PACKAGE.rglob("decide/*.toml"))
    unused = [code for code in _entries("lines.toml") if f'"{code}"' not in source]
    built = {"floor_bones", "floor_horizontal", "origin_low", "origin_high"}  # by an f-string
    assert set(unused) <= built


def test_every_noun_has_its_words() -> None:
    for term in (*BONES, *MEASURES, *LESIONS, *FINDINGS):
        assert term.en
        assert term.ko


def test_a_line_is_worded_in_both_languages() -> None:
    inner = Line("part_outside", part=Line("part.ray1"))
    line = Line("angle_missing", angle="TMA", why=(inner, Line("toes_not_sought")))
    assert text(line) == (
        "TMA not measurable: the 1st metatarsal is outside the field of view; "
        "the toes were not looked for"
    )
    assert text(line, "ko") == "TMA 측정 불가: 제1중족골: 촬영 범위 밖; 발가락은 찾지 않음"


def test_a_line_is_the_same_before_and_after_it_was_stored() -> None:
    line = Line("bone_in_part", bone=BONE["Talus"].word, volume=3.14159)
    assert line.values["volume"] == 3.142
    assert line_from(line_json(line)) == line
    assert hash(line_from(line_json(line))) == hash(line)
    assert pickle.loads(pickle.dumps(line)) == line


def test_a_line_is_never_changed() -> None:
    with pytest.raises(AttributeError):
        Line("shaft_gap").code = "other"


def test_a_line_of_another_version_says_what_it_said() -> None:
    for values in ({}, {"bone": 3, "volume": "much"}, {"bone": []}):
        data = {"code": "bone_in_part", "values": values, "text": "half a talus"}
        assert text(line_from(data)) == "half a talus"
    data = {"code": "of_tomorrow", "values": {"a": {"code": "x", "values": {}, "text": "y"}}}
    assert text(line_from({**data, "text": "said tomorrow"}), "ko") == "said tomorrow"


@pytest.mark.parametrize("bad", [None, 3, {}, {"code": 3}, {"code": "a", "values": 3}])
def test_what_is_no_line_is_refused(bad: Any) -> None:
    with pytest.raises(ValueError, match="a line must"):
        line_from(bad)


def test_a_template_never_reaches_into_a_value() -> None:
    for code in tables():
        for _, name, spec, _ in string.Formatter().parse(wording(code)):
            assert name is None or re.fullmatch(r"[a-z_]*", name), code
            assert "{" not in (spec or ""), code


def test_an_error_is_a_line_and_survives_a_process() -> None:
    error = ReadError("bad_frames.short", file="a.dcm", count=7)
    assert error.code == "bad_frames"
    assert str(error) == "a.dcm: its pixel data is too short for 7 frames; export it again"
    copy = pickle.loads(pickle.dumps(error))
    assert (type(copy), copy.line, str(copy)) == (ReadError, error.line, str(error))
    with pytest.raises(KeyError):
        CaseError("no_such_code")


def test_an_unknown_language_is_refused() -> None:
    with pytest.raises(SetupError, match="no language 'fr': use one of en, ko"):
        page_strings("fr")
    assert all(strings(lang) for lang in LANGUAGES)


@pytest.mark.parametrize("profile", ["general", "korea"])
def test_every_line_of_evidence_has_korean(profile: str) -> None:
    rng = np.random.default_rng(4)
    seen: set[Line] = set()
    for _ in range(400):
        measured, boxes = _foot(rng)
        some = {kind.name: kind.why_not for kind in LESIONS if rng.random() < 0.3}
        age = rng.choice([None, 12.0, 40.0])
        for finding in decide(
            measured, boxes, load_profile(profile), age_years=age, lesion_not_assessable=some
        ):
            seen |= set(finding.evidence)
    assert len(seen) > 1000
    left = {text(line): said for line in seen if english(said := text(line, "ko"))}
    assert not left, list(left.items())[:5]
    codes_ = {line.family for line in seen}
    assert codes_ >= {
        "conflict",
        "supporting",
        "beside",
        "ways_differ",
        "angles_needed",
        "grade_reached",
        "not_assessable",
        "all_clear",
    }


def _foot(rng: np.random.Generator) -> tuple[list[Measurement], list[Lesion]]:
    """Measurements and boxes at random; one foot in three is healthy."""
    if rng.random() < 0.3:
        healthy = {"CPA": 24.0, "TMA": 1.0, "TCA": 38.0, "HAA": 4.0, "MTASA": 89.0}
        return [Measurement(n, "deg", "landmarks", value=v) for n, v in healthy.items()], []
    spread = {
        "CPA": (5, 40),
        "TMA": (-20, 25),
        "TCA": (15, 55),
        "HAA": (-15, 20),
        "HVA": (0, 50),
        "MTASA": (70, 105),
    }
    measured = []
    for kind in MEASURES:
        for source in ("landmarks", "masks"):
            known = rng.random() < 0.8
            value = float(rng.uniform(*spread.get(kind.name, (-5, 40)))) if known else None
            why = None if known else REASONS[int(rng.integers(len(REASONS)))]
            made = Measurement(kind.name, kind.unit, source, value=value, why_missing=why)  # type: ignore[arg-type]
            measured.append(made)
    boxes = []
    for kind in LESIONS:
        if rng.random() < 0.4:
            slices = (10, int(10 + rng.integers(0, 4)))
            score = float(rng.uniform(0.2, 1))
            boxes.append(Lesion(kind.name, score, kind.plane, slices, (0, 0, 0, 1, 1, 1), None))
    return measured, boxes


def test_captions_and_reasons_have_korean() -> None:
    for line in (*REASONS, *SLAB_WORDS.values()):
        assert text(line, "ko") != text(line)
        assert not english(text(line, "ko")), text(line, "ko")


def test_the_table_of_codes_is_made_from_the_wordings() -> None:
    assert codes.FILE.read_text("utf-8") == codes.table()
