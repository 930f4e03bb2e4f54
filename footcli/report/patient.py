"""A result and its views -> report.html."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from footcli import names
from footcli.domain import (
    CaseFailure,
    CaseResult,
    Finding,
    Lesion,
    Level,
    Measurement,
    Plane,
    Stack,
    View,
    mapping,
)
from footcli.errors import CaseError
from footcli.report import overlay, viewer
from footcli.report.other_foot import other_foot, side_rows
from footcli.report.rows import angle_rows, finding_row, missing_row, said
from footcli.store.result import load_case, load_masks, load_stack
from footcli.store.signoff import SCHEMA, VERDICTS, SignOff, load_signoff, signs, values_digest
from footcli.system.files import locked, slug, write_atomic
from footcli.text import korean, messages
from footcli.web import svg
from footcli.web.page import page, report_link, term_title

IMPRESSION_LINES = 5
HASH_SHOWN = 12
PRINTED_SLICES = 3  # pictures of single slices on paper, beside those across the whole foot

FINDING_LESION = {
    "flat_foot": names.ARCH,
    "cavus_foot": names.ARCH,
    "hallux_valgus": "Hallux Valgus",
    "ankle_arthritis": "Ankle Arthritis",
    "olt": "OLT",
    "accessory_navicular": "Accessory Navicular",
    "tarsal_coalition": "Tarsal Coalition",
}
FINDING_ANGLE = {
    "flat_foot": "CPA",
    "cavus_foot": "CPA",
    "hallux_valgus": "HVA",
    "ankle_arthritis": "TT",
}
PLANES = (Plane.SAG, Plane.COR, Plane.AXL)
HIDDEN_FIRST = (
    "MTASA_B",
    "TT",
    "JSW_M",
    "JSW_C",
    "JSW_L",
)  # their lines lie on those of MTASA: shown when asked for

Strings = Mapping[str, str]


def render(
    result: CaseResult,
    views: Sequence[View],
    *,
    lang: str = "en",
    failure: CaseFailure | None = None,
    signed: SignOff | None = None,
    stack: Stack | None = None,
    labels: NDArray[np.uint8] | None = None,
    other: CaseResult | None = None,
) -> str:
    """The report as one HTML page. Raises SetupError for an unknown language.

    failure: why the case stopped early, shown on top. signed: what a reader said of its lines.
    stack, labels: the slices to scroll through and the masks, uint8 (z, y, x) on the input's grid;
    without them the page has its pictures alone. other: the result of the other foot, whose folder
    lies beside.
    """
    t = messages.strings(lang)
    profile = mapping(result.provenance.get("profile"))
    places = {} if stack is None else viewer.places(result, stack)
    return page(
        "report.html.j2",
        lang,
        ("report.js", "slices.js", "viewer.js", "surface.js"),
        case_id=result.case_id,
        side=result.side,
        side_word=t[f"side.{result.side}"],
        head=_head(mapping(result.provenance.get("input")), t),
        failure=failure,
        warnings=[(korean.line(notice.text, lang), notice.code) for notice in result.warnings],
        impression=_impression(result, views, t, lang),
        angles=angle_rows(result.measurements, profile, t, lang, signed),
        profile=_profile_name(profile, t),
        planes=_planes(result, views, t, lang),
        toggles=_toggles(result.measurements),
        legend=[
            (term_title(names.BONES, bone.name, lang), colour)
            for bone, colour in zip(names.BONES, overlay.BONE_COLOURS, strict=True)
        ],
        swatch=_swatch,
        lesions=[_lesion_row(lesion, views, t, lang) for lesion in result.lesions],
        findings=[
            {
                **finding_row(f, t, lang),
                "line": f"finding:{f.name}",
                "said": said(signed, f"finding:{f.name}", "", t),
                "at": places.get(
                    FINDING_LESION.get(f.name, ""), places.get(FINDING_ANGLE.get(f.name, ""))
                ),
            }
            for f in result.findings
        ],
        signed=signed,
        levels=[(level.value, t[f"level.{level.value}"]) for level in Level],
        verdicts=[(word, t[f"verdict.{word}"]) for word in VERDICTS],
        input_sha256=str(mapping(result.provenance.get("input")).get("sha256") or ""),
        values_sha256=values_digest(result),
        signoff_schema=SCHEMA,
        missing=[missing_row(m, t, lang) for m in result.measurements if m.value is None],
        trace=_trace(result.provenance, profile, t),
        sides=[] if other is None else side_rows(result, other, lang),
        other_link="" if other is None else report_link(slug(other.case_id), "../"),
        scene=None
        if stack is None or labels is None
        else viewer.scene(result, labels, stack, lang),
        sheets=[] if stack is None else [svg.data_uri(sheet) for sheet in stack.sheets],
        panes=[(str(plane), t[f"plane.{plane}"]) for plane in (Plane.AXL, Plane.COR, Plane.SAG)],
        places=places,
    )


def write_report(
    folder: Path, lang: str = "en", home: Path | None = None, *, signed: bool = True
) -> Path:
    """Build report.html of a case folder again, from result.json and views.npz alone.

    Raises CaseError, SetupError, OSError.

    home: where the folder will lie, if it lies elsewhere yet; the other foot and a reader's
    sign-off are looked for there. signed: show what a reader signed of this scan.
    """
    if home is None:
        if not folder.is_dir():
            raise CaseError("no_result", f"{folder.name}: no such result")
        with locked(folder):  # or another process may put another result under the page
            return _write(folder, lang, folder, signed)
    return _write(folder, lang, home, signed)


def _write(folder: Path, lang: str, home: Path, signed: bool) -> Path:
    result, views = load_case(folder)
    path = folder / "report.html"
    word = load_signoff(home) if signed else None
    text = render(
        result,
        views,
        lang=lang,
        signed=word if word and signs(word, result) else None,
        stack=load_stack(folder),
        labels=load_masks(folder)[0],
        other=other_foot(home, result),
    )
    write_atomic(path, text.encode("utf-8"))
    return path


def report_language(folder: Path) -> str | None:
    """The language that a case's report is in; None where there is no report."""
    try:
        with (folder / "report.html").open("rb") as page:
            found = re.search(rb'<html lang="(\w+)"', page.read(200))
    except OSError:
        return None
    return found[1].decode() if found else None


def _swatch(colour: str) -> Markup:
    box = svg.tag("rect", width=10, height=10, fill=colour)
    return svg.tag("svg", box, viewBox="0 0 10 10", class_="swatch", aria_hidden="true")


def _head(given: Mapping[str, Any], t: Strings) -> list[tuple[str, str]]:
    shape, spacing, skipped = (
        given.get("shape"),
        given.get("spacing_mm"),
        mapping(given.get("skipped")),
    )
    bearing = given.get("weight_bearing")
    rows = [
        (
            t["weight_bearing"],
            t["unknown"] if bearing is None else t["yes"] if bearing in (True, "yes") else t["no"],
        ),
        (t["age_band"], str(given.get("age_band") or t["unknown"])),
        (
            t["spacing"],
            " × ".join(f"{float(v):.3g}" for v in spacing) + " mm" if spacing else t["unknown"],
        ),
        (t["slices"], str(given.get("slices") or (shape[0] if shape else t["unknown"]))),
        (t["grid"], " × ".join(str(v) for v in shape) if shape else t["unknown"]),
    ]
    if any(skipped.values()):
        rows.append(
            (
                t["skipped"],
                ", ".join(f"{code}: {count}" for code, count in sorted(skipped.items()) if count),
            )
        )
    return rows


def _impression(result: CaseResult, views: Sequence[View], t: Strings, lang: str) -> dict[str, Any]:
    """At most five ranked lines: what is present, then what is borderline, each group in the
    findings' own order.
    """
    diseases = [f for f in result.findings if f.name != "normal"]
    ranked = [
        f for level in (Level.PRESENT, Level.BORDERLINE) for f in diseases if f.level is level
    ]
    lead = {Level.PRESENT: t["consistent"], Level.BORDERLINE: t["borderline_for"]}
    lines = [
        {
            "lead": _capital(lead[f.level]),
            "view": _view_of(f, result.lesions, views),
            **finding_row(f, t, lang),
        }
        for f in ranked[:IMPRESSION_LINES]
    ]

    def listed(level: Level) -> str:
        return ", ".join(
            term_title(names.FINDINGS, f.name, lang) for f in diseases if f.level is level
        )

    texts = [t["more_findings"]] if len(ranked) > IMPRESSION_LINES else []
    if not ranked:
        normal = any(f.name == "normal" and f.level is Level.PRESENT for f in result.findings)
        texts.append(
            f"{t['normal_text']}: {listed(Level.NOT_SEEN)}." if normal else t["nothing_text"]
        )
    if unjudged := listed(Level.NOT_MEASURABLE):
        texts.append(f"{_capital(t['not_judged'])}: {unjudged}.")
    return {"lines": lines, "texts": texts}


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _view_of(f: Finding, lesions: Sequence[Lesion], views: Sequence[View]) -> int | None:
    """Number of the picture that shows a finding best: its lesion's, else its plane's slab, else
    its plane's first.
    """
    label = FINDING_LESION.get(f.name)
    if label is None:
        return None
    for lesion in (lesion for lesion in lesions if lesion.label == label):
        if (number := _view_of_lesion(lesion, views)) is not None:
            return number
    same = [
        (view.index is not None, number)
        for number, view in enumerate(views, start=1)
        if view.plane is names.LESION_PLANE[label]
    ]
    return min(same)[1] if same else None


def _view_of_lesion(lesion: Lesion, views: Sequence[View]) -> int | None:
    return next(
        (number for number, view in enumerate(views, start=1) if overlay.shows_box(view, lesion)),
        None,
    )


def _planes(
    result: CaseResult, views: Sequence[View], t: Strings, lang: str
) -> list[dict[str, Any]]:
    """The pictures of each plane.

    On paper: those across the whole foot, and of each finding of the impression its own.
    """
    told = {
        _view_of(f, result.lesions, views)
        for f in result.findings
        if f.level in (Level.PRESENT, Level.BORDERLINE)
    }
    slabs = [number for number, view in enumerate(views, start=1) if view.index is None]
    printed = {
        *slabs,
        *sorted(number for number in told - {None, *slabs} if number is not None)[:PRINTED_SLICES],
    }
    groups = []
    for plane in PLANES:
        shown = [
            {
                "number": number,
                "svg": overlay.picture(view, result, lang),
                "title": overlay.title(view, t),
                "caption": korean.line(view.caption, lang),
                "printed": number in printed,
            }
            for number, view in enumerate(views, start=1)
            if view.plane is plane
        ]
        if shown:
            groups.append({"title": t[f"plane.{plane.value}"], "views": shown})
    return groups


def _toggles(measurements: Sequence[Measurement]) -> dict[str, Any]:
    drawn = list(dict.fromkeys(m.name for m in measurements if m.value is not None))
    return {
        "layers": ("bones", "lines", "points", "boxes"),
        "sources": ("landmarks", "masks"),
        "angles": [
            (name, overlay.ANGLE_COLOURS.get(name, overlay.OTHER_COLOUR), name not in HIDDEN_FIRST)
            for name in drawn
            if re.fullmatch(r"\w+", name)
        ],
    }


def _lesion_row(lesion: Lesion, views: Sequence[View], t: Strings, lang: str) -> dict[str, Any]:
    first, last = lesion.slices
    return {
        "title": term_title(names.LESIONS, lesion.label, lang),
        "score": f"{lesion.score:.2f}",
        "plane": t[f"plane.{lesion.plane.value}"],
        "slices": f"{first}–{last}",
        "size": " × ".join(f"{v:.1f}" for v in lesion.size_mm) if lesion.size_mm else t["unknown"],
        "view": _view_of_lesion(lesion, views),
        "label": lesion.label,
    }


def _profile_name(profile: Mapping[str, Any], t: Strings) -> str:
    return (
        " ".join(str(profile[key]) for key in ("name", "version") if profile.get(key))
        or t["not_recorded"]
    )


def _trace(
    provenance: Mapping[str, Any], profile: Mapping[str, Any], t: Strings
) -> list[tuple[str, str]]:
    """What made the result.

    Models: a list of {"name", "sha256"} or a mapping of name to either a hash or {"sha256"}.
    """
    given = provenance.get("models") or ()
    pairs = (
        given.items()
        if isinstance(given, Mapping)
        else [(mapping(m).get("name", "?"), m) for m in given]
    )
    models = [
        (
            f"{t['model']}: {name}",
            str(mapping(m).get("sha256") or "") if isinstance(m, Mapping) else str(m),
        )
        for name, m in pairs
    ]
    digest = mapping(provenance.get("input")).get("sha256") or provenance.get("input_sha256")
    return [
        (t["version"], "footcli " + str(provenance.get("version") or t["not_recorded"])),
        *((label, value[:HASH_SHOWN] or t["not_recorded"]) for label, value in models),
        (t["profile"], _profile_name(profile, t)),
        (t["input_hash"], str(digest)[:HASH_SHOWN] if digest else t["not_recorded"]),
    ]
