"""A View and what was found in it -> one inline SVG picture: grey image, bones, lines, points,
boxes.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray
from skimage.measure import find_contours

from footcli import geometry
from footcli.domain import Box, CaseResult, Landmark, Lesion, Measurement, Plane, Point, View
from footcli.kinds import ANGLE, BONES
from footcli.levels import MIN_SCORE, SURE
from footcli.text.wording import number
from footcli.web import svg
from footcli.web.page import strings, term_title

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
OTHER_COLOUR = "#ffffff"
BOX_COLOUR = "#ff6b6b"

NEAR_SLICES = 4.0  # a slice shows what lies at most this many slices off it
MERGE = 0.02  # points nearer than this share of the picture get one label
FONT = 0.032  # text height as a share of the picture
ASIDE, ABOVE = (
    (0.0, -0.55, 0.55, -1.1, 1.1),
    tuple(step / 2 for step in range(-8, 9)),
)  # where a label goes: parts of its width and height
BAR_MM = (20, 10, 5, 2)  # the scale bar is the longest of these that fits

Array = NDArray[np.float64]


def angle_colour(name: str) -> str:
    """The colour of an angle's lines."""
    kind = ANGLE.get(name)
    return OTHER_COLOUR if kind is None else kind.colour


def plane_of(m: Measurement) -> Plane | None:
    """The plane that shows a measurement: its kind's own, whatever the result says."""
    kind = ANGLE.get(m.name)
    return m.plane if kind is None else kind.plane


def picture(view: View, result: CaseResult, lang: str = "en") -> Markup:
    """The picture as an <svg> element, one user unit an image pixel.

    Layers are groups of class layer-<bones|lines|points|boxes>.
    """
    t = strings(lang)
    rows, columns = view.image.shape
    scene = _Scene(view, max(rows, columns))
    marks = list(scene.marks(result.side, t))  # first: the other labels keep clear of them
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
    """What the picture is: its plane and slice, in the language of the strings `t`."""
    return f"{t[f'plane.{view.plane.value}']}, " + (
        t["slab"] if view.index is None else f"{t['slice']} {view.index}"
    )


def shows_box(view: View, lesion: Lesion) -> bool:
    """Whether a picture is a slice that holds a lesion's box."""
    return _box_in(view, lesion) is not None


def _box_in(view: View, lesion: Lesion) -> Box | None:
    return (
        None if view.index is None or view.plane is not lesion.plane else lesion.box_in(view.index)
    )


def _shows(view: View, m: Measurement) -> bool:
    """A slab shows the angles of its plane; a slice only where all four points lie near it."""
    if m.value is None or len(m.points_vox) != 4 or view.plane != plane_of(m):
        return False
    return all(_near(view, point) for point in m.points_vox)


def _measured(result: CaseResult) -> list[Landmark]:
    """The key points of angles that have a value: those of an angle that cannot be measured say
    nothing.
    """
    angles = {
        m.name for m in result.measurements if m.source == "landmarks" and m.value is not None
    }
    return [mark for mark in result.landmarks if _angle(mark) in angles]


def _near(view: View, point: Point) -> bool:
    return view.index is None or abs(point[view.plane.axis] - view.index) <= NEAR_SLICES


def _bones(view: View) -> Iterable[Markup]:
    """One path a bone: closed outlines, holes left open by the even-odd rule."""
    for label, bone in enumerate(BONES, start=1):
        mask = np.pad(view.labels == label, 1)
        if not mask.any():
            continue
        loops = (_smoothed(loop) for loop in find_contours(mask.astype(np.float32), 0.5))
        path = "".join(
            svg.path(loop[:, ::-1] - 0.5) for loop in loops if len(loop) > 3
        )  # the pad is 1, a pixel's centre at 0.5
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
    """A closed outline (n, 2), last point same as the first, its steps evened: each three points
    become their mean. Small ones stay.
    """
    whole = len(loop) // 3 * 3
    if whole < 12:
        return loop
    even = loop[:whole].reshape(-1, 3, 2).mean(1)
    return np.concatenate([even, even[:1]])


def _corners(box: Box, plane: Plane, index: int) -> list[Point]:
    """Two opposite corners of a box in a slice, voxels; half-open, so its edges lie between voxel
    centres.
    """
    x, y = (axis for axis in range(3) if axis != plane.axis)
    ends = np.full((2, 3), index, float)
    ends[:, [x, y]] = np.reshape(box, (2, 2)) - 0.5
    return [(float(a), float(b), float(c)) for a, b, c in ends]


class _Scene:
    """Draws in the picture's own units: the image pixel, with (0, 0) the outer corner of the first
    one.
    """

    def __init__(self, view: View, size: int) -> None:
        self.view = view
        self.size = float(size)
        self._taken: list[
            tuple[float, float, float, float]
        ] = []  # centre and size of the labels so far

    def project(self, points: Sequence[Point]) -> Array:
        """(n, 3) voxel points -> (n, 2) picture units."""
        return geometry.apply(self.view.vox_to_px, points) + 0.5

    def lines(self, shown: Sequence[Measurement]) -> Iterable[Markup]:
        """Both lines of each angle, the arc between them and the value."""
        for m in shown:
            p1, p2, p3, p4 = self.project(m.points_vox)
            colour = angle_colour(m.name)
            dash = "6 4" if m.source == "masks" else None
            crossing = None if m.unit != "deg" else svg.crossing(p1, p2, p3, p4)
            seen = crossing is not None and self._inside(crossing)
            pairs = (svg.run_on(a, b, crossing if seen else None) for a, b in ((p1, p2), (p3, p4)))
            parts = [svg.segment(*ends, stroke=colour, stroke_dasharray=dash) for ends in pairs]
            at = (p3 + p4) / 2
            if seen and crossing is not None:
                arc, at = self._arc(crossing, (p1 + p2) / 2, (p3 + p4) / 2, abs(m.value or 0.0))
                parts.append(
                    svg.tag("path", d=arc, fill="none", stroke=colour, stroke_dasharray=dash)
                )
            parts.append(
                self._label(
                    f"{m.name} {number(m.value or 0.0, m.unit)}",
                    at,
                    colour,
                    f"reading {m.source}",
                )
            )
            yield svg.tag("g", *parts, class_=f"angle-{m.name} source-{m.source}")

    def _inside(self, point: Array) -> bool:
        rows, columns = self.view.image.shape
        return bool(0 <= point[0] <= columns and 0 <= point[1] <= rows)

    def _arc(
        self, crossing: Array, middle1: Array, middle2: Array, angle_deg: float
    ) -> tuple[str, Array]:
        """The arc between the two lines at their crossing, and where its label goes."""
        first, second = angle_shown(crossing, middle1, middle2, angle_deg)
        turn = geometry.signed_angle_deg(first, second)
        radius = self.size * 0.11
        (x0, y0), (x1, y1) = crossing + radius * first, crossing + radius * second
        half = math.radians(turn / 2)
        bisector = np.array(
            [
                first[0] * math.cos(half) - first[1] * math.sin(half),
                first[0] * math.sin(half) + first[1] * math.cos(half),
            ]
        )
        path = f"M{x0:.1f} {y0:.1f}A{radius:.1f} {radius:.1f} 0 0 {int(turn > 0)} {x1:.1f} {y1:.1f}"
        return path, crossing + 1.15 * radius * bisector

    def points(
        self, landmarks: Sequence[Landmark], shown: Sequence[Measurement]
    ) -> Iterable[Markup]:
        """Landmarks as dots with names, the ends of mask lines as small squares.

        Dots on one spot share a label.
        """
        r = self.size * 0.007
        for m in (m for m in shown if m.source == "masks"):
            colour = angle_colour(m.name)
            ends = self.project(m.points_vox) - r
            squares = (
                svg.tag("rect", x=x, y=y, width=2 * r, height=2 * r, fill="none", stroke=colour)
                for x, y in ends
            )
            yield svg.tag("g", *squares, class_=f"angle-{m.name} source-masks")
        spots: list[tuple[Array, list[Landmark]]] = []
        for mark in (p for p in landmarks if p.score >= MIN_SCORE and self._has(p)):
            x, y = at = self.project([mark.xyz_vox])[0]
            hint = svg.tag("title", f"{mark.name}, {mark.score:.2f}")
            dot = svg.tag("circle", hint, cx=x, cy=y, r=r, fill=_colour(mark), class_="dot")
            yield svg.tag("g", dot, class_=f"angle-{_angle(mark)} source-landmarks")
            near = next(
                (marks for place, marks in spots if np.linalg.norm(place - at) < MERGE * self.size),
                None,
            )
            if near is None:
                spots.append((at, [mark]))
            else:
                near.append(mark)
        for at, marks in spots:
            yield self._spot_label(at + np.array([0.0, -0.022 * self.size]), marks)

    def _spot_label(self, at: Array, marks: Sequence[Landmark]) -> Markup:
        texts = [_short(mark.name) for mark in marks]
        pairs = zip(texts, marks, strict=True)
        spans = [
            svg.tag("tspan", text, fill=_colour(mark), class_=f"angle-{_angle(mark)}")
            for text, mark in pairs
        ]
        return self._label(
            " ".join(texts), at, None, "name source-landmarks", 0.75, [Markup(" ").join(spans)]
        )

    def _has(self, mark: Landmark) -> bool:
        return (
            _angle(mark) in ANGLE
            and ANGLE[_angle(mark)].plane is self.view.plane
            and _near(self.view, mark.xyz_vox)
        )

    def boxes(self, lesions: Sequence[Lesion], lang: str) -> Iterable[Markup]:
        """The boxes of this plane whose slices hold this picture's."""
        for lesion in lesions:
            box, index = _box_in(self.view, lesion), self.view.index
            if box is None or index is None:
                continue
            corners = self.project(_corners(box, lesion.plane, index))
            (x0, y0), (x1, y1) = corners.min(axis=0), corners.max(axis=0)
            dots = None if lesion.score >= SURE else "2 4"
            frame = {"x": x0, "y": y0, "width": x1 - x0, "height": y1 - y0}
            yield svg.tag(
                "rect", **frame, fill="none", stroke=BOX_COLOUR, stroke_dasharray=dots, class_="box"
            )
            above = np.array([(x0 + x1) / 2, y0 - 0.02 * self.size])
            yield self._label(
                f"{term_title('lesion', lesion.label, lang)} {lesion.score:.2f}",
                above,
                BOX_COLOUR,
                "reading",
            )

    def marks(self, side: str | None, t: Mapping[str, str]) -> Iterable[Markup]:
        """Side, edge letters, slice number and scale bar."""
        rows, columns = self.view.image.shape
        gap = self.size * 0.02
        if side is not None:
            yield svg.tag(
                "text",
                side,
                x=gap,
                y=gap,
                font_size=self.size * 0.085,
                dominant_baseline="hanging",
                class_="side",
            )
        else:
            yield svg.tag(
                "text",
                f"{t['side']}: {t['side.None']}",
                x=gap,
                y=gap,
                dominant_baseline="hanging",
                class_="side",
            )
        left, right, top, bottom = self.view.edges
        for text, x, y, anchor in (
            (left, gap, rows / 2, "start"),
            (right, columns - gap, rows / 2, "end"),
            (top, columns / 2, 1.6 * gap, "middle"),
            (bottom, columns / 2, rows - gap, "middle"),
        ):
            self._taken.append((x, y, 2 * gap, 2 * gap))
            yield svg.tag(
                "text",
                text,
                x=x,
                y=y,
                text_anchor=anchor,
                dominant_baseline="central",
                class_="edge",
            )
        if self.view.index is not None:
            yield svg.tag(
                "text",
                f"{t['slice']} {self.view.index}",
                x=columns - gap,
                y=1.6 * gap,
                text_anchor="end",
                class_="edge",
            )
        yield from self._scale_bar(rows, gap)

    def _scale_bar(self, rows: int, gap: float) -> Iterable[Markup]:
        length = self.view.pixel_mm
        fits = [mm for mm in BAR_MM if length and mm / length < 0.45 * self.view.image.shape[1]]
        if length and fits:
            y = rows - gap
            yield svg.segment(
                np.array([gap, y]), np.array([gap + fits[0] / length, y]), class_="bar"
            )
            yield svg.tag("text", f"{fits[0]} mm", x=gap, y=y - 0.6 * gap, class_="edge")

    def _label(
        self,
        text: str,
        at: Array,
        colour: str | None,
        kind: str,
        scale: float = 1.0,
        spans: Sequence[Markup] = (),
    ) -> Markup:
        """Text centred at a place, or as near as no other label stands, inside the picture."""
        rows, columns = self.view.image.shape
        height = FONT * self.size * scale * 1.15
        width = min(0.55 * height * len(text), float(columns))
        moves = sorted(
            (math.hypot(dx * width, dy * height), dx * width, dy * height)
            for dx in ASIDE
            for dy in ABOVE
        )
        held = (
            np.clip(at + move, (width / 2, height / 2), (columns - width / 2, rows - height / 2))
            for _, *move in moves
        )
        places = [(float(x), float(y)) for x, y in held]
        x, y = next(
            (place for place in places if not self._is_taken(*place, width, height)), places[0]
        )
        self._taken.append((x, y, width, height))
        place = {"x": x, "y": y, "font_size": None if scale == 1.0 else FONT * self.size * scale}
        return svg.tag(
            "text",
            *(spans or (text,)),
            **place,
            fill=colour,
            text_anchor="middle",
            dominant_baseline="central",
            class_=kind,
        )

    def _is_taken(self, x: float, y: float, width: float, height: float) -> bool:
        return any(
            abs(y - ty) < (height + th) / 2 and abs(x - tx) < (width + tw) / 2
            for tx, ty, tw, th in self._taken
        )


def angle_shown(
    crossing: Array, middle1: Array, middle2: Array, angle_deg: float
) -> tuple[Array, Array]:
    """Unit directions of the two arms of the sector whose opening is nearer to the value (lines
    leave two to choose from).
    """
    first, second = svg.towards(crossing, middle1), svg.towards(crossing, middle2)
    opening = abs(geometry.signed_angle_deg(first, second))
    return (
        (first, -second)
        if abs(180.0 - opening - angle_deg) < abs(opening - angle_deg)
        else (first, second)
    )


def _angle(mark: Landmark) -> str:
    return mark.name.split("_")[0]


def _colour(mark: Landmark) -> str:
    return angle_colour(_angle(mark))


def _short(landmark: str) -> str:
    """CPA_Line2_Pt1 -> CPA P3, as the lines' points are numbered."""
    parts = landmark.split("_")
    if len(parts) != 3 or not (parts[1][-1:].isdigit() and parts[2][-1:].isdigit()):
        return landmark
    return f"{parts[0]} P{2 * (int(parts[1][-1]) - 1) + int(parts[2][-1])}"
