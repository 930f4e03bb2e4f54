"""A View and its result -> one inline SVG picture: grey image, bones, lines, points, boxes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
from markupsafe import Markup
from skimage.measure import find_contours

from footcli.domain import CaseResult, Landmark, Lesion, Measurement
from footcli.kinds import BONES
from footcli.report.angle_lines import Array, angle_of, plane_of
from footcli.report.labels import FONT
from footcli.report.scene import Scene, is_near, lesion_box
from footcli.store.pictures import View
from footcli.web import svg
from footcli.web.page import strings

# Okabe and Ito's colour-blind-safe hues (jfly.uni-koeln.de/color), with four of Tol's light ones
# (personal.sron.nl/~pault) to make ten.
BONE_COLOURS: tuple[str, ...] = (
    "#56b4e9",
    "#f0e442",
    "#e69f00",
    "#009e73",
    "#cc79a7",
    "#d55e00",
    "#99ddff",
    "#bbcc33",
    "#a59bff",
    "#dddddd",
)


def picture(view: View, result: CaseResult, lang: str = "en") -> Markup:
    """The picture as an <svg> element; one user unit is an image pixel.

    Layers are groups of class layer-<bones|lines|points|boxes>.
    """
    t = strings(lang)
    rows, columns = view.image.shape
    scene = Scene(view, max(rows, columns))
    marks = list(scene.marks(result.side, t))  # first, so that the other labels avoid them
    shown = [m for m in result.measurements if _shows(view, m)]
    return svg.tag(
        "svg",
        svg.tag("title", title(view, t)),
        svg.tag(
            "image",
            href=svg.jpeg(view.image),
            width=columns,
            height=rows,
            preserveAspectRatio="none",
        ),
        svg.tag("g", *_bones(view), class_="layer-bones"),
        svg.tag("g", *scene.boxes(result.lesions, lang), class_="layer-boxes"),
        svg.tag("g", *scene.lines(shown), class_="layer-lines"),
        svg.tag("g", *scene.points(_measured(result), shown), class_="layer-points"),
        *marks,
        class_="view",
        fill="#ffffff",
        viewBox=f"0 0 {columns} {rows}",
        role="img",
        font_size=scene.size * FONT,
        xmlns="http://www.w3.org/2000/svg",
    )


def title(view: View, t: Mapping[str, str]) -> str:
    """The picture's plane and slice, in the language of the strings `t`."""
    return f"{t[f'plane.{view.plane.value}']}, " + (
        t["slab"] if view.index is None else f"{t['slice']} {view.index}"
    )


def shows_box(view: View, lesion: Lesion) -> bool:
    """Whether a picture is a slice that holds a lesion's box."""
    return lesion_box(view, lesion) is not None


def _shows(view: View, m: Measurement) -> bool:
    """A slab shows the angles of its plane; a slice those with all four points near it."""
    if m.value is None or len(m.points_vox) != 4 or view.plane != plane_of(m):
        return False
    return all(is_near(view, point) for point in m.points_vox)


def _measured(result: CaseResult) -> list[Landmark]:
    """The landmarks of angles with a value from landmarks; the others would mislead."""
    angles = {
        m.name for m in result.measurements if m.source == "landmarks" and m.value is not None
    }
    return [mark for mark in result.landmarks if angle_of(mark) in angles]


def _bones(view: View) -> Iterable[Markup]:
    """One path for each bone: closed outlines, with holes by the even-odd rule."""
    for label, bone in enumerate(BONES, start=1):
        mask = np.pad(view.labels == label, 1)
        if not mask.any():
            continue
        loops = (_smoothed(loop) for loop in find_contours(mask.astype(np.float32), 0.5))
        # - 0.5: the pad is 1, a pixel's centre lies at 0.5
        path = "".join(svg.path(loop[:, ::-1] - 0.5) for loop in loops if len(loop) > 3)
        colour = BONE_COLOURS[label - 1]
        yield svg.tag(
            "path",
            svg.tag("title", bone.en),
            d=path,
            fill=colour,
            stroke=colour,
            fill_opacity="0.22",
            fill_rule="evenodd",
            class_="bone",
        )


def _smoothed(loop: Array) -> Array:
    """A closed outline (n, 2), last point same as the first, with each three points averaged.

    Outlines of fewer than 12 points stay unchanged.
    """
    whole = len(loop) // 3 * 3
    if whole < 12:
        return loop
    even = loop[:whole].reshape(-1, 3, 2).mean(1)
    return np.concatenate([even, even[:1]])
