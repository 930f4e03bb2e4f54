"""korean: whatever findings, measurements and notices say in English, a Korean report says in
Korean.
"""

from __future__ import annotations

import ast
import re
from pathlib import Path

import numpy as np
import pytest

from footcli.decide.findings import decide
from footcli.decide.profile import load_profile
from footcli.domain import Lesion, Measurement
from footcli.infer.landmarks import OUT_OF_VIEW
from footcli.infer.lesions import not_assessable
from footcli.measure import hallux
from footcli.measure.angles import FLOOR_WORDS
from footcli.measure.points import ABSENT, END_WORDS, IN_PART, OUTSIDE
from footcli.names import BONES, LESION_PLANE, MEASURES, UNIT
from footcli.text.korean import line
from footcli.views.slices import SIDE_UNKNOWN, SLAB_WORDS

PACKAGE = Path(__file__).resolve().parents[1] / "footcli"
KEPT = {"mm", "spacing", "mask"}  # units, options
REASONS = (
    *(f"{words} {OUTSIDE}" for words in END_WORDS.values()),
    *(f"{bone.en} {ABSENT}" for bone in BONES),
    *(f"{bone.en} {IN_PART} (3.1 mL)" for bone in BONES),
    hallux.OUTSIDE,
    hallux.NOT_FOUND,
    OUT_OF_VIEW,
    "the landmark model is not sure of HAA_Line1_Pt1 (score 0.12)",
    "CPA_Line1_Pt1 was not looked for",
    "no value",
    "1st metatarsal head is outside the field of view; 1st metatarsal is not in the scan",
)


def english(text: str) -> set[str]:
    """English words of a line, citations and what stands in brackets left out."""
    while re.search(r"\([^()]*\)", text):
        text = re.sub(r"\([^()]*\)", "", text)
    return set(re.findall(r"(?<![\w-])[a-z]{2,}(?![\w-])", text)) - KEPT


def test_english_stays_as_it_is() -> None:
    assert line("CPA 18.4 deg", "en") == "CPA 18.4 deg"


def test_an_unknown_line_stays_whole() -> None:
    assert line("something nobody foresaw", "ko") == "something nobody foresaw"


@pytest.mark.parametrize(
    "part", ["a, ", "a; ", "supporting: ", "x: PRESENT: ", "(", "box a, score 1, "]
)
def test_a_line_from_a_stranger_ends(part: str) -> None:
    for times in (80, 20_000):
        assert line(part * times, "ko")


@pytest.mark.parametrize("profile", ["general", "korea"])
def test_every_line_of_evidence_is_put_into_korean(profile: str) -> None:
    rng = np.random.default_rng(4)
    spread = {
        "CPA": (5, 40),
        "TMA": (-20, 25),
        "TCA": (15, 55),
        "HAA": (-15, 20),
        "HVA": (0, 50),
        "MTASA": (70, 105),
    }
    unseen = not_assessable({})
    seen: set[str] = set()
    for _ in range(400):
        measured = []
        for term in MEASURES:
            for source in ("landmarks", "masks"):
                known = rng.random() < 0.8
                value = float(rng.uniform(*spread.get(term.name, (-5, 40)))) if known else None
                why = None if known else str(rng.choice(REASONS))
                measured.append(
                    Measurement(
                        term.name, UNIT.get(term.name, "deg"), source, value=value, why_missing=why
                    )
                )  # type: ignore[arg-type]
        boxes = [
            Lesion(
                name,
                float(rng.uniform(0.2, 1)),
                plane,
                (10, int(10 + rng.integers(0, 4))),
                (0, 0, 0, 1, 1, 1),
                None,
            )
            for name, plane in LESION_PLANE.items()
            if rng.random() < 0.4
        ]
        if rng.random() < 0.3:  # a healthy foot
            measured = [
                Measurement(n, "deg", "landmarks", value=v)
                for n, v in {
                    "CPA": 24.0,
                    "TMA": 1.0,
                    "TCA": 38.0,
                    "HAA": 4.0,
                    "MTASA": 89.0,
                }.items()
            ]
            boxes = []
        some = {name: why for name, why in unseen.items() if rng.random() < 0.3}
        age = rng.choice([None, 12.0, 40.0])
        for finding in decide(
            measured, boxes, load_profile(profile), age_years=age, lesion_not_assessable=some
        ):
            seen |= set(finding.evidence)
    assert len(seen) > 1000
    left = {text: line(text, "ko") for text in seen if english(line(text, "ko"))}
    assert not left, list(left.items())[:5]
    for start in (
        "conflict",
        "supporting",
        "beside it",
        "the two ways",
        "borderline at most",
        "grade",
        "not assessable",
        "no abnormality",
    ):
        assert any(text.startswith(start) for text in seen), start


def test_reasons_and_notes_are_put_into_korean() -> None:
    for text in (
        *REASONS,
        *FLOOR_WORDS.values(),
        *SLAB_WORDS.values(),
        *(f"{words}; {SIDE_UNKNOWN}" for words in SLAB_WORDS.values()),
    ):
        assert line(text, "ko") != text
        assert not english(line(text, "ko")), line(text, "ko")


def _notices() -> list[str]:
    """The texts of all notices in the package, with 7 where a value stands."""
    found = []
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            called = isinstance(node, ast.Call) and (
                getattr(node.func, "id", "") == "Notice" or getattr(node.func, "attr", "") == "warn"
            )
            for word in node.args[1:2] if called else ():
                if isinstance(word, ast.Constant):
                    found.append(str(word.value))
                elif isinstance(word, ast.JoinedStr):
                    found.append(
                        "".join(
                            str(part.value) if isinstance(part, ast.Constant) else "7"
                            for part in word.values
                        )
                    )
    return found


def test_notices_are_put_into_korean() -> None:
    texts = _notices()
    assert len(texts) > 10
    for text in texts:
        assert not english(line(text, "ko")), (text, line(text, "ko"))
