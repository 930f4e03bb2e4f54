"""read: a case's files -> one volume, or one clear reason why not."""

from __future__ import annotations

import io
import os
import re
import shutil
import time
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from dicom_files import SHAPE, UID_ROOT, ct, pattern, save, series
from PIL import Image
from pydicom.dataset import Dataset

from footcli.domain import CaseRef, Plane, Volume
from footcli.errors import ReadError
from footcli.read.case import read_as_stored
from footcli.read.spread import spread_series
from footcli.text.wording import text
from footcli.walk.tree import find_cases

WBCT = Path(__file__).resolve().parents[2] / "shared" / "data" / "wbct"


def ref(folder: Path) -> CaseRef:
    return CaseRef("case", folder, "plain", {None: tuple(sorted(folder.iterdir()))})


def read(folder: Path, **options: Any) -> Volume:
    return read_as_stored(ref(folder), **options)


def codes(volume: Volume) -> list[str]:
    return [notice.family for notice in volume.notices]


def fails(folder: Path, code: str, match: str | None = None) -> None:
    with pytest.raises(ReadError, match=match) as caught:
        read(folder)
    assert caught.value.code == code
    assert "\n" not in str(caught.value)
    assert "Secret" not in str(caught.value)


def expected(count: int = 10) -> np.ndarray[Any, Any]:
    return np.stack([pattern(number).astype(np.int16) - 1024 for number in range(count)])


def test_a_series_becomes_hounsfield_units_on_a_grid_in_patient_space(tmp_path: Path) -> None:
    volume = read(series(tmp_path))
    assert np.array_equal(volume.hu, expected())
    assert volume.hu.dtype == np.int16
    assert volume.notices == ()
    np.testing.assert_allclose(volume.affine @ [1, 2, 3, 1], [-9.7, -19.4, 1.2, 1])
    assert volume.slice_names[:2] == ("000", "001")
    tags = volume.tags
    assert (tags.side, tags.weight_bearing, tags.age_years, tags.sex) == ("R", True, 47, "F")


def test_file_names_do_not_change_the_volume_or_its_hash(tmp_path: Path) -> None:
    first = read(series(tmp_path / "a"))
    for number in range(10):
        save(tmp_path / "b" / f"{(number * 7) % 10}.dcm", ct(number, InstanceNumber=None))
    second = read(tmp_path / "b")
    assert np.array_equal(first.hu, second.hu)
    assert first.input_sha256 == second.input_sha256
    other = read(series(tmp_path / "c", RescaleIntercept=-1000))
    assert other.input_sha256 != first.input_sha256


def test_a_reversed_or_prone_series_keeps_its_handedness(tmp_path: Path) -> None:
    for number in range(10):
        at = [10, 20, -0.4 * number]
        save(
            tmp_path / f"{number}.dcm",
            ct(number, ImageOrientationPatient=[-1, 0, 0, 0, 1, 0], ImagePositionPatient=at),
        )
    volume = read(tmp_path)
    assert np.linalg.det(volume.affine[:3, :3]) > 0
    assert np.array_equal(volume.hu, expected())
    np.testing.assert_allclose(volume.affine[:3, 3], [10, 20, 0])


def test_a_missing_slice_is_reported_with_its_position_and_filled(tmp_path: Path) -> None:
    series(tmp_path, 20)
    (tmp_path / "007.dcm").unlink()
    volume = read(tmp_path)
    assert volume.hu.shape == (20, *SHAPE)
    notice = next(notice for notice in volume.notices if notice.code == "missing_slices")
    assert "1 between 2.4 mm and 3.2 mm" in text(notice)
    assert volume.slice_names[6:9] == ("006", "interpolated-7", "008")
    middle = (volume.hu[6].astype(float) + volume.hu[8]) / 2
    assert np.abs(volume.hu[7] - middle).max() <= 0.5


def test_many_missing_slices_fail(tmp_path: Path) -> None:
    series(tmp_path, 30)
    for number in (4, 9, 14, 15):
        (tmp_path / f"{number:03d}.dcm").unlink()
    fails(tmp_path, "missing_slices", "4 of 30")


def test_uneven_slices_fail(tmp_path: Path) -> None:
    for number, z in enumerate((0, 4.22, 8.44, 15.82, 16.96, 21.18, 25.4, 29.62, 33.84)):
        save(tmp_path / f"{number}.dcm", ct(number, ImagePositionPatient=[0, 0, z]))
    fails(tmp_path, "uneven_spacing")


def test_copies_are_dropped_and_different_images_at_one_place_fail(tmp_path: Path) -> None:
    series(tmp_path)
    shutil.copy(tmp_path / "003.dcm", tmp_path / "copy.dcm")
    volume = read(tmp_path)
    assert codes(volume) == ["duplicate_slices"]
    assert np.array_equal(volume.hu, expected())
    save(tmp_path / "copy.dcm", ct(3, pixels=pattern(50)))
    fails(tmp_path, "ambiguous_position", "003 and copy|copy and 003")


def test_the_largest_series_is_read_and_the_others_are_counted(tmp_path: Path) -> None:
    series(tmp_path)
    for number in range(4):
        save(tmp_path / f"x{number}.dcm", ct(number, SeriesInstanceUID=f"{UID_ROOT}9"))
    volume = read(tmp_path)
    assert np.array_equal(volume.hu, expected())
    assert [notice.family for notice in volume.notices] == ["several_series"]
    assert "10, 4" in text(volume.notices[0])
    assert UID_ROOT not in text(volume.notices[0])


def test_of_two_equal_series_the_lower_number_is_read(tmp_path: Path) -> None:
    for number in range(9):
        save(
            tmp_path / f"a{number}.dcm",
            ct(
                number,
                pixels=pattern(99 + number),
                SeriesInstanceUID=f"{UID_ROOT}1",
                SeriesNumber=5,
            ),
        )
        save(
            tmp_path / f"b{number}.dcm",
            ct(number, SeriesInstanceUID=f"{UID_ROOT}9", SeriesNumber=2),
        )
    assert np.array_equal(read(tmp_path).hu, expected(9))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({}, {"PatientID": "P2"}),
        ({}, {"PatientID": "P2", "PatientName": ""}),
        ({"PatientID": "0"}, {"PatientID": "0", "PatientName": "Secret^Other"}),
        ({"PatientID": "ANON"}, {"PatientID": "ANON", "PatientName": "Secret^Other"}),
        ({"PatientID": ""}, {"PatientID": "", "PatientName": "Secret^Other"}),
        ({"PatientBirthDate": "19870504"}, {"PatientBirthDate": "19870505"}),
        ({"PatientSex": "F"}, {"PatientSex": "M"}),
    ],
)
def test_two_patients_in_a_folder_fail_without_their_names(
    tmp_path: Path, one: dict[str, Any], other: dict[str, Any]
) -> None:
    series(tmp_path, **one)
    save(tmp_path / "x.dcm", ct(11, **(one | other)))
    fails(tmp_path, "mixed_patients", "more than one patient")


@pytest.mark.parametrize(
    "name",
    ["SECRET^NAME", "Secret Name", "Secret^Name^^^", "Secret^Name=\ud64d^\uae38\ub3d9", "", None],
)
def test_one_patient_may_be_written_in_several_ways(tmp_path: Path, name: str | None) -> None:
    series(tmp_path, 9, SpecificCharacterSet="ISO_IR 192")
    save(
        tmp_path / "009.dcm",
        ct(9, PatientName=name, PatientID="P1" if name else "", SpecificCharacterSet="ISO_IR 192"),
    )
    assert np.array_equal(read(tmp_path).hu, expected())


def test_files_that_are_no_ct_slices_are_skipped_and_counted(tmp_path: Path) -> None:
    series(tmp_path / "case")
    folder = tmp_path / "case"
    (folder / "empty").write_bytes(b"")
    (folder / "read.me").write_bytes(b"hello" * 100)
    (folder / "DICOMDIR").write_bytes(b"\0" * 128 + b"DICM")
    save(folder / "scout.dcm", ct(50, ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"]))
    save(folder / "sr.dcm", ct(51, SOPClassUID="1.2.840.10008.5.1.4.1.1.88.11", Modality="SR"))
    save(folder / "mr.dcm", ct(52, SOPClassUID="1.2.840.10008.5.1.4.1.1.4", Modality="MR"))
    save(folder / "rgb.dcm", ct(53, SamplesPerPixel=3, PhotometricInterpretation="RGB"))
    os.mkfifo(folder / "pipe")
    (folder / "link.dcm").symlink_to(folder / "000.dcm")
    volume = read(folder)
    assert volume.skipped == {
        "not_dicom": 2,
        "dicomdir": 1,
        "not_ct_volume": 2,
        "not_ct": 2,
        "special_file": 2,
    }
    assert np.array_equal(volume.hu, expected())


def test_a_folder_without_images_says_what_was_found(tmp_path: Path) -> None:
    fails(tmp_path, "no_images", "no regular files")
    (tmp_path / "a.pdf").write_bytes(b"%PDF")
    fails(tmp_path, "no_images", "none of the 1 files is a DICOM file")


@pytest.mark.parametrize("cut", [-1, -100, 400])
def test_a_truncated_slice_is_skipped_and_filled(tmp_path: Path, cut: int) -> None:
    path = series(tmp_path, 20) / "011.dcm"
    path.write_bytes(path.read_bytes()[:cut])
    volume = read(tmp_path)
    assert volume.skipped == {"truncated": 1}
    assert codes(volume) == ["files_unusable", "missing_slices"]


def test_a_slice_at_the_end_that_cannot_be_used_is_said(tmp_path: Path) -> None:
    path = series(tmp_path, 12) / "011.dcm"
    path.write_bytes(path.read_bytes()[:-100])
    (tmp_path / "notes.txt").write_text("no image, and nothing to warn of")
    volume = read(tmp_path)
    assert (volume.hu.shape[0], codes(volume)) == (11, ["files_unusable"])
    assert "truncated 1" in text(volume.notices[0])


def test_too_few_slices_say_why(tmp_path: Path) -> None:
    for path in sorted(series(tmp_path, 12).iterdir())[5:]:
        path.write_bytes(path.read_bytes()[:-100])
    fails(tmp_path, "too_few_slices", r"only 5 usable slices \(truncated 7\)")


def test_too_few_slices_fail(tmp_path: Path) -> None:
    fails(series(tmp_path, 7), "too_few_slices", "only 7")


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"ImagePositionPatient": None}, "no_geometry"),
        ({"ImageOrientationPatient": None}, "no_geometry"),
        ({"ImageOrientationPatient": [0, 0, 0, 0, 0, 0]}, "no_geometry"),
        ({"ImageOrientationPatient": [1.1, 0, 0, 0, 1, 0]}, "no_geometry"),
        ({"PixelSpacing": None}, "no_spacing"),
        ({"PixelSpacing": [0, 0]}, "bad_spacing"),
        ({"PixelSpacing": [-0.3, 0.3]}, "bad_spacing"),
        ({"PixelSpacing": [1e-6, 1e-6]}, "bad_spacing"),
        ({"PixelSpacing": [1e6, 1e6]}, "bad_spacing"),
        ({"RescaleSlope": 0}, "bad_rescale"),
        ({"BitsAllocated": 32}, "unsupported_bits"),
        ({"BitsStored": 0}, "unsupported_bits"),
        ({"BitsStored": 17}, "unsupported_bits"),
        ({"HighBit": 255}, "unsupported_bits"),
        ({"Rows": 0}, "geometry_mismatch"),
        ({"Rows": 65535, "Columns": 65535}, "geometry_mismatch"),
        ({"Rows": 4000}, "geometry_mismatch"),
        ({"Columns": 8}, "geometry_mismatch"),
        ({"Rows": 11}, "geometry_mismatch"),
        ({"BitsAllocated": 8, "BitsStored": 8, "HighBit": 7}, "geometry_mismatch"),
        ({"BitsAllocated": 1, "BitsStored": 1, "HighBit": 0}, "unsupported_bits"),
        ({"BitsAllocated": 64, "BitsStored": 64, "HighBit": 63}, "unsupported_bits"),
        ({"NumberOfFrames": 0}, "bad_frames"),
        ({"NumberOfFrames": -1}, "bad_frames"),
        ({"NumberOfFrames": 2**31 - 1}, "bad_frames"),
        ({"NumberOfFrames": 2}, "bad_frames"),
    ],
)
def test_tags_that_make_no_sense_fail_with_their_code(
    tmp_path: Path, changes: dict[str, Any], code: str
) -> None:
    fails(series(tmp_path, 9, **changes), code)


@pytest.mark.parametrize(
    ("old", "new", "code"),
    [
        (b"0.3\\0.3", b"0,3\\0,3", "bad_spacing"),
        (b"0.3\\0.3", b"nan\\inf", "bad_spacing"),
        (b"-1024 ", b"-1,024", "bad_rescale"),
        (b"-1024 ", b"nan   ", "bad_rescale"),
    ],
)
def test_numbers_that_are_none_fail_with_their_code(
    tmp_path: Path, old: bytes, new: bytes, code: str
) -> None:
    for path in series(tmp_path, 9, RescaleIntercept="-1024").iterdir():
        data = path.read_bytes()
        assert old in data
        path.write_bytes(data.replace(old, new))
    fails(tmp_path, code)


def test_the_users_spacing_is_taken_where_the_files_have_none(tmp_path: Path) -> None:
    series(tmp_path, 9, PixelSpacing=None)
    np.testing.assert_allclose(read(tmp_path, spacing_mm=0.25).spacing_mm, [0.25, 0.25, 0.4])
    with pytest.raises(ReadError, match="asked for"):
        read(tmp_path, spacing_mm=-1)


def test_rescale_is_applied_slice_by_slice_and_its_absence_is_reported(tmp_path: Path) -> None:
    for number in range(10):
        save(
            tmp_path / f"{number}.dcm",
            ct(number, RescaleSlope=1 + number / 10, RescaleIntercept=number),
        )
    volume = read(tmp_path)
    assert np.array_equal(volume.hu[4], np.rint(pattern(4) * 1.4 + 4).astype(np.int16))
    assert codes(read(series(tmp_path / "none", RescaleSlope=None, RescaleIntercept=None))) == [
        "no_rescale"
    ]


def test_values_beyond_int16_are_cut_off_with_a_notice(tmp_path: Path) -> None:
    volume = read(series(tmp_path, RescaleSlope=1000))
    assert "hu_clipped" in codes(volume)
    assert volume.hu.max() == 32767


def test_twelve_bit_values_lose_their_spare_bits_and_get_their_sign(tmp_path: Path) -> None:
    for number in range(10):
        values = pattern(number) | 0xF000
        save(tmp_path / "u" / f"{number}.dcm", ct(number, pixels=values, BitsStored=12, HighBit=11))
        save(
            tmp_path / "s" / f"{number}.dcm",
            ct(number, pixels=pattern(number), BitsStored=12, HighBit=11, PixelRepresentation=1),
        )
    assert np.array_equal(read(tmp_path / "u").hu, expected())
    raw = np.stack([pattern(number).astype(int) for number in range(10)])
    assert np.array_equal(read(tmp_path / "s").hu, np.where(raw >= 2048, raw - 4096, raw) - 1024)


def test_monochrome1_and_burned_in_text_are_reported(tmp_path: Path) -> None:
    volume = read(
        series(tmp_path, PhotometricInterpretation="MONOCHROME1", BurnedInAnnotation="YES")
    )
    assert codes(volume) == ["monochrome1", "burned_in"]
    assert np.array_equal(volume.hu, expected())


@pytest.mark.parametrize(
    "syntax", ["1.2.840.10008.1.2", "1.2.840.10008.1.2.2", "1.2.840.10008.1.2.1.99"]
)
def test_every_uncompressed_syntax_gives_the_same_volume(tmp_path: Path, syntax: str) -> None:
    for number in range(10):
        save(tmp_path / f"{number:03d}.dcm", ct(number), syntax)
    volume = read(tmp_path)
    assert np.array_equal(volume.hu, expected())
    assert volume.notices == ()


def test_a_bare_data_set_without_preamble_is_read(tmp_path: Path) -> None:
    for path in series(tmp_path).iterdir():
        data = path.read_bytes()
        path.write_bytes(data[data.index(b"\x08\0\x08\0CS") :])
    volume = read(tmp_path)
    assert np.array_equal(volume.hu, expected())
    assert codes(volume) == ["syntax_guessed"]


def test_a_wrong_transfer_syntax_fails(tmp_path: Path) -> None:
    for path in series(tmp_path).iterdir():
        path.write_bytes(
            path.read_bytes().replace(b"1.2.840.10008.1.2.1\0", b"1.2.840.10008.1.2\0\0\0")
        )
    fails(tmp_path, "corrupt_header")


def test_a_deflated_bomb_fails_at_the_cap(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("footcli.read.source.INFLATED_LIMIT", 2**20)
    path = save(tmp_path / "a.dcm", ct(0), "1.2.840.10008.1.2.1.99")
    head = path.read_bytes()[: 144 + int.from_bytes(path.read_bytes()[140:144], "little")]
    packer = zlib.compressobj(wbits=-15)
    path.write_bytes(head + packer.compress(bytes(2**22)) + packer.flush())
    fails(tmp_path, "bomb")


def test_hostile_headers_are_skipped(tmp_path: Path) -> None:
    series(tmp_path)
    good = (tmp_path / "000.dcm").read_bytes()
    at = good.index(b"\x08\0\x60\0CS")
    deep = b"\x08\0\x40\x11SQ\0\0\xff\xff\xff\xff\xfe\xff\x00\xe0\xff\xff\xff\xff" * 5000
    hostile = {
        "deep": good[:at] + deep,
        "many": good[:at] + b"\x09\0\x01\x10LO\0\0" * 30_000 + good[at:],
        "length": good[:at] + b"\x09\0\x01\x10OB\0\0\xfe\xff\xff\xff" + good[at:],
        "open": good[:at] + b"\x08\0\x40\x11OB\0\0\xff\xff\xff\xff" + good[at:],
    }
    for name, data in hostile.items():
        (tmp_path / name).write_bytes(data)
    volume = read(tmp_path)
    assert volume.skipped == {"too_deep": 1, "too_large": 1, "corrupt_header": 2}


@pytest.mark.parametrize("syntax", ["1.2.840.10008.1.2.1", "1.2.840.10008.1.2.4.90"])
def test_damaged_copies_of_a_slice_never_raise_anything_but_read_errors(
    tmp_path: Path, syntax: str
) -> None:
    series(tmp_path / "case", 20)
    path = tmp_path / "case" / "010.dcm"
    good = save(
        path, ct(10), syntax, [j2k(pattern(10))] if syntax.endswith("90") else None
    ).read_bytes()
    seed = 20240
    rng = np.random.default_rng(seed)
    outcomes = set()
    for _ in range(60):
        data = bytearray(good)
        for place in rng.integers(128, len(good), rng.integers(1, 6)):
            data[place] = rng.integers(256)
        path.write_bytes(data[: rng.integers(100, len(good))] if rng.random() < 0.2 else data)
        try:
            outcomes.add(read(tmp_path / "case").hu.shape[0])
        except ReadError as error:
            outcomes.add(error.code)
    assert 20 in outcomes, f"seed {seed}"


def test_a_tilted_gantry_fails(tmp_path: Path) -> None:
    for number in range(10):
        save(
            tmp_path / f"{number}.dcm",
            ct(number, ImagePositionPatient=[0, 0.1 * number, 0.4 * number]),
        )
    fails(tmp_path, "tilt", "0.9 mm")


def test_enhanced_multi_frame_ct_is_read_by_its_frame_groups(tmp_path: Path) -> None:
    frames = np.stack([pattern(number) for number in range(9)])
    order = [3, 1, 8, 0, 2, 7, 5, 4, 6]
    data = ct(
        0,
        pixels=frames[order],
        SOPClassUID="1.2.840.10008.5.1.4.1.1.2.1",
        NumberOfFrames=9,
        ImagePositionPatient=None,
        ImageOrientationPatient=None,
        PixelSpacing=None,
        RescaleSlope=None,
        RescaleIntercept=None,
    )

    def item(**values: Any) -> Dataset:
        inner = Dataset()
        for keyword, value in values.items():
            setattr(inner, keyword, value)
        return inner

    data.SharedFunctionalGroupsSequence = [
        item(
            PlaneOrientationSequence=[item(ImageOrientationPatient=[1, 0, 0, 0, 1, 0])],
            PixelMeasuresSequence=[item(PixelSpacing=[0.3, 0.2])],
            PixelValueTransformationSequence=[item(RescaleSlope=1, RescaleIntercept=-1024)],
        )
    ]
    data.PerFrameFunctionalGroupsSequence = [
        item(PlanePositionSequence=[item(ImagePositionPatient=[0, 0, 0.5 * number])])
        for number in order
    ]
    save(tmp_path / "one.dcm", data)
    volume = read(tmp_path)
    assert np.array_equal(volume.hu, expected(9))
    np.testing.assert_allclose(volume.spacing_mm, [0.2, 0.3, 0.5])
    assert volume.slice_names[0] == "one:0004"


def test_an_older_multi_frame_file_is_placed_by_its_slice_spacing_and_that_is_said(
    tmp_path: Path,
) -> None:
    frames = np.stack([pattern(number) for number in range(9)])
    save(tmp_path / "one.dcm", ct(0, pixels=frames, NumberOfFrames=9, SpacingBetweenSlices=0.5))
    volume = read(tmp_path)
    assert np.array_equal(volume.hu, expected(9))
    assert volume.spacing_mm[2] == pytest.approx(0.5)
    assert codes(volume) == ["frames_guessed"]
    assert not volume.orientation_known


def test_a_slice_thickness_is_no_step_between_frames(tmp_path: Path) -> None:
    frames = np.stack([pattern(number) for number in range(9)])
    save(tmp_path / "one.dcm", ct(0, pixels=frames, NumberOfFrames=9, SliceThickness=0.5))
    fails(tmp_path, "no_geometry", "SliceThickness is not that step")


def j2k(pixels: np.ndarray[Any, Any]) -> bytes:
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "JPEG2000", no_jp2=True, irreversible=False)
    return out.getvalue()


def jpeg(pixels: np.ndarray[Any, Any]) -> bytes:
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "JPEG", quality=100)
    return out.getvalue()


def encoded(folder: Path, syntax: str, encode: Any, **changes: Any) -> Path:
    for number in range(10):
        save(folder / f"{number:03d}.dcm", ct(number, **changes), syntax, [encode(pattern(number))])
    return folder


def test_jpeg_2000_is_read(tmp_path: Path) -> None:
    assert np.array_equal(read(encoded(tmp_path, "1.2.840.10008.1.2.4.90", j2k)).hu, expected())


def run_lengths(pixels: np.ndarray[Any, Any]) -> bytes:
    from pydicom.pixels.encoders import RLELosslessEncoder

    return bytes(
        RLELosslessEncoder.encode(
            pixels,
            rows=12,
            columns=10,
            samples_per_pixel=1,
            number_of_frames=1,
            bits_allocated=16,
            bits_stored=16,
            pixel_representation=0,
            photometric_interpretation="MONOCHROME2",
            encoding_plugin="pydicom",
        )
    )


def test_run_length_coding_is_read(tmp_path: Path) -> None:
    assert np.array_equal(
        read(encoded(tmp_path, "1.2.840.10008.1.2.5", run_lengths)).hu, expected()
    )


def test_baseline_jpeg_is_read(tmp_path: Path) -> None:
    flat = np.full(SHAPE, 77, np.uint8)
    for number in range(10):
        save(
            tmp_path / f"{number}.dcm",
            ct(number, pixels=flat),
            "1.2.840.10008.1.2.4.50",
            [jpeg(flat)],
        )
    assert np.unique(read(tmp_path).hu).tolist() == [77 - 1024]


@pytest.mark.parametrize(
    ("syntax", "function", "options"),
    [
        ("1.2.840.10008.1.2.4.70", "ljpeg_encode", {"bitspersample": 16}),
        ("1.2.840.10008.1.2.4.80", "jpegls_encode", {}),
        (
            "1.2.840.10008.1.2.4.90",
            "jpeg2k_encode",
            {"codecformat": "j2k", "level": 0, "bitspersample": 12},
        ),
    ],
)
def test_streams_of_another_encoder_are_read(
    tmp_path: Path, syntax: str, function: str, options: dict[str, Any]
) -> None:
    encoder = getattr(pytest.importorskip("imagecodecs"), function)
    assert np.array_equal(
        read(encoded(tmp_path, syntax, lambda pixels: bytes(encoder(pixels, **options)))).hu,
        expected(),
    )


def test_a_frame_in_several_fragments_is_joined(tmp_path: Path) -> None:
    encoded(tmp_path, "1.2.840.10008.1.2.4.90", j2k)
    from pydicom.encaps import encapsulate

    data = ct(3)
    path = save(tmp_path / "003.dcm", data, "1.2.840.10008.1.2.4.90", [j2k(pattern(3))])
    data.PixelData = encapsulate([j2k(pattern(3))], fragments_per_frame=3, has_bot=False)
    data.save_as(path, enforce_file_format=True)
    assert np.array_equal(read(tmp_path).hu, expected())


def test_a_stream_larger_than_its_tags_fails_before_decoding(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(*_: Any) -> None:
        raise AssertionError("decoded")

    big = np.zeros((2000, 2000), np.uint16)
    encoded(tmp_path, "1.2.840.10008.1.2.4.90", lambda _: j2k(big))
    monkeypatch.setattr("PIL.Image.open", never)
    fails(tmp_path, "geometry_mismatch")


def test_damaged_pixels_fail_and_a_panic_does_not_escape(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Panic(BaseException):
        pass

    def panic(*_: Any, **__: Any) -> None:
        raise Panic

    encoded(tmp_path / "a", "1.2.840.10008.1.2.4.90", lambda pixels: j2k(pixels)[:60])
    fails(tmp_path / "a", "pixel_corrupt")
    encoded(tmp_path / "b", "1.2.840.10008.1.2.4.90", j2k)
    monkeypatch.setattr("PIL.Image.open", panic)
    fails(tmp_path / "b", "pixel_corrupt")


@pytest.mark.parametrize(
    "syntax",
    ["1.2.840.10008.1.2", "1.2.840.10008.1.2.2", "1.2.840.10008.1.2.1.99", "1.2.840.10008.1.2.1"],
)
def test_more_pixels_than_the_tags_say_are_refused_in_every_syntax(
    tmp_path: Path, syntax: str
) -> None:
    """Columns 8 of 10 would be a sheared picture.

    So would one slice of two that are stored as one.
    """
    for number in range(10):
        save(tmp_path / "one" / f"{number}.dcm", ct(number, Columns=8), syntax)
        twice = ct(number)
        twice.PixelData = twice.PixelData * 2
        save(tmp_path / "two" / f"{number}.dcm", twice, syntax)
    fails(tmp_path / "one", "geometry_mismatch", "more pixel data")
    fails(tmp_path / "two", "geometry_mismatch", "more pixel data")


def test_the_pad_byte_of_an_odd_image_is_no_surplus(tmp_path: Path) -> None:
    odd = pattern(shape=(11, 9)).astype(np.uint8)
    for number in range(9):
        data = ct(number, pixels=odd)
        data.PixelData = odd.tobytes() + b"\0"
        data["PixelData"].VR = "OB"
        save(tmp_path / f"{number}.dcm", data)
    assert np.array_equal(read(tmp_path).hu[0], odd.astype(np.int16) - 1024)


@pytest.mark.parametrize("columns", [8, 12])
def test_run_lengths_that_are_not_as_long_as_the_tags_say_are_refused(
    tmp_path: Path, columns: int
) -> None:
    encoded(tmp_path, "1.2.840.10008.1.2.5", run_lengths, Columns=columns)
    fails(tmp_path, "pixel_corrupt")


@pytest.mark.parametrize("kind", ["run lengths", "jpeg 2000"])
def test_two_images_in_a_file_of_one_frame_are_refused(tmp_path: Path, kind: str) -> None:
    syntax, encode = {
        "run lengths": ("1.2.840.10008.1.2.5", run_lengths),
        "jpeg 2000": ("1.2.840.10008.1.2.4.90", j2k),
    }[kind]
    for number in range(9):
        save(
            tmp_path / f"{number}.dcm",
            ct(number),
            syntax,
            [encode(pattern(number)), encode(pattern(number + 50))],
        )
    fails(tmp_path, "geometry_mismatch", "more pixel data")


def test_a_stream_of_more_bits_than_the_tags_say_is_refused(tmp_path: Path) -> None:
    encoded(
        tmp_path / "fits", "1.2.840.10008.1.2.4.90", j2k, BitsStored=12, HighBit=11
    )  # 16 bits in the stream, values of 12
    assert np.array_equal(read(tmp_path / "fits").hu, expected())
    encoded(tmp_path / "cut", "1.2.840.10008.1.2.4.90", j2k, BitsStored=8, HighBit=7)
    fails(tmp_path / "cut", "geometry_mismatch", "more bits")


@pytest.mark.parametrize("shape", [(12, 10), (11, 9)])
@pytest.mark.parametrize("vr", ["OW", "OB"])
def test_bytes_in_big_endian_words_are_read_as_pydicom_reads_them(
    tmp_path: Path, vr: str, shape: tuple[int, int]
) -> None:
    for number in range(9):
        data = ct(number, pixels=(pattern(number, shape) % 256).astype(np.uint8))
        flat = np.frombuffer(data.PixelData, np.uint8)
        flat = np.pad(flat, (0, len(flat) % 2))
        data.PixelData = flat.tobytes()  # `save` swaps the bytes of each word
        data["PixelData"].VR = vr
        save(tmp_path / f"{number}.dcm", data, "1.2.840.10008.1.2.2")
    wanted = np.stack([pydicom.dcmread(path).pixel_array for path in sorted(tmp_path.iterdir())])
    assert np.array_equal(read(tmp_path).hu, wanted.astype(np.int16) - 1024)
    assert np.array_equal(wanted[3], pattern(3, shape) % 256) == (vr == "OW")


def test_frames_of_odd_size_in_big_endian_words_are_read_as_pydicom_reads_them(
    tmp_path: Path,
) -> None:
    frames = (np.stack([pattern(number, (11, 9)) for number in range(9)]) % 256).astype(np.uint8)
    data = ct(0, pixels=frames, NumberOfFrames=9, SpacingBetweenSlices=0.4)
    data.PixelData = np.pad(frames.ravel(), (0, 1)).tobytes()
    save(tmp_path / "all.dcm", data, "1.2.840.10008.1.2.2")
    assert np.array_equal(pydicom.dcmread(tmp_path / "all.dcm").pixel_array, frames)
    assert np.array_equal(read(tmp_path).hu, frames.astype(np.int16) - 1024)


def test_a_codec_that_is_absent_fails_naming_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "imagecodecs", None)
    sof = b"\xff\xd8\xff\xc3\0\x0b\x10\0\x0c\0\x0a\x01\x01\x11\0" + bytes(20)
    encoded(tmp_path, "1.2.840.10008.1.2.4.70", lambda _: sof)
    fails(
        tmp_path,
        "unsupported_codec",
        r"1\.2\.840\.10008\.1\.2\.4\.70; install the package imagecodecs",
    )


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("FOOT_WB", True),
        ("weight-bearing", True),
        ("Standing", True),
        ("NON WEIGHT BEARING", False),
        ("nwb", False),
        ("FOOTWBX", None),
    ],
)
def test_weight_bearing_is_read_from_the_series_words(
    tmp_path: Path, words: str, expected: bool | None
) -> None:
    series(tmp_path, 9, SeriesDescription=words, Laterality="B")
    volume = read(tmp_path)
    assert volume.tags.weight_bearing is expected
    assert volume.tags.side is None
    assert read(tmp_path, weight_bearing=True).tags.weight_bearing is True


@pytest.mark.parametrize(
    "charset", [["", "ISO 2022 IR 149"], "ISO_IR 192", "ISO_IR 100", "NONSENSE 7"]
)
def test_text_of_any_kind_in_tags_is_read_past(
    tmp_path: Path, charset: str | list[str], caplog: pytest.LogCaptureFixture
) -> None:
    """Korean, markup, quotes, 10,000 characters, bytes of no letters: the words still count,
    nothing leaks.
    """
    folder = series(tmp_path / "case", 9)
    plain = read(folder)
    long = b'standing "><script>alert(1)</script> ' + b"x" * 10_000
    korean = isinstance(charset, list)
    for path in sorted(folder.iterdir()):
        data = pydicom.dcmread(path)
        data.SpecificCharacterSet = charset
        data.add_new(
            "PatientName",
            "PN",
            b"\x1b$)C\xc8\xab^\x1b$)C\xb1\xe6\xb5\xbf" if korean else b"\xff\xfe\x80^\xed\xa0\x80",
        )
        data.add_new("InstitutionName", "LO", b"\x1b$)C\xba\xb4\xbf\xf8\x1b\x1b\xff <script>")
        data.add_new("SeriesDescription", "LO", long)
        data.save_as(path)
    volume = read(folder)
    np.testing.assert_array_equal(volume.hu, plain.hu)
    assert volume.tags.weight_bearing is True
    assert volume.tags.side == plain.tags.side
    assert all("script" not in text(notice) for notice in volume.notices)
    assert "script" not in caplog.text


def dataset(root: Path, plane: Plane, cube: np.ndarray[Any, Any], **changes: Any) -> None:
    """One plane of a data set case; cube is (z, y, x)."""
    stack = {
        Plane.AXL: cube,
        Plane.COR: cube.transpose(1, 0, 2),
        Plane.SAG: cube.transpose(2, 0, 1),
    }[plane]
    stripped: dict[str, Any] = {
        "ImagePositionPatient": None,
        "ImageOrientationPatient": None,
        "Laterality": None,
        "PatientAge": None,
    }
    for number, pixels in enumerate(stack, start=1):
        name = f"A_H07_N_9999999999_ST01_L_{plane}_{number:04d}.dcm"
        uid = {"SeriesInstanceUID": f"{UID_ROOT}{number}"}
        save(
            root / "C1" / plane / name,
            ct(number, pixels=np.ascontiguousarray(pixels), **(stripped | uid | changes)),
        )


def cube() -> np.ndarray[Any, Any]:
    rng = np.random.default_rng(5)
    return rng.integers(0, 2000, (12, 11, 10)).astype(np.uint16)


@pytest.mark.parametrize("plane", list(Plane))
def test_the_data_sets_layout_is_read_by_names_in_any_plane(tmp_path: Path, plane: Plane) -> None:
    dataset(tmp_path, plane, cube())
    (tmp_path / "C1" / "CLINICALINFO").mkdir()
    (tmp_path / "C1" / "CLINICALINFO" / "c.json").write_text('{"Age": 31, "Sex": "M"}')
    (case,) = find_cases(tmp_path)
    volume = read_as_stored(case)
    assert np.array_equal(volume.hu, cube().astype(np.int16) - 1024)
    assert volume.stack is plane
    assert volume.spacing_known
    assert not volume.orientation_known
    np.testing.assert_allclose(volume.affine, np.diag([0.3, 0.3, 0.3, 1]))
    assert codes(volume) == ["geometry_from_names"] + (
        [] if plane is Plane.AXL else ["plane_fallback"]
    )
    assert (
        volume.tags.side,
        volume.tags.age_years,
        volume.tags.sex,
        volume.tags.weight_bearing,
    ) == ("L", 31, "M", True)
    assert volume.slice_names[0] == f"A_H07_N_9999999999_ST01_L_{plane}_0001"


def test_without_pixel_spacing_the_data_sets_layout_has_no_millimetres(tmp_path: Path) -> None:
    dataset(tmp_path, Plane.AXL, cube(), PixelSpacing=None)
    (case,) = find_cases(tmp_path)
    volume = read_as_stored(case)
    assert not volume.spacing_known
    assert codes(volume) == ["geometry_from_names", "no_spacing"]
    assert read_as_stored(case, spacing_mm=0.4).spacing_known


def test_positions_that_were_zeroed_do_not_rule(tmp_path: Path) -> None:
    dataset(
        tmp_path,
        Plane.AXL,
        cube(),
        ImagePositionPatient=[0, 0, 0],
        ImageOrientationPatient=[1, 0, 0, 0, 1, 0],
    )
    (case,) = find_cases(tmp_path)
    assert codes(read_as_stored(case)) == ["geometry_from_names"]


def test_whole_tags_rule_and_voxels_still_count_as_the_names_do(tmp_path: Path) -> None:
    pixels = cube()
    for number, picture in enumerate(pixels):
        at = {"ImagePositionPatient": [0, 0, 5 - 0.4 * number]}
        save(
            tmp_path / "C1" / "AXL" / f"A_H07_N_1_ST01_R_AXL_{number:04d}.dcm",
            ct(number, pixels=picture, **at),
        )
    (case,) = find_cases(tmp_path)
    volume = read_as_stored(case)
    assert np.array_equal(volume.hu, pixels.astype(np.int16) - 1024)
    np.testing.assert_allclose(volume.affine[:3, 2], [0, 0, -0.4], atol=1e-9)
    np.testing.assert_allclose(volume.affine[:3, 3], [0, 0, 5])
    assert volume.orientation_known
    assert volume.notices == ()


def test_planes_that_agree_are_silent_and_flipped_ones_are_named(tmp_path: Path) -> None:
    dataset(tmp_path / "a", Plane.AXL, cube())
    dataset(tmp_path / "a", Plane.COR, cube())
    dataset(tmp_path / "a", Plane.SAG, cube())
    assert codes(read_as_stored(find_cases(tmp_path / "a")[0])) == ["geometry_from_names"]
    dataset(tmp_path / "b", Plane.AXL, cube())
    dataset(tmp_path / "b", Plane.COR, cube()[::-1])
    volume = read_as_stored(find_cases(tmp_path / "b")[0])
    assert codes(volume) == ["geometry_from_names", "planes_disagree"]
    assert "upside down" in text(volume.notices[1])


@pytest.mark.parametrize("plane", [Plane.COR, Plane.SAG])
@pytest.mark.parametrize("which", [0, -1, None])
def test_axial_slices_of_one_patient_beside_another_planes_of_another_fail(
    tmp_path: Path, plane: Plane, which: int | None
) -> None:
    dataset(tmp_path, Plane.AXL, cube())
    dataset(tmp_path, plane, cube())
    paths = sorted((tmp_path / "C1" / plane).iterdir())
    path = paths[len(paths) // 2 if which is None else which]
    data = pydicom.dcmread(path)
    data.PatientName = "Secret^Other"
    data.save_as(path)
    with pytest.raises(ReadError, match="more than one patient") as caught:
        read_as_stored(find_cases(tmp_path)[0])
    assert caught.value.code == "mixed_patients"


def test_a_folder_whose_names_hold_two_case_numbers_is_of_two_patients(tmp_path: Path) -> None:
    dataset(tmp_path, Plane.AXL, cube())
    dataset(tmp_path, Plane.COR, cube())
    for path in (tmp_path / "C1" / "COR").iterdir():
        path.rename(path.with_name(path.name.replace("9999999999_ST01_L", "8888888888_ST01_R")))
    cases = find_cases(tmp_path)
    assert len(cases) == 2
    for case in cases:
        assert not re.search(r"^C1_ST01_[LR]$", case.case_id), "no pair of feet"
        with pytest.raises(ReadError, match="several case numbers") as caught:
            read_as_stored(case)
        assert caught.value.code == "mixed_patients"


def test_clinical_information_of_another_case_is_left_out_and_said(tmp_path: Path) -> None:
    dataset(tmp_path, Plane.AXL, cube())
    (tmp_path / "C1" / "CLINICALINFO").mkdir()
    (tmp_path / "C1" / "CLINICALINFO" / "A_H07_N_8888888888_ST01_L.json").write_text(
        '{"Age": 91, "Sex": "M"}'
    )
    volume = read_as_stored(find_cases(tmp_path)[0])
    assert volume.tags.age_years is None
    assert codes(volume) == ["geometry_from_names", "clinical_of_another"]


@pytest.mark.parametrize("plane", [Plane.COR, Plane.SAG])
@pytest.mark.parametrize(
    "odd",
    [
        {"Rows": 0},
        {"Rows": 65535, "Columns": 65535},
        {"Columns": 8},
        {"BitsAllocated": 1, "BitsStored": 1, "HighBit": 0},
        {"BitsAllocated": 32, "BitsStored": 32, "HighBit": 31},
        {"BitsAllocated": 64, "BitsStored": 64, "HighBit": 63},
        {"BitsStored": 0},
        {"NumberOfFrames": -1},
        {"RescaleSlope": 0},
        {"PixelData": None},
        {"FloatPixelData": b"\0" * 480, "PixelData": None},
    ],
)
def test_an_odd_slice_of_another_plane_is_a_warning_and_ends_nothing(
    tmp_path: Path, plane: Plane, odd: dict[str, Any]
) -> None:
    dataset(tmp_path, Plane.AXL, cube())
    dataset(tmp_path, plane, cube())
    paths = sorted((tmp_path / "C1" / plane).iterdir())
    data = pydicom.dcmread(paths[len(paths) // 2])
    for keyword, value in odd.items():
        if value is None:
            delattr(data, keyword)
        else:
            setattr(data, keyword, value)
    data.save_as(paths[len(paths) // 2])
    volume = read_as_stored(find_cases(tmp_path)[0])
    assert np.array_equal(volume.hu, cube().astype(np.int16) - 1024)
    assert codes(volume) == ["geometry_from_names", "plane_unreadable"]


@pytest.mark.skipif(not WBCT.is_dir(), reason="the real scan is not here (../shared/data/wbct)")
def test_the_real_scan_is_read_in_under_two_seconds_of_processor_time() -> None:
    (case,) = find_cases(WBCT)
    start = time.process_time()
    volume = read_as_stored(case)
    spent = time.process_time() - start
    assert volume.hu.shape == (325, 400, 400)
    np.testing.assert_allclose(volume.spacing_mm, 0.4)
    assert (volume.tags.side, volume.tags.weight_bearing) == ("L", True)
    assert volume.notices == ()
    assert spent < 2


@pytest.mark.parametrize(
    ("name", "code", "words"),
    [
        ("scan.zip", "no_images.archive", "unpack it"),
        ("scan.tar.gz", "no_images.archive", "unpack it"),
        ("foot.nii.gz", "no_images.format", "a nii.gz volume"),
        ("foot.nrrd", "no_images.format", "export the scan as DICOM"),
        ("page.JPG", "no_images.pictures", "pictures (jpg), no CT"),
    ],
)
def test_files_of_another_kind_are_named_with_what_to_do(
    tmp_path: Path, name: str, code: str, words: str
) -> None:
    (tmp_path / name).write_bytes(b"PK\x03\x04 no DICOM at all")
    with pytest.raises(ReadError) as error:
        read_as_stored(ref(tmp_path))
    assert error.value.line.code == code
    assert words in str(error.value)
    assert "scan" not in name or "scan." not in str(error.value)


def test_slices_that_all_say_one_position_are_refused_as_such(tmp_path: Path) -> None:
    for number in range(9):
        save(tmp_path / f"{number}.dcm", ct(number, ImagePositionPatient=[0, 0, 0]))
    with pytest.raises(ReadError, match="all 9 slices say the same position"):
        read_as_stored(ref(tmp_path))


def test_a_stray_slice_far_from_the_stack_is_left_out(tmp_path: Path) -> None:
    series(tmp_path, 12)
    save(tmp_path / "scout.dcm", ct(50, ImagePositionPatient=[-10, -20, -300]))
    volume = read(tmp_path)
    assert volume.hu.shape[0] == 12
    assert codes(volume) == ["stray_slices"]


def test_a_scout_in_another_place_within_the_slice_is_no_gantry_tilt(tmp_path: Path) -> None:
    series(tmp_path, 12)
    save(tmp_path / "scout.dcm", ct(50, ImagePositionPatient=[-90, 40, -300]))
    volume = read(tmp_path)
    assert (volume.hu.shape[0], codes(volume)) == (12, ["stray_slices"])


def test_copies_of_all_slices_do_not_hide_a_stray_one(tmp_path: Path) -> None:
    for number in range(12):
        for copy in "ab":
            save(tmp_path / f"{number}{copy}.dcm", ct(number))
    save(tmp_path / "scout.dcm", ct(50, ImagePositionPatient=[-10, -20, -300]))
    assert codes(read(tmp_path)) == ["stray_slices", "duplicate_slices"]


@pytest.mark.parametrize(
    ("changes", "step", "words"),
    [
        ({"PixelSpacing": [10, 10]}, 0.4, "pixel spacing is not two numbers"),
        ({}, 10.0, "a slice step of 10 mm is no scan of a foot"),
        ({"PixelSpacing": [5, 5], "Rows": 200}, 0.4, "slices of 1000 mm are no scan of a foot"),
    ],
)
def test_a_scan_of_no_foot_by_its_size_is_refused(
    tmp_path: Path, changes: dict[str, Any], step: float, words: str
) -> None:
    for number in range(9):
        data = ct(number, pattern(number, (changes.get("Rows", 12), 10)), **changes)
        data.ImagePositionPatient = [0, 0, step * number]
        save(tmp_path / f"{number}.dcm", data)
    fails(tmp_path, "bad_spacing", words)


def test_a_series_longer_than_a_leg_is_refused(tmp_path: Path) -> None:
    for number in range(280):
        data = ct(number, ImagePositionPatient=[0, 0, 5 * number])
        save(tmp_path / f"{number:03d}.dcm", data)
    fails(tmp_path, "bad_spacing", "a series of 1400 mm is longer than a leg")


def test_a_folder_without_any_dicom_file_is_told_from_one_of_lost_images(tmp_path: Path) -> None:
    (tmp_path / "viewer").write_bytes(b"MZ this is a program")
    with pytest.raises(ReadError) as error:
        read_as_stored(ref(tmp_path))
    assert error.value.line.code == "no_images.none"
    (tmp_path / "slice.dcm").write_bytes(b"lost")
    with pytest.raises(ReadError) as error:
        read_as_stored(ref(tmp_path))
    assert error.value.line.code == "no_images.unusable"


def _parts(root: Path, *starts: int, **changes: Any) -> tuple[CaseRef, ...]:
    for start in starts:
        for number in range(start, start + 4):
            save(root / f"part{start}" / f"{number:03d}.dcm", ct(number, **changes))
    return find_cases(root)


def test_one_series_over_several_folders_is_seen(tmp_path: Path) -> None:
    refused = spread_series(_parts(tmp_path, 0, 4, 8))
    assert sorted(refused) == ["part0", "part4", "part8"]
    assert text(refused["part0"]).startswith("its series is spread over 3 folders")


def test_copies_and_other_series_are_no_parts_of_one(tmp_path: Path) -> None:
    cases = _parts(tmp_path / "a", 0)
    shutil.copytree(tmp_path / "a", tmp_path / "b")
    (tmp_path / "b" / "part0" / "000.dcm").unlink()
    cases += _parts(tmp_path / "c", 8, SeriesInstanceUID="1.2.3")
    cases += _parts(tmp_path / "d", 12, PatientID="another")
    assert spread_series([*cases, *find_cases(tmp_path / "b")]) == {}


def test_a_stated_step_that_the_positions_deny_is_told(tmp_path: Path) -> None:
    assert codes(read(series(tmp_path / "a", 9, SpacingBetweenSlices=0.4))) == []
    assert codes(read(series(tmp_path / "b", 9, SpacingBetweenSlices=0.6))) == ["step_disagrees"]


def test_a_denial_of_load_counts_in_the_data_sets_layout_too(tmp_path: Path) -> None:
    case = tmp_path / "AD" / "A1" / "AXL"
    for number in range(9):
        data = ct(number, SeriesDescription="FOOT NON WEIGHT BEARING")
        save(case / f"A_S00_AD_1_ST01_R_AXL_{number:04d}.dcm", data)
    assert read_as_stored(find_cases(tmp_path)[0]).tags.weight_bearing is False


@pytest.mark.parametrize(
    ("changes", "step", "said"),
    [
        ({"SpacingBetweenSlices": 0.6}, 0.6, []),
        ({"SliceThickness": 0.3}, 0.3, []),
        ({"SliceThickness": 0.6}, 0.3, ["step_guessed"]),
    ],
)
def test_without_positions_a_stated_step_is_taken_and_a_thickness_is_not(
    tmp_path: Path, changes: dict[str, Any], step: float, said: list[str]
) -> None:
    case = tmp_path / "AD" / "A1" / "AXL"
    for number in range(9):
        data = ct(number, ImagePositionPatient=None, ImageOrientationPatient=None, **changes)
        save(case / f"A_S00_AD_1_ST01_R_AXL_{number:04d}.dcm", data)
    volume = read_as_stored(find_cases(tmp_path)[0])
    assert volume.spacing_mm[2] == pytest.approx(step)
    assert codes(volume) == ["geometry_from_names", *said]


def test_two_passes_in_one_series_are_refused_as_such(tmp_path: Path) -> None:
    for number in range(20):
        z = round(0.4 * (number % 10) + 0.13 * (number > 9), 3)
        save(tmp_path / f"{number}.dcm", ct(number, ImagePositionPatient=[-10, -20, z]))
    fails(tmp_path, "two_passes", "keep one of them")
