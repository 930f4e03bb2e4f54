"""A synthetic scan -> a case folder in the data set's layout: slices of three planes and labels."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from footcli.dataset.angle_labels import write_angle_label
from footcli.dataset.annotations import write_slice_label
from footcli.dataset.clinical import Clinical, write_clinical
from footcli.dataset.outlines import polygons_of_mask
from footcli.domain import Plane
from footcli.geometry import Array, slice_of
from footcli.kinds import BONES, FINDING, LESION, LESIONS
from footcli.phantom.scanner import Scan
from footcli.system.files import write_atomic

INSTITUTION = "S00"  # marks a synthetic case
# Plane -> array axes (of z, y, x) of slices, rows, columns
AXES = {Plane.AXL: (0, 1, 2), Plane.COR: (1, 0, 2), Plane.SAG: (2, 0, 1)}


def case_name(seed: int, disease: str) -> str:
    """The case id of a synthetic subject."""
    return f"{FINDING[disease].group}{seed:08d}"


def write_case(
    root: Path, scan: Scan, seed: int, planes: Iterable[Plane] = tuple(Plane), labels: bool = True
) -> Path:
    """Write one case below `root`; returns its folder of source images. Raises OSError.

    The top slice comes first, as from scanners. labels=False omits the label tree.
    The same scan always gives the same files.
    """
    disease = scan.subject.diseases[0]
    case, group, side = case_name(seed, disease), FINDING[disease].group, scan.subject.side
    written = FINDING[disease].clinical_name
    stem = f"A_{INSTITUTION}_{group}_{seed:010d}_ST01_{side}"
    source, label = root / "1.원천데이터" / group / case, root / "2.라벨링데이터" / group / case
    clinical = Clinical(
        case,
        float(scan.subject.age_years),
        scan.subject.sex,
        (group,),
        (f"{written} (synthetic)",) if written else (),
    )
    write_clinical(source / "CLINICALINFO" / f"{stem}.json", clinical)
    top = scan.hu.shape[0] - 1
    hu, truth, bits = scan.hu[::-1], scan.raster.labels[::-1], scan.raster.lesion[::-1]
    affine = scan.raster.grid.affine.copy()
    affine[:3, 3] += affine[:3, 2] * top
    affine[:3, 2] *= -1
    if labels:
        points = {
            name: (float(p[0]), float(p[1]), float(top - p[2])) for name, p in scan.points.items()
        }
        write_angle_label(label / "ANGLE" / f"{stem}_Angle.json", points)
    for plane in planes:
        axis = AXES[plane][0]
        for index in range(hu.shape[axis]):
            name = f"{stem}_{plane}_{index:04d}"
            picture = slice_of(hu, axis, index)
            write_atomic(
                source / plane / f"{name}.dcm", _dicom(picture, affine, plane, index, seed, side)
            )
            if labels:
                mask, found = slice_of(truth, axis, index), slice_of(bits, axis, index)
                write_slice_label(
                    label / plane / f"{name}.json",
                    _polygons(mask),
                    lesion_boxes(found, plane),
                    clinical,
                )
    return source


def _polygons(mask: NDArray[np.uint8]) -> dict[str, list[Array]]:
    present = np.unique(mask)
    return {BONES[k - 1].name: polygons_of_mask(mask == k) for k in present if k}


def lesion_boxes(
    bits: NDArray[np.uint8], plane: Plane
) -> dict[str, list[tuple[float, float, float, float]]]:
    """Label -> boxes (x0, y0, x1, y1) of this plane's lesions, one for each piece.

    bits: (rows, columns), see Raster.lesion. Pixels, half-open: outer edges of the outermost.
    """
    found = {}
    for i, term in enumerate(LESIONS):
        if LESION[term.name].plane is plane and (bits & (1 << i)).any():
            pieces = ndimage.find_objects(ndimage.label(bits & (1 << i), np.ones((3, 3)))[0])
            found[term.name] = [
                (float(c.start), float(r.start), float(c.stop), float(r.stop)) for r, c in pieces
            ]
    return found


def _uid(*words: object) -> str:
    """A UID under 2.25, the same for the same words."""
    number = int.from_bytes(hashlib.sha256(" ".join(map(str, words)).encode()).digest()[:15], "big")
    return f"2.25.{number}"


def _dicom(
    picture: NDArray[np.int16], affine: Array, plane: Plane, index: int, seed: int, side: str
) -> bytes:
    """One slice as explicit little-endian CT with full geometry, without dates or a person."""
    from pydicom.dataset import Dataset, FileMetaDataset
    from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian

    axis, rows, columns = (2 - a for a in AXES[plane])  # as voxel axes x, y, z
    step = np.linalg.norm(affine[:3, :3], axis=0)
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID, meta.TransferSyntaxUID = CTImageStorage, ExplicitVRLittleEndian
    meta.MediaStorageSOPInstanceUID = _uid("image", seed, plane, index)
    meta.ImplementationClassUID = _uid("footcli")
    ds = Dataset()
    ds.file_meta = meta
    place: dict[str, Any] = {
        "ImagePositionPatient": [f"{v:.6g}" for v in affine[:3, 3] + affine[:3, axis] * index],
        "ImageOrientationPatient": [
            f"{v:.8g}"
            for v in (*(affine[:3, columns] / step[columns]), *(affine[:3, rows] / step[rows]))
        ],
        "PixelSpacing": [f"{step[rows]:.6g}", f"{step[columns]:.6g}"],
        "SliceThickness": f"{step[axis]:.6g}",
    }
    words = {
        "SOPClassUID": CTImageStorage,
        "SOPInstanceUID": meta.MediaStorageSOPInstanceUID,
        "StudyInstanceUID": _uid("study", seed),
        "SeriesInstanceUID": _uid("series", seed, plane),
        "FrameOfReferenceUID": _uid("frame", seed),
        "Modality": "CT",
        "PatientName": "Synthetic",
        "PatientID": f"S{seed}",
        "Manufacturer": "footcli phantom",
        "SeriesDescription": "WB synthetic",
        "SeriesNumber": str(1 + list(Plane).index(plane)),
        "InstanceNumber": str(index + 1),
        "ImageLaterality": side,
    }
    stored = picture.astype(np.int32) + 1024
    shape = {
        "Rows": picture.shape[0],
        "Columns": picture.shape[1],
        "SamplesPerPixel": 1,
        "PhotometricInterpretation": "MONOCHROME2",
        "BitsAllocated": 16,
        "BitsStored": 16,
        "HighBit": 15,
        "PixelRepresentation": 0,
        "RescaleIntercept": "-1024",
        "RescaleSlope": "1",
    }
    for key, value in {**words, **place, **shape}.items():
        setattr(ds, key, value)
    ds.PixelData = np.clip(stored, 0, 65535).astype("<u2").tobytes()
    buffer = io.BytesIO()
    ds.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()
