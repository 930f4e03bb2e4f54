"""A model that does not answer as its task wants is refused before the first case, with what was
wanted and what was found.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from footcli.domain import Plane
from footcli.errors import InferenceError, SetupError
from footcli.infer import votes
from footcli.infer.manifest import load_manifest, sha256_of
from footcli.infer.session import open_session
from footcli.infer.spec import ModelSpec, parse_spec
from footcli.infer.spec_checks import DECODERS
from footcli.infer.views import CHANNELS, view_geometry
from footcli.kinds import BONES, LESIONS

BONE_NAMES, LESION_NAMES = (tuple(term.name for term in terms) for terms in (BONES, LESIONS))
COMMON: dict[str, Any] = {
    "file": "m.onnx",
    "sha256": "0" * 64,
    "pixel_mm": 1.0,
    "window": (-500.0, 1500.0),
    "licence": "x",
    "trained_on": "x",
    "exported_by": "0",
}
BONE_SPEC = ModelSpec(
    task="bones",
    planes=tuple(Plane),
    decoder="softmax",
    input_channels=3,
    classes=BONE_NAMES,
    offsets_mm=(-1.0, 0.0, 1.0),
    **COMMON,
)
LESION_SPEC = replace(BONE_SPEC, task="lesions", decoder="yolo", classes=LESION_NAMES)
POINT_SPEC = ModelSpec(
    task="landmarks",
    planes=(Plane.SAG,),
    decoder="gu2net",
    input_channels=3,
    points=CHANNELS[Plane.SAG],
    **COMMON,
)
Step = tuple[str, tuple[Any, ...], dict[str, Any]]


def conv(channels: int, stride: int = 1, bias: Any = 0.0) -> Step:
    """Channels that hold their bias, whatever the picture."""
    weights = np.zeros((channels, 3, stride, stride), np.float32)
    return (
        "Conv",
        (weights, np.broadcast_to(np.float32(bias), (channels,)).astype(np.float32)),
        {"strides": [stride, stride]},
    )


def reshape(*shape: int) -> Step:
    return "Reshape", (np.array(shape, np.int64),), {}


SOFTMAX: Step = ("Softmax", (), {"axis": 1})
SIGMOID: Step = ("Sigmoid", (), {})
TURN: Step = ("Transpose", (), {"perm": [0, 2, 1]})
CORNERS = [-1.0, -1.0, 1.0, 1.0]  # a box's corners before the sigmoid, in parts of SIZE_PX
SIZE_PX = 400.0


def detector(
    width: int, *last: Step, stride: int = 8, first: tuple[float, ...] = tuple(CORNERS)
) -> list[Step]:
    bias = np.full(width, -3.0)
    bias[: len(first)] = first
    scale = np.where(np.arange(width) < 4, SIZE_PX, 1.0).astype(np.float32)[None, :, None]
    return [conv(width, stride, bias), SIGMOID, reshape(1, width, -1), ("Mul", (scale,), {}), *last]


def boxes_to(x: float, y: float, score: float = 0.5) -> list[Step]:
    """A detector of six classes whose boxes all reach from 0, 0 to x, y."""
    return [conv(10, 8, [0, 0, x, y, *[score] * 6]), reshape(1, 10, -1), TURN]


# wants pictures of multiples of 32, as a U-Net that halves five times does
DEEP: list[Step] = [
    conv(11),
    SOFTMAX,
    ("DepthToSpace", (), {"blocksize": 1}),
    ("SpaceToDepth", (), {"blocksize": 32}),
    ("DepthToSpace", (), {"blocksize": 32}),
]
CHOSEN_INSIDE: list[Step] = [
    conv(6, 1, [0, 0, 300, 300, 0, 0]),
    ("GlobalAveragePool", (), {}),
    ("Expand", (np.array([1, 6, 300, 1], np.int64),), {}),
    reshape(1, 6, 300),
    TURN,
]
GOOD: dict[str, tuple[ModelSpec, list[Step]]] = {
    "bones": (BONE_SPEC, [conv(11), SOFTMAX]),
    "landmarks": (POINT_SPEC, [conv(8), SIGMOID]),
    "lesions": (LESION_SPEC, detector(4 + len(LESION_NAMES), TURN)),
}


def model(
    path: Path,
    steps: list[Step],
    *,
    size: tuple[Any, Any] = ("h", "w"),
    batch: Any = 1,
    names: str = "",
    opset: int = 17,
    ir: int = 8,
) -> Path:
    nodes, weights, here = [], [], "x"
    for number, (op, arrays, attributes) in enumerate(steps):
        inputs = [f"w{number}_{i}" for i in range(len(arrays))]
        weights += [
            numpy_helper.from_array(array, name) for array, name in zip(arrays, inputs, strict=True)
        ]
        out = "y" if number == len(steps) - 1 else f"t{number}"
        nodes.append(helper.make_node(op, [here, *inputs], [out], **attributes))
        here = out
    seen = helper.make_tensor_value_info("x", TensorProto.FLOAT, [batch, 3, *size])
    told = helper.make_tensor_value_info("y", TensorProto.FLOAT, None)
    made = helper.make_model(
        helper.make_graph(nodes, "g", [seen], [told], weights),
        opset_imports=[helper.make_opsetid("", opset)],
    )
    made.ir_version = ir
    if names:
        made.metadata_props.add(key="names", value=names)
    path.write_bytes(made.SerializeToString())
    return path


@pytest.mark.parametrize("task", list(GOOD))
def test_a_model_that_answers_as_it_should_is_taken(task: str, tmp_path: Path) -> None:
    spec, steps = GOOD[task]
    assert open_session(model(tmp_path / "m.onnx", steps), "cpu", 1, spec).file == "m.onnx"


@pytest.mark.parametrize(
    ("spec", "steps", "told"),
    [
        (
            BONE_SPEC,
            [conv(11)],
            "must be probabilities that add up to 1 a pixel, it has values of 0 to 0, sums of 0 to "
            "0",
        ),
        (
            BONE_SPEC,
            [conv(11, bias=np.arange(11.0))],
            "it has values of 0 to 10, sums of 55 to 55: are these logits",
        ),
        (BONE_SPEC, [conv(11), SIGMOID], "sums of 5.5 to 5.5"),
        (
            BONE_SPEC,
            [conv(11, 2), SOFTMAX],
            r"must have shape \(1, 11, 48, 80\), it has \(1, 11, 24, 40\)",
        ),
        (
            BONE_SPEC,
            [conv(10), SOFTMAX],
            r"must have shape \(1, 11, 48, 80\), it has \(1, 10, 48, 80\)",
        ),
        (
            BONE_SPEC,
            [conv(11), SOFTMAX, ("Transpose", (), {"perm": [0, 2, 3, 1]})],
            r"it has \(1, 48, 80, 11\)",
        ),
        (
            BONE_SPEC,
            [conv(11), SOFTMAX, ("Transpose", (), {"perm": [0, 1, 3, 2]})],
            r"it has \(1, 11, 80, 48\)",
        ),
        (BONE_SPEC, [conv(11), ("Log", (), {})], "must be finite numbers"),
        (replace(BONE_SPEC, decoder="logits"), [conv(11), SOFTMAX], "are these probabilities"),
        (POINT_SPEC, [conv(7)], r"must have shape \(1, 8, 176, 272\), it has \(1, 7, 176, 272\)"),
        (POINT_SPEC, [conv(8, 2)], r"must have shape \(1, 8, 176, 272\), it has \(1, 8, 88, 136\)"),
        (POINT_SPEC, [conv(8), reshape(1, 8, -1)], r"it has \(1, 8, 47872\)"),
        (
            LESION_SPEC,
            detector(10),
            r"\(1, boxes, 10\), it has \(1, 10, 240\): this looks like an Ultralytics v8",
        ),
        (
            LESION_SPEC,
            detector(11, TURN),
            r"\(1, boxes, 10\), it has \(1, 240, 11\): this looks like a YOLOX or Ultralytics v5",
        ),
        (LESION_SPEC, [conv(10, 8), SIGMOID], r"\(1, boxes, 10\), it has \(1, 10, 12, 20\)"),
        (
            LESION_SPEC,
            boxes_to(1.0, 1.0),
            "must be in pixels, x before y, .* in one of 96 x 160 they reach x 1 and y 1",
        ),  # shares
        (LESION_SPEC, boxes_to(20.0, 12.0), "they reach x 20 and y 12"),  # cells of 8 pixels
        (LESION_SPEC, boxes_to(96.0, 160.0), "they reach x 96 and y 160"),  # y before x
        (BONE_SPEC, DEEP, "input"),
        (
            BONE_SPEC,
            [conv(11, bias=[*[0.0] * 10, 9.0]), SOFTMAX],
            r"its output 11 of 11 is the surest in a picture of air \(1.00\)",
        ),
        (POINT_SPEC, [conv(8, bias=7.0)], "must run from 0 to 1, they run from 7 to 7"),
        (LESION_SPEC, boxes_to(300.0, 300.0, 3.18), "must lie within 0 and 1, they run from 3.18"),
        (LESION_SPEC, boxes_to(300.0, 300.0, -2.0), "they run from -2"),
        (
            LESION_SPEC,
            detector(10, TURN, first=(1.0, 1.0, -1.0, -1.0)),
            "100% of them have the second corner before the first",
        ),
        (
            replace(LESION_SPEC, classes=LESION_NAMES[:2]),
            CHOSEN_INSIDE,
            "it gives 300 and 300 boxes for pictures of 96 x 160 and 224",
        ),
        (
            replace(LESION_SPEC, classes=LESION_NAMES[:1]),
            detector(6, TURN),
            "chooses its boxes itself|YOLOX",
        ),
    ],
)
def test_what_does_not_fit_is_refused_with_wanted_and_found(
    spec: ModelSpec, steps: list[Step], told: str, tmp_path: Path
) -> None:
    with pytest.raises(SetupError, match=told) as caught:
        open_session(model(tmp_path / "m.onnx", steps), "cpu", 1, spec)
    assert str(caught.value).startswith("bad model m.onnx: ")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("task", list(GOOD))
@pytest.mark.parametrize(
    ("how", "told"),
    [
        ({"size": (640, 640)}, r"fixed to 640 x 640 pixels, .* is wanted"),
        ({"batch": 4}, "takes 4 pictures at once, 1 is wanted"),
    ],
)
def test_a_fixed_size_is_refused_with_the_remedy(
    task: str, how: dict[str, Any], told: str, tmp_path: Path
) -> None:
    spec, steps = GOOD[task]
    with pytest.raises(SetupError, match=told) as caught:
        open_session(model(tmp_path / "m.onnx", steps, **how), "cpu", 1, spec)
    assert "export it with" in str(caught.value)


def test_a_view_has_one_size_and_a_model_may_be_fixed_to_it(tmp_path: Path) -> None:
    spec, steps = GOOD["landmarks"]
    open_session(
        model(tmp_path / "m.onnx", steps, size=view_geometry(Plane.SAG)[0]), "cpu", 1, spec
    )


@pytest.mark.parametrize(
    ("names", "fits"),
    [
        (str(dict(enumerate(LESION_NAMES))), True),
        (str(dict(enumerate(name.lower() for name in LESION_NAMES))), True),
        (str(list(LESION_NAMES)), True),
        (str({k: LESION_NAMES[-1 - k] for k in range(6)}), False),
        (str(dict(enumerate(LESION_NAMES[:5]))), False),
        (str({0: "cat", 1: "dog"}), False),
        (str({k: f"class{k}" for k in range(6)}), True),  # words of its own: nothing to compare
        ("{[1]: 'a'}", True),
        ("__import__('os').abort()", True),  # is text, and is not run
        ("{" * 5000, True),
    ],
)
def test_class_names_in_the_file_must_be_those_of_the_manifest(
    names: str, fits: bool, tmp_path: Path
) -> None:
    spec, steps = GOOD["lesions"]
    path = model(tmp_path / "m.onnx", steps, names=names)
    if fits:
        open_session(path, "cpu", 1, spec)
    else:
        with pytest.raises(SetupError, match=r"its own class names are .*, the manifest says"):
            open_session(path, "cpu", 1, spec)


def test_bones_may_have_names_in_the_file_that_begin_with_the_background(tmp_path: Path) -> None:
    spec, steps = GOOD["bones"]
    open_session(
        model(tmp_path / "m.onnx", steps, names=str(["background", *BONE_NAMES])), "cpu", 1, spec
    )
    with pytest.raises(SetupError, match=r"the manifest says Tibia, .*5th Metatarsal"):
        open_session(
            model(tmp_path / "m.onnx", steps, names=str(["background", *BONE_NAMES[::-1]])),
            "cpu",
            1,
            spec,
        )


@pytest.mark.parametrize("classes", [BONE_NAMES, BONE_NAMES[::-1], BONE_NAMES[2:5], ("Talus",)])
def test_each_output_of_a_bone_model_is_the_bone_that_the_entry_names(
    classes: tuple[str, ...],
) -> None:
    out = np.arange(len(classes) + 1, dtype=np.float32)[:, None, None] * np.ones(
        (1, 2, 3), np.float32
    )
    found = votes.by_bone(out, classes)
    assert found.shape == (11, 2, 3)
    for number, name in enumerate(BONE_NAMES, start=1):
        assert (found[number] == (1 + classes.index(name) if name in classes else 0)).all()
    assert (found[0] == 0).all()


def test_an_answer_of_another_size_than_the_picture_fails_the_case(tmp_path: Path) -> None:
    class Cut:
        def run(self, array: Any) -> list[Any]:
            return [np.zeros((1, 11, 16, array.shape[3]), np.float32)]

    with pytest.raises(
        InferenceError, match=r"answered with shape \(1, 11, 16, 32\), wanted is \(1, 11, 48, 32\)"
    ):
        votes._asked(np.zeros((3, 40, 30), np.float32), Cut(), BONE_SPEC)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"planes": (Plane.SAG, Plane.COR)}, "has one plane"),
        ({"planes": (Plane.COR,)}, "its output for a picture|view shows no point"),
        (
            {"points": (("TCA_Line1_Pt1",), *CHANNELS[Plane.SAG][1:])},
            "the SAG view shows no point TCA_Line1_Pt1",
        ),
        (
            {"points": (("HVA_Line1_Pt1",), *CHANNELS[Plane.SAG][1:])},
            "the SAG view shows no point HVA_Line1_Pt1",
        ),
    ],
)
def test_a_landmark_model_whose_points_its_view_does_not_show_is_refused(
    changes: dict[str, Any], told: str, tmp_path: Path
) -> None:
    with pytest.raises(SetupError, match=told):
        open_session(
            model(tmp_path / "m.onnx", GOOD["landmarks"][1]),
            "cpu",
            1,
            replace(POINT_SPEC, **changes),
        )
    turned = tuple(names[::-1] for names in CHANNELS[Plane.SAG])
    open_session(
        model(tmp_path / "m.onnx", GOOD["landmarks"][1]),
        "cpu",
        1,
        replace(POINT_SPEC, points=turned),
    )


def test_logits_are_made_probabilities_where_the_entry_says_so(tmp_path: Path) -> None:
    spec = replace(BONE_SPEC, decoder="logits")
    session = open_session(
        model(tmp_path / "m.onnx", [conv(11, bias=np.arange(11.0)[::-1])]), "cpu", 1, spec
    )
    found = votes._asked(np.zeros((3, 20, 30), np.float32), session, spec)
    assert found.shape == (11, 20, 30)
    np.testing.assert_allclose(found.sum(0), 1.0, rtol=1e-5)
    np.testing.assert_allclose(found[0, 0, 0], 1 / sum(np.exp(-k) for k in range(11)), rtol=1e-5)


@pytest.mark.parametrize(
    ("how", "told"),
    [({"ir": 99}, "IR version 99 is newer"), ({"opset": 999}, "opset 999 is newer")],
)
def test_a_file_that_is_too_new_says_what_to_do(
    how: dict[str, Any], told: str, tmp_path: Path
) -> None:
    with pytest.raises(SetupError, match=told) as caught:
        open_session(model(tmp_path / "m.onnx", GOOD["bones"][1], **how), "cpu", 1, BONE_SPEC)
    assert "pip install -U onnxruntime" in str(caught.value)


# the entry


def entry(spec: ModelSpec, **changes: Any) -> dict[str, Any]:
    content: dict[str, Any] = {
        **COMMON,
        "window": list(COMMON["window"]),
        "task": spec.task,
        "planes": [plane.value for plane in spec.planes],
        "decoder": spec.decoder,
        "input_channels": spec.input_channels,
        "classes": list(spec.classes),
        "points": [list(names) for names in spec.points],
        "offsets_mm": list(spec.offsets_mm),
    }
    return {key: value for key, value in (content | changes).items() if value not in (None, [])}


@pytest.mark.parametrize("task", list(GOOD))
def test_an_entry_is_read_as_it_is_written(task: str) -> None:
    assert parse_spec("here", entry(GOOD[task][0])) == GOOD[task][0]


@pytest.mark.parametrize(
    ("spec", "changes", "told"),
    [
        (
            BONE_SPEC,
            {"decoder": "ultralytics"},
            "decoder must be one of softmax, logits, gu2net, yolo",
        ),
        (
            BONE_SPEC,
            {"decoder": "yolo"},
            "the decoder of a bones model must be softmax or logits, got yolo",
        ),
        (LESION_SPEC, {"decoder": "softmax"}, "the decoder of a lesions model must be yolo"),
        (POINT_SPEC, {"decoder": "yolo"}, "the decoder of a landmarks model must be gu2net"),
        (
            BONE_SPEC,
            {"offsets_mm": None},
            "offsets_mm must be 3 numbers, one for each input channel, got 0",
        ),
        (
            LESION_SPEC,
            {"offsets_mm": [0.0, 1.0]},
            "offsets_mm must be 3 numbers, one for each input channel, got 2",
        ),
        (POINT_SPEC, {"offsets_mm": [0.0]}, "offsets_mm must be none"),
        (POINT_SPEC, {"pixel_mm": 0.5}, "pixel_mm of a landmarks model must be 1"),
        (
            LESION_SPEC,
            {"planes": ["AXL"]},
            "planes must hold COR, in which OLT is looked for|planes must hold",
        ),
        (
            POINT_SPEC,
            {"input_channels": 5},
            "input_channels of a landmarks model must be 1 to 3, got 5",
        ),
    ],
)
def test_an_entry_that_would_feed_or_read_a_model_wrongly_is_refused(
    spec: ModelSpec, changes: dict[str, Any], told: str
) -> None:
    with pytest.raises(SetupError, match=told):
        parse_spec("here", entry(spec, **changes))


def test_a_single_channel_is_the_slice_itself() -> None:
    assert parse_spec("here", entry(BONE_SPEC, input_channels=1, offsets_mm=None)).offsets_mm == (
        0.0,
    )


def test_every_decoder_belongs_to_a_task() -> None:
    assert set(DECODERS) == {"bones", "finder", "landmarks", "lesions"}


def toml(content: dict[str, Any]) -> str:
    rows = [
        f"{key} = {json.dumps(value)}" for key, value in content.items()
    ]  # JSON's texts, numbers and lists are TOML's too
    return "\n".join(["[[model]]", *rows, ""])


def test_a_mark_in_front_of_the_manifest_is_read_past(tmp_path: Path) -> None:
    (tmp_path / "manifest.toml").write_text(toml(entry(BONE_SPEC)), "utf-8-sig")
    assert load_manifest(tmp_path).get("bones") == BONE_SPEC


def test_a_missing_hash_is_told_with_the_line_to_add(tmp_path: Path) -> None:
    path = model(tmp_path / "m.onnx", GOOD["bones"][1])
    (tmp_path / "manifest.toml").write_text(toml(entry(BONE_SPEC, sha256=None)))
    with pytest.raises(SetupError, match="sha256 is missing") as caught:
        load_manifest(tmp_path)
    line = str(caught.value).rpartition("add ")[2]
    (tmp_path / "manifest.toml").write_text(toml(entry(BONE_SPEC, sha256=None)) + line + "\n")
    assert load_manifest(tmp_path).get("bones").sha256 == sha256_of(path)
    path.unlink()
    (tmp_path / "manifest.toml").write_text(toml(entry(BONE_SPEC, sha256=None)))
    with pytest.raises(SetupError, match="sha256sum"):
        load_manifest(tmp_path)


def test_no_case_is_begun_with_a_model_that_does_not_fit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from footcli.run.setup import Options, load_models

    steps: dict[str, Callable[[], list[Step]]] = {
        "bones": lambda: [conv(11), SOFTMAX],
        "lesions": lambda: detector(10),
    }
    text = ""
    coronal = replace(POINT_SPEC, planes=(Plane.COR,), points=CHANNELS[Plane.COR])
    for name, spec in (
        ("bones", BONE_SPEC),
        ("sag", POINT_SPEC),
        ("cor", coronal),
        ("lesions", LESION_SPEC),
    ):
        path = model(
            tmp_path / f"{name}.onnx", steps[name]() if name in steps else [conv(len(spec.points))]
        )
        text += toml(entry(spec, file=path.name, sha256=sha256_of(path)))
    (tmp_path / "manifest.toml").write_text(text)
    with pytest.raises(SetupError, match=r"bad model lesions\.onnx: .*Ultralytics"):
        load_models(Options(tmp_path, "cpu"))
