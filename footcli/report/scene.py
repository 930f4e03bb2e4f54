"""Draws lines, points, boxes and marks of one picture, in image pixels."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from markupsafe import Markup

from footcli import geometry
from footcli.domain import Box, Landmark, Lesion, Measurement, Plane, Point
from footcli.kinds import ANGLE
from footcli.levels import MIN_SCORE, SURE
from footcli.report.angle_lines import (
    Array,
    angle_colour,
    angle_of,
    angle_shown,
    mark_colour,
    short_name,
)
from footcli.report.labels import Labels
from footcli.store.pictures import View
from footcli.text.wording import number
from footcli.web import svg
from footcli.web.page import term_title

BOX_COLOUR = "#ff6b6b"
NEAR_SLICES = 4.0  # a slice shows points at most this many slices away
DOT = 0.007  # radius of a point as a share of the picture
MERGE = 0.02  # points nearer than this share of the picture get one label
BAR_MM = (20, 10, 5, 2)  # lengths of the scale bar; the longest that fits is used


def lesion_box(view: View, lesion: Lesion) -> Box | None:
    """A lesion's box in a picture's slice, input voxels; None if the picture does not cut it."""
    return (
        None if view.index is None or view.plane is not lesion.plane else lesion.box_in(view.index)
    )


def is_near(view: View, point: Point) -> bool:
    """Whether a point (input voxel) is near enough to be drawn; always true for a slab."""
    return view.index is None or abs(point[view.plane.axis] - view.index) <= NEAR_SLICES


def _corners(box: Box, plane: Plane, index: int) -> list[Point]:
    """Two opposite corners of a box in a slice, voxels (x, y, z).

    Boxes are half-open, so their edges lie between voxel centres.
    """
    x, y = (axis for axis in range(3) if axis != plane.axis)
    ends = np.full((2, 3), index, float)
    ends[:, [x, y]] = np.reshape(box, (2, 2)) - 0.5
    return [(float(a), float(b), float(c)) for a, b, c in ends]


class Scene:
    """Draws in picture units: image pixels, with (0, 0) the outer corner of the first pixel."""

    def __init__(self, view: View, size: int) -> None:
        self.view = view
        self.size = float(size)
        self._labels = Labels(view.image.shape, self.size)

    def project(self, points: Sequence[Point]) -> Array:
        """(n, 3) voxel points -> (n, 2) picture units."""
        return geometry.apply(self.view.vox_to_px, points) + 0.5

    def lines(self, shown: Sequence[Measurement]) -> Iterable[Markup]:
        """Both lines of each angle, the arc between them and the value."""
        for m in shown:
            p1, p2, p3, p4 = self.project(m.points_vox)
            colour = angle_colour(m.name)
            dash = "6 4" if m.source == "masks" else None
            crossing = self._crossing(m, (p1, p2, p3, p4))
            pairs = (svg.run_on(p1, p2, crossing), svg.run_on(p3, p4, crossing))
            parts = [svg.segment(*ends, stroke=colour, stroke_dasharray=dash) for ends in pairs]
            at = (p3 + p4) / 2
            if crossing is not None:
                arc, at = self._arc(crossing, (p1 + p2) / 2, (p3 + p4) / 2, abs(m.value or 0.0))
                parts.append(
                    svg.tag("path", d=arc, fill="none", stroke=colour, stroke_dasharray=dash)
                )
            value = f"{m.name} {number(m.value or 0.0, m.unit)}"
            parts.append(self._labels.put(value, at, colour, f"reading {m.source}"))
            yield svg.tag("g", *parts, class_=f"angle-{m.name} source-{m.source}")

    def _crossing(self, m: Measurement, ends: Sequence[Array]) -> Array | None:
        """Where an angle's two lines cross; None outside the picture or if the unit is not deg."""
        found = svg.crossing(*ends) if m.unit == "deg" else None
        return found if found is not None and self._inside(found) else None

    def _inside(self, point: Array) -> bool:
        rows, columns = self.view.image.shape
        return bool(0 <= point[0] <= columns and 0 <= point[1] <= rows)

    def _arc(
        self, crossing: Array, middle1: Array, middle2: Array, angle_deg: float
    ) -> tuple[str, Array]:
        """Path of the arc between two lines at their crossing, and the position of its label."""
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

        Dots close together (see MERGE) share a label.
        """
        for m in shown:
            if m.source == "masks":
                yield self._squares(m)
        spots: list[tuple[Array, list[Landmark]]] = []
        for mark in landmarks:
            if mark.score >= MIN_SCORE and self._has(mark):
                at = self.project([mark.xyz_vox])[0]
                yield self._dot(mark, at)
                self._put(spots, at, mark)
        for at, marks in spots:
            yield self._spot_label(at + np.array([0.0, -0.022 * self.size]), marks)

    def _squares(self, m: Measurement) -> Markup:
        edge = 2 * DOT * self.size
        box = {"width": edge, "height": edge}
        colour = angle_colour(m.name)
        corners = self.project(m.points_vox) - edge / 2
        squares = [svg.tag("rect", x=x, y=y, **box, fill="none", stroke=colour) for x, y in corners]
        return svg.tag("g", *squares, class_=f"angle-{m.name} source-masks")

    def _dot(self, mark: Landmark, at: Array) -> Markup:
        hint = svg.tag("title", f"{mark.name}, {mark.score:.2f}")
        place = {"cx": float(at[0]), "cy": float(at[1]), "r": DOT * self.size}
        dot = svg.tag("circle", hint, **place, fill=mark_colour(mark), class_="dot")
        return svg.tag("g", dot, class_=f"angle-{angle_of(mark)} source-landmarks")

    def _put(self, spots: list[tuple[Array, list[Landmark]]], at: Array, mark: Landmark) -> None:
        """Add a mark to a spot within MERGE, else as a new spot."""
        for place, marks in spots:
            if np.linalg.norm(place - at) < MERGE * self.size:
                marks.append(mark)
                return
        spots.append((at, [mark]))

    def _spot_label(self, at: Array, marks: Sequence[Landmark]) -> Markup:
        texts = [short_name(mark.name) for mark in marks]
        pairs = zip(texts, marks, strict=True)
        spans = [
            svg.tag("tspan", text, fill=mark_colour(mark), class_=f"angle-{angle_of(mark)}")
            for text, mark in pairs
        ]
        joined = [Markup(" ").join(spans)]
        return self._labels.put(" ".join(texts), at, None, "name source-landmarks", joined)

    def _has(self, mark: Landmark) -> bool:
        return (
            angle_of(mark) in ANGLE
            and ANGLE[angle_of(mark)].plane is self.view.plane
            and is_near(self.view, mark.xyz_vox)
        )

    def boxes(self, lesions: Sequence[Lesion], lang: str) -> Iterable[Markup]:
        """The boxes of the lesions that this picture's slice cuts."""
        for lesion in lesions:
            box, index = lesion_box(self.view, lesion), self.view.index
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
            yield self._labels.put(
                f"{term_title('lesion', lesion.label, lang)} {lesion.score:.2f}",
                above,
                BOX_COLOUR,
                "reading",
            )

    def marks(self, side: str | None, t: Mapping[str, str]) -> Iterable[Markup]:
        """Side, edge letters, slice number and scale bar."""
        rows, columns = self.view.image.shape
        gap = self.size * 0.02
        unknown = f"{t['side']}: {t['side.None']}"
        size = None if side is None else self.size * 0.085
        hanging: dict[str, Any] = {"font_size": size, "dominant_baseline": "hanging"}
        yield svg.tag("text", side or unknown, x=gap, y=gap, **hanging, class_="side")
        left, right, top, bottom = self.view.edges
        for text, x, y, anchor in (
            (left, gap, rows / 2, "start"),
            (right, columns - gap, rows / 2, "end"),
            (top, columns / 2, 1.6 * gap, "middle"),
            (bottom, columns / 2, rows - gap, "middle"),
        ):
            self._labels.block(x, y, 2 * gap, 2 * gap)
            place: dict[str, Any] = {"x": x, "y": y, "text_anchor": anchor}
            yield svg.tag("text", text, **place, dominant_baseline="central", class_="edge")
        if self.view.index is not None:
            place = {"x": columns - gap, "y": 1.6 * gap, "text_anchor": "end"}
            yield svg.tag("text", f"{t['slice']} {self.view.index}", **place, class_="edge")
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
