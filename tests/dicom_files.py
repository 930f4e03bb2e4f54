"""Small synthetic CT files for tests."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.uid import UID, CTImageStorage, ExplicitVRLittleEndian

UID_ROOT = "1.2.826.0.1.3680043.8.498."
SHAPE = (12, 10)


def pattern(number: int = 0, shape: tuple[int, int] = SHAPE) -> NDArray[np.uint16]:
    """A picture of stored values 0..4095, another one for each number, without any symmetry."""
    rows, columns = np.indices(shape)
    return ((rows * 37 + columns * 11 + rows * columns + number * 101) % 4096).astype(np.uint16)


def ct(number: int = 0, pixels: NDArray[Any] | None = None, **changes: Any) -> Dataset:
    """A CT slice at z = 0.4 x number, 0.3 mm columns and rows, HU = value - 1024.

    Changes: keyword = value; None removes it.
    """
    pixels = pattern(number) if pixels is None else pixels
    data = Dataset()
    values: dict[str, Any] = {
        "SOPClassUID": CTImageStorage,
        "SOPInstanceUID": f"{UID_ROOT}1.{number + 1}",
        "Modality": "CT",
        "ImageType": ["ORIGINAL", "PRIMARY", "AXIAL"],
        "PatientID": "P1",
        "PatientName": "Secret^Name",
        "PatientSex": "F",
        "PatientAge": "047Y",
        "SeriesDescription": "FOOT WB",
        "SeriesInstanceUID": f"{UID_ROOT}2",
        "SeriesNumber": 3,
        "InstanceNumber": number + 1,
        "ImagePositionPatient": [-10, -20, round(0.4 * number, 6)],
        "ImageOrientationPatient": [1, 0, 0, 0, 1, 0],
        "PixelSpacing": [0.3, 0.3],
        "Laterality": "R",
        "SamplesPerPixel": 1,
        "PhotometricInterpretation": "MONOCHROME2",
        "Rows": pixels.shape[-2],
        "Columns": pixels.shape[-1],
        "BitsAllocated": pixels.dtype.itemsize * 8,
        "BitsStored": pixels.dtype.itemsize * 8,
        "HighBit": pixels.dtype.itemsize * 8 - 1,
        "PixelRepresentation": int(pixels.dtype.kind == "i"),
        "RescaleSlope": 1,
        "RescaleIntercept": -1024,
    }
    for keyword, value in (values | changes).items():
        if value is not None:
            setattr(data, keyword, value)
    data.PixelData = pixels.astype(pixels.dtype.newbyteorder("<")).tobytes()
    data["PixelData"].VR = "OW"
    return data


def save(
    path: Path,
    data: Dataset,
    syntax: str = ExplicitVRLittleEndian,
    frames: list[bytes] | None = None,
) -> Path:
    """Write a data set as a DICOM file.

    `frames` are compressed frames for an encapsulated syntax.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    uid = UID(syntax)
    if frames is not None:
        data.PixelData = encapsulate(frames)
        data["PixelData"].VR = "OB"
        data["PixelData"].is_undefined_length = True
    elif not uid.is_little_endian:
        data.PixelData = np.frombuffer(data.PixelData, "<u2").astype(">u2").tobytes()
    data.file_meta = FileMetaDataset()
    data.file_meta.TransferSyntaxUID = uid
    data.file_meta.MediaStorageSOPClassUID = data.get("SOPClassUID", CTImageStorage)
    data.file_meta.MediaStorageSOPInstanceUID = f"{UID_ROOT}1"
    data.save_as(path, enforce_file_format=True)
    return path


def series(folder: Path, count: int = 10, **changes: Any) -> Path:
    """A folder of slices 000.dcm, 001.dcm, ..."""
    for number in range(count):
        save(folder / f"{number:03d}.dcm", ct(number, **changes))
    return folder
