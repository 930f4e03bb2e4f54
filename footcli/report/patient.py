"""A result and its pictures -> report.html."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from footcli.domain import CaseFailure, CaseResult, Finding, Level, Measurement, Plane
from footcli.errors import CaseError
from footcli.kinds import ANGLE, BONES, FINDING
from footcli.levels import SURE
from footcli.report import overlay, viewer
from footcli.report.angle_lines import angle_colour
from footcli.report.angle_rows import angle_rows
from footcli.report.head import head_rows, profile_title, trace_rows
from footcli.report.impression import impression, view_of
from footcli.report.other_foot import other_foot, side_rows
from footcli.report.rows import finding_row, lesion_row, missing_row, said
from footcli.store.pictures import Stack, View
from footcli.store.result import load_case, load_masks, load_stack
from footcli.store.signoff import SCHEMA, VERDICTS, SignOff, load_signoff, signs, values_digest
from footcli.system.files import locked, write_atomic
from footcli.system.names import slug
from footcli.text.wording import text
from footcli.web import svg
from footcli.web.page import page, report_link, strings, term_title

PRINTED_SLICES = 3  # single slices in print, besides the slabs
PLANES = (Plane.SAG, Plane.COR, Plane.AXL)
RAISED = (Level.PRESENT, Level.POSSIBLE)

Strings = Mapping[str, str]


@dataclass(frozen=True, slots=True, eq=False)
class Beside:
    """What a report shows besides a result and its pictures; each may be missing.

    failure: why the case stopped early, shown at the top. signed: the reader's sign-off. stack,
    labels: the stack to scroll through and the masks, uint8 (z, y, x) on the input grid; without
    them the page has only its pictures. other: the result of the other foot.
    """

    failure: CaseFailure | None = None
    signed: SignOff | None = None
    stack: Stack | None = None
    labels: NDArray[np.uint8] | None = None
    other: CaseResult | None = None


def render(
    result: CaseResult, views: Sequence[View], lang: str = "en", beside: Beside | None = None
) -> str:
    """The report as one HTML page. Raises SetupError for an unknown language."""
    t = strings(lang)
    beside = beside or Beside()
    profile, stack = result.provenance.profile, beside.stack
    places = {} if stack is None else viewer.places(result, stack)
    return page(
        "report.html.j2",
        lang,
        ("report.js", "slices.js", "viewer.js", "surface.js"),
        case_id=result.case_id,
        side=result.side,
        side_word=t[f"side.{result.side}"],
        head=head_rows(result, t),
        failure=_failure(beside.failure, lang),
        warnings=[(text(line, lang), line.family) for line in result.warnings],
        impression=impression(result, views, t, lang),
        angles=angle_rows(result.measurements, profile, t, lang, beside.signed),
        profile=profile_title(profile, t),
        planes=_planes(result, views, t, lang),
        toggles=_toggles(result.measurements),
        legend=_legend(lang),
        line_key=t["line_key"].format(sure=f"{SURE:g}"),
        swatch=_swatch,
        lesions=[lesion_row(lesion, views, t, lang) for lesion in result.lesions],
        findings=[_finding(f, places, beside.signed, lang) for f in result.findings],
        missing=[missing_row(m, t, lang) for m in result.measurements if m.value is None],
        trace=trace_rows(result.provenance, t),
        places=places,
        **_signing(result, beside.signed, t),
        **_other_foot(result, beside.other, lang),
        **_scrolled(result, beside, t, lang),
    )


def _signing(result: CaseResult, signed: SignOff | None, t: Strings) -> dict[str, Any]:
    """The template's values for signing the page, and the sign-off."""
    return {
        "signed": signed,
        "levels": [(level.value, t[f"level.{level.value}"]) for level in Level],
        "verdicts": [(word, t[f"verdict.{word}"]) for word in VERDICTS],
        "input_sha256": result.provenance.input.sha256,
        "values_sha256": values_digest(result),
        "signoff_schema": SCHEMA,
    }


def _other_foot(result: CaseResult, other: CaseResult | None, lang: str) -> dict[str, Any]:
    """The comparison of both feet, and the link to the other foot's page."""
    if other is None:
        return {"sides": [], "other_link": ""}
    return {
        "sides": side_rows(result, other, lang),
        "other_link": report_link(slug(other.case_id), "../"),
    }


def _scrolled(result: CaseResult, beside: Beside, t: Strings, lang: str) -> dict[str, Any]:
    """The stack to scroll through, and the scene drawn on it."""
    stack, labels = beside.stack, beside.labels
    if stack is None:
        return {"scene": None, "sheets": [], "panes": _panes(t)}
    return {
        "scene": None if labels is None else viewer.scene(result, labels, stack, lang),
        "sheets": [svg.data_uri(sheet) for sheet in stack.sheets],
        "panes": _panes(t),
    }


def _panes(t: Strings) -> list[tuple[str, str]]:
    return [(str(plane), t[f"plane.{plane}"]) for plane in (Plane.AXL, Plane.COR, Plane.SAG)]


def write_report(
    folder: Path, lang: str = "en", home: Path | None = None, *, signed: bool = True
) -> Path:
    """Build report.html of a case folder from its stored result alone; returns its path.

    home: the folder's final location if it is still elsewhere; the other foot and the sign-off are
    taken from there. signed: show the reader's sign-off of this scan. Raises CaseError, SetupError,
    OSError.
    """
    if home is None:
        if not folder.is_dir():
            raise CaseError("no_result.folder", folder=folder.name)
        with locked(folder):  # so that no other process replaces the result meanwhile
            return _write(folder, lang, folder, signed)
    return _write(folder, lang, home, signed)


def _write(folder: Path, lang: str, home: Path, signed: bool) -> Path:
    result, views = load_case(folder)
    path = folder / "report.html"
    word = load_signoff(home) if signed else None
    beside = Beside(
        signed=word if word and signs(word, result) else None,
        stack=load_stack(folder),
        labels=load_masks(folder)[0],
        other=other_foot(home, result),
    )
    write_atomic(path, render(result, views, lang, beside).encode("utf-8"))
    return path


def report_language(folder: Path) -> str | None:
    """The language code of a case's report; None without a report."""
    try:
        with (folder / "report.html").open("rb") as page:
            found = re.search(rb'<html lang="(\w+)"', page.read(200))
    except OSError:
        return None
    return found[1].decode() if found else None


def _failure(failure: CaseFailure | None, lang: str) -> dict[str, str] | None:
    if failure is None:
        return None
    return {"message": text(failure.line, lang), "code": failure.line.family}


def _finding(
    f: Finding, places: Mapping[str, str], signed: SignOff | None, lang: str
) -> dict[str, Any]:
    """A finding's row with its position in the scan and the reader's verdict."""
    t, line, rule = strings(lang), f"finding:{f.name}", FINDING.get(f.name)
    at = None
    if rule is not None:
        at = places.get(rule.shown_lesion or "", places.get(rule.angle or ""))
    return {**finding_row(f, t, lang), "line": line, "said": said(signed, line, "", t), "at": at}


def _legend(lang: str) -> list[tuple[str, str]]:
    """Each bone's title and colour."""
    titles = [term_title("bone", bone.name, lang) for bone in BONES]
    return list(zip(titles, overlay.BONE_COLOURS, strict=True))


def _swatch(colour: str) -> Markup:
    box = svg.tag("rect", width=10, height=10, fill=colour)
    return svg.tag("svg", box, viewBox="0 0 10 10", class_="swatch", aria_hidden="true")


def _planes(
    result: CaseResult, views: Sequence[View], t: Strings, lang: str
) -> list[dict[str, Any]]:
    """The pictures of each plane, and which of them are printed."""
    printed = _printed(result, views)
    groups = []
    for plane in PLANES:
        shown = [
            {
                "number": number,
                "svg": overlay.picture(view, result, lang),
                "title": overlay.title(view, t),
                "caption": "" if view.caption is None else text(view.caption, lang),
                "printed": number in printed,
            }
            for number, view in enumerate(views, start=1)
            if view.plane is plane
        ]
        if shown:
            groups.append({"title": t[f"plane.{plane.value}"], "views": shown})
    return groups


def _printed(result: CaseResult, views: Sequence[View]) -> set[int]:
    """Numbers of the printed pictures: the slabs, and up to PRINTED_SLICES slices of findings."""
    slabs = {number for number, view in enumerate(views, start=1) if view.index is None}
    raised = [f for f in result.findings if f.level in RAISED]
    own = {view_of(f, result.lesions, views) for f in raised}
    single = sorted(number for number in own if number is not None and number not in slabs)
    return slabs | set(single[:PRINTED_SLICES])


def _toggles(measurements: Sequence[Measurement]) -> dict[str, Any]:
    """The check boxes above the pictures."""
    drawn = dict.fromkeys(m.name for m in measurements if m.value is not None)
    angles = []
    for name in drawn:
        if re.fullmatch(r"\w+", name):
            kind = ANGLE.get(name)
            colour = angle_colour(name)
            angles.append((name, colour, kind is None or kind.shown))
    return {
        "layers": ("bones", "lines", "points", "boxes"),
        "sources": ("landmarks", "masks"),
        "angles": angles,
    }
