"""report, index, messages: the pages say what was found, and nothing in a file becomes markup."""

from __future__ import annotations

import base64
import hashlib
import html
import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
import schemas
from browser import needs_chromium, opened, printed_pages
from make_result import AFFINE, SHAPE_ZYX, beyond, make_result, make_views
from numpy import uint8, zeros

from footcli.decide.position import position
from footcli.domain import CaseFailure, Finding, Level, Measurement
from footcli.errors import CaseError, SetupError
from footcli.kinds import FINDINGS, LESIONS, MEASURES
from footcli.provenance import InputFacts, ModelFacts, ProfileFacts, Provenance
from footcli.report.index import write_index
from footcli.report.patient import Beside, render, write_report
from footcli.report.summaries import write_summaries
from footcli.store.journal import JournalLine, add
from footcli.store.pictures import Pictures
from footcli.store.result import save_case
from footcli.store.signoff import SignOff, Verdict, load_signoff, merge_signoff
from footcli.system.assets import templates_dir
from footcli.text.clean import clean
from footcli.text.lines import Line
from footcli.text.wording import LANGUAGES, strings
from footcli.web.svg import range_bar


class _Page(HTMLParser):
    """Tags with attributes, and the text that a reader sees."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self._quiet = ""
        self.feed(html)
        self.text = re.sub(r"\s+", " ", self.text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self.text += " "
        self._quiet = tag if tag in ("script", "style") else ""

    def handle_endtag(self, tag: str) -> None:
        self._quiet = ""

    def handle_data(self, data: str) -> None:
        self.text += "" if self._quiet else data


def _page(lang: str = "en", **changes: Any) -> _Page:
    return _Page(render(make_result(**changes), make_views(), lang=lang))


def _section(html: str, name: str) -> str:
    found = re.search(rf'<section id="{name}">.*?</section>', html, re.DOTALL)
    assert found is not None
    return re.sub(r"\s+", " ", _Page(found[0]).text)


def _save(folder: Path, **changes: Any) -> None:
    save_case(
        folder,
        make_result(case_id=folder.name, **changes),
        zeros(SHAPE_ZYX, uint8),
        AFFINE,
        Pictures(make_views()),
    )


def test_the_sections_stand_in_the_order_of_the_layout() -> None:
    ids = [attrs["id"] for tag, attrs in _page().tags if tag == "section"]
    assert ids == [
        "head",
        "impression",
        "angles",
        "pictures",
        "lesions",
        "findings",
        "signoff",
        "missing",
        "trace",
    ]
    assert _page().text.index("Research use only. Not a medical device.") < _page().text.index(
        "case-01", 60
    )


def test_the_head_says_what_the_input_was() -> None:
    text = _section(render(make_result(), make_views()), "head")
    for word in (
        "Weight-bearing yes",
        "Age band 40-59",
        "0.5 × 0.5 × 0.5 mm",
        "Slices 60",
        "1 of 60 slices are missing and were filled",
    ):
        assert word in text


def test_what_the_provenance_leaves_out_is_unknown_and_no_error() -> None:
    html = render(make_result(provenance=Provenance(), side=None), ())
    assert "Weight-bearing unknown" in _section(html, "head")
    assert "not recorded" in _section(html, "trace")
    assert "No pictures were saved." in _section(html, "pictures")


def test_the_impression_ranks_present_before_borderline_with_grade_evidence_and_link() -> None:
    html = render(make_result(), make_views())
    text = _section(html, "impression")
    assert text.index("Consistent with flat foot") < text.index(
        "Possible: osteochondral lesion of the talus"
    )
    assert "Grade: mild" in text
    assert "TMA 5.2 deg, above 4 deg (general; S4), from the landmarks and the bone masks; " in text
    assert "Not judged: hallux valgus." in text
    links = re.findall(r'<a href="#(view-\d)">see', html)
    assert links[:2] == [
        "view-1",
        "view-2",
    ]  # the sagittal slab, and the coronal slice with the box
    assert all(f'<figure id="{link}"' in html for link in links)


def test_the_impression_holds_five_lines_at_most_and_says_so() -> None:
    six = ("flat_foot", "olt", "hallux_valgus", "ankle_arthritis", "cavus_foot", "x")
    findings = tuple(Finding(name, Level.PRESENT, ()) for name in six)
    html = render(make_result(findings=findings), make_views())
    assert _section(html, "impression").count("Consistent with") == 5
    assert "further findings in the findings table" in _section(html, "impression")


def test_normal_lists_what_was_looked_at() -> None:
    findings = (
        Finding("flat_foot", Level.NOT_SEEN, ()),
        Finding("olt", Level.NOT_MEASURABLE, ()),
        Finding("normal", Level.PRESENT, ()),
    )
    text = _section(render(make_result(findings=findings), ()), "impression")
    assert "No abnormality detected by this tool among: flat foot." in text
    assert "Not judged: osteochondral lesion of the talus." in text


def test_nothing_found_is_not_called_normal_where_not_all_was_judged() -> None:
    findings = (
        Finding("flat_foot", Level.NOT_MEASURABLE, ()),
        Finding("normal", Level.NOT_MEASURABLE, ()),
    )
    text = _section(render(make_result(findings=findings), ()), "impression")
    assert "this is no normal result" in text
    assert "No abnormality" not in text


@pytest.mark.parametrize(
    ("value", "low", "high", "state"),
    [
        (24.0, 18.0, 30.0, "within"),
        (17.5, 18.0, 30.0, "near"),
        (18.5, 18.0, 30.0, "near"),
        (17.0, 18.0, 30.0, "outside"),
        (31.0, 18.0, 30.0, "outside"),
        (-9.0, None, 5.0, "within"),
        (6.0, None, 5.0, "outside"),
        (6.0, None, None, "no_range"),
        (None, 18.0, 30.0, "missing"),
    ],
)
def test_the_state_of_an_angle(
    value: float | None, low: float | None, high: float | None, state: str
) -> None:
    assert position(value, low, high, 1.0) == state


def test_the_angle_table_shows_both_sources_range_state_and_difference() -> None:
    text = _section(render(make_result(), make_views()), "angles")
    assert re.search(
        r"CPA calcaneal pitch.*12\.9° ▲ outside slice 25, confidence 0\.93 13\.4° ▲ outside", text
    )
    assert "18.0° … 30.0° near the limit within ±1.0° S4" in text
    assert "The two ways differ by 5.8°: check the picture." in text
    assert text.count("The two ways differ") == 1
    assert "−4.0° … 4.0°" in text
    assert "≤ 5.0°" in text
    assert "– not measurable" in text
    assert "Threshold profile: general 1." in text


def test_a_source_that_took_no_measurement_is_shown_as_such() -> None:
    only = (Measurement("TT", "deg", "masks", 3.0), Measurement("FAO", "percent", "masks", -1.25))
    text = _section(render(make_result(measurements=only), ()), "angles")
    assert "−1.2 %" in text
    assert "not taken" in text
    assert "no cut-off" in text


def test_what_was_not_measured_is_listed_with_the_reason_and_source() -> None:
    text = _section(render(make_result(), ()), "missing")
    assert (
        "MTASA: tibial axis to talar dome angle landmarks dome of the talus is outside the field "
        "of view" in text
    )
    assert "bone masks" in text


def test_the_trace_names_version_models_profile_and_input() -> None:
    text = _section(render(make_result(), ()), "trace")
    for word in ("footcli 0.1.0", "Model: bones abababababab ", "general 1", "efefefefefef"):
        assert word in text


def test_a_failure_is_said_on_top() -> None:
    failure = CaseFailure("case-01", Line("no_bone_found.air"))
    html = render(make_result(), (), "en", Beside(failure=failure))
    assert "check its rescale values no_bone_found" in _section(html, "head")
    html = render(make_result(), (), "ko", Beside(failure=failure))
    assert "HU 변환 값을 확인할 것 no_bone_found" in _section(html, "head")


def test_every_angle_source_and_layer_has_a_switch_that_meets_its_groups() -> None:
    html = render(make_result(), make_views())
    layers = re.findall(r'data-layer="([\w-]+)"', html)
    assert {
        "layer-bones",
        "layer-lines",
        "layer-points",
        "layer-boxes",
        "source-masks",
        "angle-CPA",
        "angle-HAA",
    } <= set(layers)
    drawn = {name for group in re.findall(r'<g class="([^"]*)"', html) for name in group.split()}
    assert {
        layer for layer in layers if layer != "angle-HAA"
    } <= drawn  # HAA: no coronal slab among these views


HOSTILE = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "javascript:alert(1)",
    "{{7*7}}",
    "{% raw %}${x} %n",
    "[bold]x[/x]",
]


@pytest.mark.parametrize("bad", HOSTILE)
def test_text_from_files_is_shown_as_text(bad: str) -> None:
    said = Line("bone_absent", bone=bad)
    page = _page(
        case_id=bad,
        warnings=(Line(bad, text=bad),),
        findings=(
            Finding(bad, Level.PRESENT, (said,), bad),
            Finding("olt", Level.NOT_MEASURABLE, (said,)),
        ),
        measurements=(
            Measurement(bad, bad, "masks", None, said),
            Measurement("CPA", "deg", "masks", 12.0, note=said),
        ),
        provenance=Provenance(
            version=bad,
            models=(ModelFacts(bad, sha256=bad),),
            profile=ProfileFacts(name=bad),
            input=InputFacts(age_band=bad),
        ),
    )
    harmless = _page()
    assert page.text.count(bad) >= 8
    assert "49" not in page.text.replace("40-59", "")
    for kind in ("script", "img"):
        assert [tag for tag, _ in page.tags].count(kind) == [tag for tag, _ in harmless.tags].count(
            kind
        )
    assert not [attrs for _, attrs in page.tags if any(name.startswith("on") for name in attrs)]
    assert all(
        str(attrs["href"]).startswith(("#", "data:image/jpeg"))
        for _, attrs in page.tags
        if "href" in attrs
    )


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\u202eb\u2066c\u200fd", "abcd"),
        ("a\x1b[31mred\x1b[0m", "ared"),
        ("a\x1b]0;title\x07b", "ab"),
        ("a\x00\x07\x08b", "ab"),
        ("two\nlines\u2028here", "two lines here"),
        ("\udcb0", "\\udcb0"),
        ("경골 é", "경골 é"),
    ],
)
def test_clean_takes_controls_escapes_and_bidi_away_and_leaves_letters(
    text: str, shown: str
) -> None:
    assert clean(text) == shown
    assert shown in render(make_result(case_id=text), ())


def test_the_page_needs_nothing_from_outside() -> None:
    html = render(make_result(), make_views())
    page = _Page(html)
    assert not {"link", "iframe", "img", "object", "base", "form"} & {tag for tag, _ in page.tags}
    assert not [attrs for _, attrs in page.tags if "src" in attrs]
    assert not re.findall(r"url\(|@import|https?://(?!www\.w3\.org/2000/svg)", html)


def test_the_policy_allows_this_script_alone() -> None:
    html = render(make_result(), ())
    script = re.search(r"<script>(.*)</script>", html, re.DOTALL)
    assert script is not None
    digest = base64.b64encode(hashlib.sha256(script[1].encode()).digest()).decode()
    policy = next(
        attrs["content"]
        for _, attrs in _Page(html).tags
        if attrs.get("http-equiv") == "Content-Security-Policy"
    )
    assert policy is not None
    assert policy.startswith(
        "default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src "
        f"'sha256-{digest}'"
    )


def test_korean_has_its_words_and_no_english_headings() -> None:
    page = _page("ko")
    for word in (
        "연구 전용. 의료기기가 아닙니다.",
        "종합 소견",
        "평발",
        "종골 피치각",
        "범위 밖",
        "측정 불가",
        "시상면",
        "경골",
    ):
        assert word in page.text
    for word in ("Impression", "not measurable", "possible", "Sagittal", "present"):
        assert word not in page.text


def test_both_languages_have_every_string_with_the_same_blanks() -> None:
    english, korean = strings("en"), strings("ko")
    assert english.keys() == korean.keys()
    for key, text in english.items():
        assert text
        assert korean[key]
        assert text.count("{}") == korean[key].count("{}")


def test_an_unknown_language_is_refused() -> None:
    with pytest.raises(SetupError, match="use one of en, ko"):
        render(make_result(), (), lang="fr")


def test_colours_have_enough_contrast_in_light_and_dark() -> None:
    css = (templates_dir() / "style.css").read_text(encoding="utf-8")
    blocks = re.findall(r":root \{(.*?)\}", css, re.DOTALL)
    assert len(blocks) == 3
    for block in blocks:
        colour = dict(re.findall(r"--([\w-]+): (#\w+)", block))
        pairs = [(name, f"{name}-bg") for name in ("within", "near", "outside", "missing")]
        pairs += [
            (ink, paper) for ink in ("ink", "soft", "link") for paper in ("page", "card", "head")
        ]
        for ink, paper in pairs:
            assert _contrast(colour[ink], colour[paper]) >= 4.5, (ink, paper)


def _contrast(a: str, b: str) -> float:
    """Contrast ratio as WCAG 2.1 defines it."""
    light, dark = sorted((_luminance(a), _luminance(b)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def _luminance(colour: str) -> float:
    digits = colour[1:] if len(colour) == 7 else "".join(2 * c for c in colour[1:])
    parts = [int(digits[i : i + 2], 16) / 255 for i in (0, 2, 4)]
    linear = [c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def test_the_report_is_built_again_from_the_saved_files_alone(tmp_path: Path) -> None:
    _save(tmp_path / "case-01")
    path = write_report(tmp_path / "case-01")
    assert path.read_text(encoding="utf-8") == render(make_result(), make_views())
    (tmp_path / "case-01" / "result.json").unlink()
    with pytest.raises(CaseError, match=r"no readable result\.json"):
        write_report(tmp_path / "case-01")


def test_the_index_lists_failed_cases_first_and_normal_ones_last(tmp_path: Path) -> None:
    normal = (Finding("flat_foot", Level.NOT_SEEN, ()), Finding("normal", Level.PRESENT, ()))
    results = {
        "a-normal": make_result(findings=normal),
        "b-flat+L": make_result(),
        "e": make_result(findings=normal),
    }
    cases = [
        JournalLine("a-normal", "done", ("a-normal",)),
        JournalLine("b-flat", "redone", ("b-flat+L",)),
        JournalLine("c-<b>", "failed", failure=Line("no_geometry.order")),
        JournalLine("d #?", "skipped", ("d #?",)),
        JournalLine("e", "failed", ("e",), Line("other_input", folder="e")),
    ]
    page = _Page(write_index(tmp_path, cases, results).read_text(encoding="utf-8"))
    places = [page.text.index(word) for word in ("c-<b>", "d #?", "b-flat+L", "a-normal")]
    assert places == sorted(places)
    assert "5 cases, 2 failed" in page.text
    assert "or export positions no_geometry" in page.text
    assert "result cannot be read" in page.text
    assert "earlier result" in page.text, (
        "what a failed case had before is there, and not taken for what was asked"
    )
    assert "no abnormality detected" in page.text
    links = [attrs["href"] for tag, attrs in page.tags if tag == "a"]
    assert links == ["b-flat%2BL/report.html", "a-normal/report.html", "e/report.html"]


def test_an_index_link_never_leaves_the_output_folder(tmp_path: Path) -> None:
    _save(tmp_path / "out" / "x y%2F")
    _save(tmp_path / "y")
    add(tmp_path / "out", JournalLine("x", "done", ("x y%2F",)))
    add(tmp_path / "out", JournalLine("y", "done", ("../y",)))
    write_summaries(tmp_path / "out", "en")
    page = _Page((tmp_path / "out" / "index.html").read_text(encoding="utf-8"))
    links = [str(attrs["href"]) for tag, attrs in page.tags if tag == "a"]
    assert links == ["x%20y%252F/report.html"]


def _driven(page: Path, text: str, steps: str, answer: str) -> str:
    """The page without its policy, after a script has done what a reader does.

    The script's answer.
    """
    free = re.sub(r"<meta http-equiv=[^>]*>", "", text)
    (page.parent / "driven.html").write_text(
        f"{free}<script>{steps};document.title = {answer}</script>", encoding="utf-8"
    )
    found = re.search(r"<title>(.*?)</title>", opened(page.parent / "driven.html").stdout, re.S)
    assert found is not None
    return html.unescape(found[1])


@needs_chromium
def test_a_sign_off_goes_from_the_page_to_the_result_and_back_into_the_report(
    tmp_path: Path,
) -> None:
    result = make_result()
    folder = tmp_path / result.case_id
    _save(folder)
    steps = """
      const fill = (input, value) => {
        input.value = value;
        input.dispatchEvent(new Event("input"));
      };
      const say = (line, verdict, to, comment) => {
        const at = document.querySelector(`[data-line="${line}"]`);
        fill(at.querySelector("select"), verdict);
        if (to !== null) fill(at.querySelector(".to"), to);
        fill(at.querySelector(".comment"), comment);
      };
      say("finding:flat_foot", "accept", null, "");
      say("angle:CPA", "edit", "17.5", "<b>lower</b> \\u2028");
      say("finding:olt", "edit", "NOT_SEEN", "");
      fill(document.getElementById("reader"), "\\ud310\\ub3c5\\uc758")"""
    saved = _driven(
        folder / "report.html",
        write_report(folder).read_text("utf-8"),
        steps,
        'decodeURIComponent(document.getElementById("save").href.split(",").slice(1).join(","))',
    )
    (tmp_path / "signoff.json").write_text(saved, encoding="utf-8")
    assert schemas.faults("signoff", json.loads(saved)) == []
    assert merge_signoff(tmp_path / "signoff.json", tmp_path) == folder
    signed = load_signoff(folder)
    assert signed is not None
    assert signed.reader == "판독의"
    assert {k: (v.word, v.to) for k, v in signed.lines.items()} == {
        "finding:flat_foot": ("accept", None),
        "angle:CPA": ("edit", 17.5),
        "finding:olt": ("edit", Level.NOT_SEEN),
    }
    page = _Page(write_report(folder).read_text(encoding="utf-8"))
    assert "Reader: changed to 17.5°: <b>lower</b>" in page.text
    assert "Reader: changed to not seen" in page.text
    assert "Signed by 판독의" in page.text


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"schema": "x"}, "no sign-off of this version"),
        ({"lines": []}, "holds no lines"),
        ({"case_id": "other"}, "does not hold"),
        ({"input_sha256": "0" * 64}, "another scan"),
        ({"lines": {"angle:XYZ": {"verdict": "accept"}}}, "no report has"),
        ({"lines": {"angle:CPA": {"verdict": "maybe"}}}, "one of accept, edit, reject"),
        (
            {"lines": {"angle:CPA": {"verdict": "edit", "to": "PRESENT"}}},
            "needs what it should say",
        ),
        ({"reader": "x" * 3000}, "at most 2000"),
    ],
)
def test_a_sign_off_that_does_not_fit_is_refused_and_nothing_is_kept(
    change: dict[str, Any], why: str, tmp_path: Path
) -> None:
    result = make_result()
    _save(tmp_path / result.case_id)
    digest = result.provenance.input.sha256
    data = {
        "schema": "footcli-signoff/1",
        "case_id": result.case_id,
        "input_sha256": digest,
        "reader": "",
        "signed": "",
        "lines": {},
    }
    (tmp_path / "s.json").write_text(json.dumps({**data, **change}), encoding="utf-8")
    with pytest.raises(SetupError, match=why):
        merge_signoff(tmp_path / "s.json", tmp_path)
    assert load_signoff(tmp_path / result.case_id) is None


@needs_chromium
@pytest.mark.parametrize("lang", LANGUAGES)
def test_a_report_prints_on_two_pages(lang: str, tmp_path: Path) -> None:
    result = make_result()
    # as much as there can be: all measures both ways, every finding present with three lines, six
    # lesions
    every = tuple(
        replace(result.measurements[0], name=term.name, source=way)
        for term in MEASURES
        for way in ("landmarks", "masks")  # type: ignore[arg-type]
    )
    said = tuple(
        Finding(term.name, Level.PRESENT, (beyond("CPA", 12.0, "below", 18.0),) * 3)
        for term in FINDINGS[:-1]
    )
    boxes = tuple(replace(result.lesions[0], label=term.name) for term in LESIONS)
    full = replace(result, measurements=every, findings=said, lesions=boxes)
    views = [
        replace(view, index=None if number < 3 else view.index)
        for number, view in enumerate([*make_views()] * 3)
    ]
    lines = [
        *(f"angle:{term.name}" for term in MEASURES),
        *(f"finding:{term.name}" for term in FINDINGS),
    ]
    words = {line: Verdict("reject", None, "words " * 60) for line in lines}
    signed = SignOff(full.case_id, "", "", "A. Reader", "2026-01-01T00:00:00Z", words)
    (tmp_path / "report.html").write_text(
        render(full, views, lang, Beside(signed=signed)), encoding="utf-8"
    )
    assert printed_pages(tmp_path / "report.html") == 2


@needs_chromium
def test_the_index_is_filtered_and_sorted_by_its_script(tmp_path: Path) -> None:
    flat = (Finding("flat_foot", Level.PRESENT, ()), Finding("olt", Level.POSSIBLE, ()))
    none = (Finding("flat_foot", Level.NOT_MEASURABLE, ()), Finding("olt", Level.NOT_SEEN, ()))
    results = {
        name: make_result(findings=findings)
        for name, findings in (
            ("case-10", flat),
            ("case-9", (Finding("olt", Level.PRESENT, ()),)),
            ("case-2", none),
        )
    }
    cases = [JournalLine(n, "done", (n,)) for n in results]
    text = write_index(tmp_path, cases, results).read_text(encoding="utf-8")
    as_opened = opened(tmp_path / "index.html")
    assert "CONSOLE" not in as_opened.stderr
    assert "3 of 3 shown" in as_opened.stdout

    def after(steps: str) -> str:
        """What is shown of the table once a reader did something."""
        listing = (
            "[...document.querySelectorAll('tbody tr')].filter((r) => !r.hidden).map((r) => "
            "r.cells[0].textContent).join(' ')"
        )
        return _driven(tmp_path / "index.html", text, steps, listing)

    set_ = (
        "const e = document.getElementById('{}'); e.value = '{}'; e.dispatchEvent(new "
        "Event('input'))"
    )
    click = "document.querySelectorAll('th button')[0].click()"
    assert after("") == "case-10 case-9 case-2"
    assert after(set_.format("finding", "olt")) == "case-10 case-9"
    assert after(set_.format("finding", "flat_foot")) == "case-10", (
        "a foot of which it cannot be told is not shown"
    )
    back = (
        "document.getElementById('finding').value = 'olt'; window.dispatchEvent(new "
        "Event('pageshow'))"
    )
    assert after(back) == "case-10 case-9", (
        "the browser has filled the field in again, without an event"
    )
    assert after(set_.format("level", "NOT_MEASURABLE")) == "case-2"
    assert (
        after(set_.format("level", "PRESENT") + ";{" + set_.format("finding", "olt") + "}")
        == "case-9"
    )
    assert after(set_.format("words", "CASE-1")) == "case-10"
    assert after(click) == "case-2 case-9 case-10"
    assert after(f"{click};{click}") == "case-10 case-9 case-2"


def test_the_bar_of_a_range_marks_both_values_on_one_scale() -> None:
    bar = range_bar({"landmarks": 10.0, "masks": 20.0}, 15.0, None, 1.0, "CPA: 10, 20")
    assert 'aria-label="CPA: 10, 20"' in bar
    circle, square = (
        float(re.search(pattern, bar)[1])
        for pattern in (r'<circle cx="([\d.]+)"', r'<rect x="([\d.]+)"[^>]*class="masks"')
    )  # type: ignore[index]
    normal = re.search(r'<rect x="([\d.]+)" y="6" width="([\d.]+)" height="8" class="normal"', bar)
    assert normal is not None
    assert circle < float(normal[1]) < square + 4 < float(normal[1]) + float(normal[2])
    assert range_bar({}, 1.0, 2.0, 0.0, "") == range_bar({"masks": 1.0}, None, None, 0.0, "") == ""


def test_an_empty_run_has_an_index(tmp_path: Path) -> None:
    assert (
        "No cases." in _Page(write_index(tmp_path, [], {}, "en").read_text(encoding="utf-8")).text
    )


@needs_chromium
def test_the_page_opens_in_a_browser_without_a_console_message(tmp_path: Path) -> None:
    hostile = replace(make_result(), case_id="<script>document.title='hacked'</script>")
    (tmp_path / "report.html").write_text(render(hostile, make_views()), encoding="utf-8")
    run = opened(tmp_path / "report.html")
    assert "CONSOLE" not in run.stderr
    assert "Consistent with" in run.stdout
    assert (
        '<fieldset class="toggles"><legend>' in run.stdout
    )  # the script ran: it takes `hidden` away
    assert "<title>Foot and ankle report: &lt;script&gt;" in run.stdout


def test_the_key_of_the_boxes_says_the_score_that_counts() -> None:
    from footcli.levels import SURE

    assert f"solid box: score {SURE:g} or more" in _page().text
