"""Labelled cases of the data set's layout for training: whole volumes with their labels, split by
patient.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from footcli.dataset.labels_out import source_names
from footcli.dataset.outlines import mask_of_polygons
from footcli.domain import Plane, Point, Volume
from footcli.errors import SetupError, TruthError
from footcli.evaluate.boxes import LESION_ID
from footcli.evaluate.truth import Truth, read_truth
from footcli.infer.bones import on_input_grid, segment
from footcli.infer.manifest import load_manifest, verify
from footcli.infer.prepare import Canonical, canonical, orientation, oriented
from footcli.infer.session import Session, open_session
from footcli.infer.spec import ModelSpec
from footcli.kinds import BONE_ID, RAYS
from footcli.read import read_case
from footcli.system.assets import models_dir
from footcli.walk.tree import CaseEntry, list_cases

HELD_OUT = 5  # one patient in this many is held out for judging
LEAST_PATIENTS = 2
Labels = NDArray[np.uint8]


@dataclass(frozen=True, slots=True, eq=False)
class Labelled:
    """A labelled scan.

    labels: uint8 (z, y, x) on the volume's grid. points: landmark -> voxel (x, y, z). lesions:
    uint8 (z, y, x), bit i in the boxes of LESIONS[i] in that lesion's plane; None if lesions are
    unlabelled. boxed: plane -> slices that were labelled for lesions, None for all.
    """

    volume: Volume
    labels: Labels
    points: Mapping[str, Point] = field(default_factory=dict)
    lesions: Labels | None = None
    boxed: Mapping[Plane, frozenset[int]] | None = None

    def canonical(self, pixel_mm: float) -> Canonical:
        """The volume on its canonical grid, turned by its bones where the file gives no
        orientation.
        """
        turned = (
            (False, False)
            if self.volume.orientation_known
            else turn_of(self.labels, self.volume.affine)
        )
        return canonical(self.volume, pixel_mm, turned)


def find_labelled(tree: Path) -> list[CaseEntry]:
    """The tree's cases that hold labels.

    Raises SetupError if there are none, or if all belong to one patient.
    """
    found = [place for place in list_cases(tree) if place.labelled]
    if not found:
        raise SetupError(
            f"{tree}: holds no labelled case of the data set's layout; name the folder with images "
            "and labels"
        )
    if len({p.folder_name for p in found}) < LEAST_PATIENTS:
        raise SetupError(
            f"{tree}: labels of one patient alone: none would be left to judge by; "
            f"{LEAST_PATIENTS} are the least"
        )
    return found


def split(places: Sequence[CaseEntry]) -> tuple[list[CaseEntry], list[CaseEntry]]:
    """Training cases and judging cases: one patient in HELD_OUT, always the same ones, is for
    judging; each part gets at least one.
    """
    names = sorted(
        {p.folder_name for p in places}, key=lambda name: hashlib.sha256(name.encode()).digest()
    )
    held = set(names[: max(1, len(names) // HELD_OUT)])
    return [p for p in places if p.folder_name not in held], [
        p for p in places if p.folder_name in held
    ]


def read_labelled(place_: CaseEntry, outline: Callable[[Volume], Labels] | None = None) -> Labelled:
    """A case's volume, bones and landmarks, cropped to the slices of a plane labelled without gaps.

    outline: segments the bones where there is no such plane; the volume is then whole. Raises
    ReadError for its images, TruthError for labels that give no bones, and what `outline` raises.
    """
    ref = place_.open()
    volume = read_case(ref)
    shape = volume.hu.shape
    truth = read_truth(
        ref, {plane: source_names(plane, shape, volume, ref) for plane in Plane}, shape
    )
    if truth.void_bones():
        raise TruthError(
            "outlines had to be left out of its labels: footcli stats names them; mend them first"
        )
    if truth.whole is not None:
        return _cropped(volume, truth, truth.whole)
    if outline is None:
        raise TruthError("no plane is labelled without gaps: its bones cannot be put together")
    return Labelled(volume, outline(volume), truth.points, _lesion_bits(truth), _boxed(truth))


def by_shipped_model(volume: Volume) -> Labels:
    """The bones of a volume by the shipped network, uint8 (z, y, x); of two feet the first. Raises
    InferenceError.
    """
    session, spec = _shipped()
    foot = segment(volume, session, spec)[0]
    return on_input_grid(foot, foot.labels, volume)


@cache
def _shipped() -> tuple[Session, ModelSpec]:
    manifest = load_manifest(models_dir())
    spec = manifest.get("bones")
    return open_session(verify(spec, manifest.folder), "auto", None, spec), spec


def _cropped(volume: Volume, truth: Truth, plane: Plane) -> Labelled:
    labels = np.zeros(truth.shape, np.uint8)
    stack = np.moveaxis(labels, plane.array_axis, 0)
    for index, label in truth.slices[plane].items():
        for name, pieces in label.polygons.items():
            picture = stack[index]
            picture[mask_of_polygons(pieces, (picture.shape[0], picture.shape[1]))] = BONE_ID[name]
    within = [slice(None)] * 3
    first = min(truth.slices[plane])
    within[plane.array_axis] = slice(first, max(truth.slices[plane]) + 1)
    hu = np.ascontiguousarray(volume.hu[tuple(within)])
    affine = volume.affine.copy()
    affine[:3, 3] += affine[:3, plane.axis] * first
    less = np.eye(3)[plane.axis] * first
    points = {}
    for name, at in truth.points.items():
        x, y, z = np.subtract(at, less).tolist()
        points[name] = (x, y, z)
    cropped = Volume(
        hu,
        affine,
        (),
        "",
        spacing_known=volume.spacing_known,
        orientation_known=volume.orientation_known,
        tags=volume.tags,
    )
    lesions = np.ascontiguousarray(_lesion_bits(truth)[tuple(within)])
    known = _boxed(truth)
    boxed = known | {plane: frozenset(index - first for index in known[plane])}
    return Labelled(cropped, np.ascontiguousarray(labels[tuple(within)]), points, lesions, boxed)


def _boxed(truth: Truth) -> dict[Plane, frozenset[int]]:
    """Plane -> slices in which all boxes are known; slices with a box left out are excluded."""
    found = {}
    for plane, slices in truth.slices.items():
        whole = [i for i, label in slices.items() if label.void.isdisjoint(LESION_ID)]
        found[plane] = frozenset(whole)
    return found


def _lesion_bits(truth: Truth) -> Labels:
    """uint8 (z, y, x), bit i inside the boxes of LESIONS[i] in that lesion's plane."""
    bits = np.zeros(truth.shape, np.uint8)
    for item in truth.boxes():
        if item.in_own_plane:
            x0, y0, x1, y1 = (round(edge) for edge in item.box)
            picture = np.moveaxis(bits, item.plane.array_axis, 0)[item.index]
            picture[max(0, y0) : max(0, y1), max(0, x0) : max(0, x1)] |= np.uint8(
                1 << (LESION_ID[item.label] - 1)
            )
    return bits


def on_canonical_grid(labels: Labels, grid: Canonical, volume: Volume) -> Labels:
    """Resample a volume's labels to its canonical grid by nearest neighbour, uint8 (z, y, x)."""
    view = oriented(labels, grid.order, grid.flip)
    spacing = volume.spacing_mm[::-1][list(grid.order)]
    at = [
        np.minimum(np.rint(np.arange(n) * grid.pixel_mm / s).astype(int), m - 1)
        for n, m, s in zip(grid.hu.shape, view.shape, spacing, strict=True)
    ]
    return np.ascontiguousarray(view[np.ix_(*at)])


def turn_of(labels: Labels, affine: NDArray[np.float64]) -> tuple[bool, bool]:
    """Whether up-down and front-back must be reversed to have the leg on top and the toes in front,
    according to the bones.
    """
    view = oriented(labels, *orientation(affine))

    def middle(*bones: int) -> NDArray[np.float64] | None:
        where = np.argwhere(np.isin(view, bones))
        return where.mean(0) if len(where) else None

    leg, heel, toes = middle(BONE_ID["Tibia"]), middle(BONE_ID["Calcaneus"]), middle(*RAYS)
    toes = middle(BONE_ID["MidFoot"]) if toes is None else toes
    upside = leg is not None and heel is not None and bool(leg[0] < heel[0])
    backwards = toes is not None and heel is not None and bool(toes[1] > heel[1])
    return upside, backwards
