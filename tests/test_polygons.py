"""A result in the data set's own label format: masks and boxes come back from what was written."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from grids import volume_of
from numpy.typing import NDArray

from footcli.dataset.annotations import read_slice_label
from footcli.dataset.labels_out import write_polygons
from footcli.dataset.outlines import mask_of_polygons
from footcli.domain import CaseRef, Lesion, Plane
from footcli.kinds import BONE_ID

SHAPE = (9, 11, 13)
LESIONS = (
    Lesion("OLT", 0.9, Plane.COR, (3, 5), (2.0, 3.0, 1.0, 6.5, 6.0, 4.0), None),
    Lesion("OLT", 0.5, Plane.COR, (5, 6), (8.0, 5.0, 5.0, 10.0, 7.0, 8.0), None),
    Lesion("Accessory Navicular", 0.5, Plane.AXL, (7, 7), (1.0, 2.0, 7.0, 4.0, 5.0, 8.0), None),
)


@pytest.fixture
def labels(monkeypatch: pytest.MonkeyPatch) -> NDArray[np.uint8]:
    monkeypatch.setattr("os.fsync", lambda handle: None)
    made = np.zeros(SHAPE, np.uint8)
    made[2:6, 3:8, 4:9] = BONE_ID["Talus"]
    made[4:6, 3:8, 9:11] = BONE_ID["Calcaneus"]
    return made


def _ref(images: dict[Plane | None, tuple[Path, ...]] | None = None) -> CaseRef:
    return CaseRef("x", Path("x"), "dataset", images or {})


@pytest.mark.parametrize("plane", list(Plane))
def test_the_masks_come_back_from_the_polygons_of_each_plane(
    plane: Plane, labels: NDArray[np.uint8], tmp_path: Path
) -> None:
    volume = volume_of(labels.astype(np.int16), (1.0, 1.0, 1.0))
    write_polygons(tmp_path, labels, (), volume, _ref())
    axis = 2 - plane.axis
    shown = [i for i in range(SHAPE[axis]) if labels.take(i, axis).any()]
    written = sorted((tmp_path / plane).iterdir())
    names = (
        volume.slice_names
        if plane is Plane.AXL
        else [f"{plane}_{i:04d}" for i in range(SHAPE[axis])]
    )
    assert [p.stem for p in written] == [names[i] for i in shown]
    for index, path in zip(shown, written, strict=True):
        mask = labels.take(index, axis)
        found = read_slice_label(path).polygons
        back = {name: mask_of_polygons(pieces, mask.shape) for name, pieces in found.items()}
        assert {BONE_ID[name] for name in back} == set(np.unique(mask)) - {0}
        for name, filled in back.items():
            np.testing.assert_array_equal(filled, mask == BONE_ID[name])


def test_every_box_stands_in_the_slices_of_its_lesion_and_its_own_plane(
    labels: NDArray[np.uint8], tmp_path: Path
) -> None:
    write_polygons(
        tmp_path, labels, LESIONS, volume_of(labels.astype(np.int16), (1.0, 1.0, 1.0)), _ref()
    )
    boxes = {
        p.stem: dict(read_slice_label(p).boxes)
        for plane in Plane
        for p in (tmp_path / plane).iterdir()
    }
    first, second = (2.0, 1.0, 6.5, 4.0), (8.0, 5.0, 10.0, 8.0)
    assert {stem: found for stem, found in boxes.items() if found} == {
        "COR_0003": {"OLT": (first,)},
        "COR_0004": {"OLT": (first,)},
        "COR_0005": {"OLT": (first, second)},
        "COR_0006": {"OLT": (second,)},
        "s0007": {"Accessory Navicular": ((1.0, 2.0, 4.0, 5.0),)},
    }


def test_slices_of_other_planes_are_named_as_the_cases_own_files_where_their_number_fits(
    labels: NDArray[np.uint8], tmp_path: Path
) -> None:
    images: dict[Plane | None, tuple[Path, ...]] = {
        Plane.COR: tuple(Path(f"case_COR_{i:04d}.dcm") for i in range(SHAPE[1])),
        Plane.SAG: (Path("case_SAG_0000.dcm"),),
    }
    write_polygons(
        tmp_path, labels, (), volume_of(labels.astype(np.int16), (1.0, 1.0, 1.0)), _ref(images)
    )
    assert [p.stem for p in sorted((tmp_path / "COR").iterdir())] == [
        f"case_COR_{i:04d}" for i in range(3, 8)
    ]
    assert [p.stem for p in sorted((tmp_path / "SAG").iterdir())] == [
        f"SAG_{i:04d}" for i in range(4, 11)
    ]
