"""infer/session and infer/onnxfile: good models run as told, bad ones stop with one line."""

from __future__ import annotations

import pickle
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from footcli.domain import Plane
from footcli.errors import InferenceError, SetupError
from footcli.infer import session as room
from footcli.infer.manifest import ModelSpec
from footcli.infer.session import open_session
from footcli.kinds import BONES
from footcli.system import cores
from footcli.system.cores import cpu_count

onnx = pytest.importorskip(
    "onnx", reason="tiny models are made with the onnx package, which the [train] extra brings"
)
helper, TYPE = onnx.helper, onnx.TensorProto

SPEC = ModelSpec(
    file="m.onnx",
    sha256="0" * 64,
    task="bones",
    planes=(Plane.AXL,),
    pixel_mm=0.8,
    window=(-500.0, 1500.0),
    decoder="softmax",
    input_channels=3,
    licence="Apache-2.0",
    trained_on="nothing",
    exported_by="0.1.0",
    classes=tuple(bone.name for bone in BONES),
)
IMAGE = np.ones((2, 1, 8, 8), np.float32)


def model(
    path: Path,
    *nodes: Any,
    weights: Any = (),
    shape: Any = ("n", 1, "h", "w"),
    kind: int = TYPE.FLOAT,
    inputs: int = 1,
) -> Path:
    names = ["x", "x2"][:inputs]
    graph = helper.make_graph(
        list(nodes),
        "g",
        [helper.make_tensor_value_info(name, kind, shape) for name in names],
        [helper.make_tensor_value_info("y", TYPE.FLOAT, None)],
        list(weights),
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    made.metadata_props.add(key="names", value=str([bone.name for bone in BONES]))
    path.write_bytes(made.SerializeToString())
    return path


def node(op: str, *inputs: str, out: str = "y", **attributes: Any) -> Any:
    return helper.make_node(op, list(inputs), [out], **attributes)


def numbers(name: str, values: Any) -> Any:
    return onnx.numpy_helper.from_array(np.asarray(values), name)


@pytest.fixture
def relu(tmp_path: Path) -> Path:
    return model(tmp_path / "relu.onnx", node("Relu", "x"))


def test_a_model_runs_on_the_cpu_and_says_so(relu: Path) -> None:
    opened = open_session(relu, "cpu", 1)
    assert (opened.device, opened.provider) == ("cpu", "CPUExecutionProvider")
    assert opened.shape == (None, 1, None, None)
    assert opened.metadata["names"].startswith("['Tibia', ")
    (answer,) = opened.run(IMAGE - 2)
    assert answer.dtype == np.float32
    assert not answer.any()


def test_doubles_and_strided_arrays_are_taken(relu: Path) -> None:
    (answer,) = open_session(relu, "cpu", 1).run(
        np.arange(64.0).reshape(1, 1, 8, 8).transpose(0, 1, 3, 2)
    )  # type: ignore[arg-type]
    np.testing.assert_array_equal(answer, np.arange(64.0).reshape(1, 1, 8, 8).transpose(0, 1, 3, 2))


def test_threads_are_always_set_and_do_not_spin() -> None:
    import onnxruntime as ort

    options = room._options(ort, 3)
    assert (options.intra_op_num_threads, options.inter_op_num_threads) == (3, 1)
    assert options.get_session_config_entry("session.intra_op.allow_spinning") == "0"
    assert room._options(ort, None).intra_op_num_threads == cpu_count()


class Pretended:
    """A stand-in for onnxruntime's session that got a provider other than the machine's."""

    def __init__(self, real: Any, got: str) -> None:
        self.real, self.got = real, got

    def get_providers(self) -> list[str]:
        return [self.got]

    def __getattr__(self, name: str) -> Any:
        return getattr(self.real, name)


def pretend_cuda(monkeypatch: pytest.MonkeyPatch, got: str) -> list[list[str]]:
    """An onnxruntime that claims CUDA and then uses `got`; what was asked of it is recorded."""
    import onnxruntime as ort

    asked: list[list[str]] = []
    real = ort.InferenceSession

    def make(data: bytes, options: Any, providers: list[str], enable_fallback: int) -> Pretended:
        asked.append(providers)
        assert enable_fallback == 0
        if got == "raises" and providers[0] == "CUDAExecutionProvider":
            raise RuntimeError("CUDA failure 35")
        return Pretended(
            real(data, options, providers=["CPUExecutionProvider"]),
            "CPUExecutionProvider" if got == "raises" else got,
        )

    monkeypatch.setattr(
        ort, "get_available_providers", lambda: ["CUDAExecutionProvider", "CPUExecutionProvider"]
    )
    monkeypatch.setattr(
        ort,
        "preload_dlls",
        lambda: print("Failed to load libcudnn"),  # noqa: T201
        raising=False,
    )
    monkeypatch.setattr(ort, "InferenceSession", make)
    return asked


def test_cuda_is_refused_where_onnxruntime_has_none(
    relu: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import onnxruntime as ort

    monkeypatch.setattr(ort, "get_available_providers", lambda: ["CPUExecutionProvider"])
    with pytest.raises(SetupError, match="device cuda: this onnxruntime has no CUDA"):
        open_session(relu, "cuda", 1)
    assert open_session(relu, "auto", 1).device == "cpu"


@pytest.mark.parametrize("got", ["CPUExecutionProvider", "raises"])
def test_cuda_never_falls_back_silently_but_auto_may(
    relu: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any, got: str
) -> None:
    asked = pretend_cuda(monkeypatch, got)
    with pytest.raises(SetupError, match="onnxruntime fell back to the CPU"):
        open_session(relu, "cuda", 1)
    assert open_session(relu, "auto", 1).device == "cpu"
    assert open_session(relu, "cpu", 1).device == "cpu"
    assert asked[0] == ["CUDAExecutionProvider", "CPUExecutionProvider"]
    assert asked[-1] == ["CPUExecutionProvider"]
    assert capsys.readouterr().out == ""


def test_cuda_that_is_used_is_reported(relu: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pretend_cuda(monkeypatch, got="CUDAExecutionProvider")
    assert open_session(relu, "auto", 1).device == "cuda"
    assert open_session(relu, "cuda", 1).provider == "CUDAExecutionProvider"


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "it is empty"),
        (b"\x00" * 100, "not an ONNX file"),
        (
            bytes(np.random.default_rng(0).integers(0, 256, 5000, dtype=np.uint8)),
            "not an ONNX file",
        ),
        (b"hello, this is no model at all", "not an ONNX file"),
        (pickle.dumps({"weights": [1.0]}), "it is a pickle"),
        (b"PK\x03\x04" + b"\x00" * 100, "it is a pickle or zip"),
        (b"\x08\x08", "no graph or no operator set in it"),
    ],
)
def test_a_file_that_is_no_model_is_named_in_one_line(
    tmp_path: Path, content: bytes, reason: str
) -> None:
    path = tmp_path / "odd.onnx"
    path.write_bytes(content)
    with pytest.raises(SetupError) as caught:
        open_session(path, "cpu", 1)
    assert str(caught.value).startswith("bad model odd.onnx: ")
    assert str(caught.value).endswith(", export it again or correct its entry in manifest.toml")
    assert reason in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_model_that_is_cut_off_is_refused_wherever_the_cut_is(relu: Path) -> None:
    data = relu.read_bytes()
    whole = data.rindex(b"names") - 5  # only metadata follows from here on
    for size in range(whole):
        relu.write_bytes(data[:size])
        with pytest.raises(
            SetupError, match=r"bad model relu.onnx: it is (empty|not an ONNX file)"
        ):
            open_session(relu, "cpu", 1)


def test_a_missing_or_too_large_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(SetupError, match="no such model file"):
        open_session(tmp_path / "none.onnx", "cpu", 1)
    with (tmp_path / "big.onnx").open("wb") as stream:
        stream.truncate(65 * 2**20)
    with pytest.raises(SetupError, match=r"bad model big.onnx: it is larger than 64 MB"):
        open_session(tmp_path / "big.onnx", "cpu", 1)


def test_an_input_that_is_no_float_image_stack_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "m.onnx"
    with pytest.raises(SetupError, match="its input has 3 dimensions, 4 are wanted"):
        open_session(model(path, node("Relu", "x"), shape=(1, "h", "w")), "cpu", 1)
    with pytest.raises(SetupError, match=r"its input is tensor\(uint8\), float32 is wanted"):
        open_session(model(path, node("Cast", "x", to=TYPE.FLOAT), kind=TYPE.UINT8), "cpu", 1)
    with pytest.raises(SetupError, match="it has 2 inputs, one is wanted"):
        open_session(model(path, node("Add", "x", "x2"), inputs=2), "cpu", 1)
    with pytest.raises(SetupError, match="makes no sense"):
        open_session(model(path, node("Relu", "x"), shape=(1, 1, 100_000, 100_000)), "cpu", 1)


def test_channels_must_be_those_of_the_manifest(relu: Path, tmp_path: Path) -> None:
    with pytest.raises(SetupError, match="its input has 1 channels, the manifest says 3"):
        open_session(relu, "cpu", 1, SPEC)
    weights = numbers("k", np.zeros((11, 3, 1, 1), np.float32))
    steps = node("Conv", "x", "k", out="t"), node("Softmax", "t", axis=1)
    eleven = model(tmp_path / "eleven.onnx", *steps, weights=[weights], shape=("n", "c", "h", "w"))
    assert open_session(eleven, "cpu", 1, SPEC).run(np.zeros((1, 3, 8, 8), np.float32))[
        0
    ].shape == (1, 11, 8, 8)
    with pytest.raises(SetupError, match=r"bad model eleven.onnx: .*channel"):
        open_session(eleven, "cpu", 1, replace(SPEC, input_channels=2))
    with pytest.raises(
        SetupError, match=r"must have shape \(1, 3, 48, 80\), it has \(1, 11, 48, 80\)"
    ):
        open_session(eleven, "cpu", 1, replace(SPEC, classes=("Tibia", "Talus")))


@pytest.mark.parametrize("place", ["weight", "constant", "branch"])
def test_weights_in_other_files_are_refused_wherever_they_hide(tmp_path: Path, place: str) -> None:
    tensor = numbers("k", np.zeros(1, np.float32))
    tensor.ClearField("raw_data")
    tensor.data_location = TYPE.EXTERNAL
    tensor.external_data.add(key="location", value="../secret.bin")
    if place == "weight":
        path = model(tmp_path / "m.onnx", node("Add", "x", "k"), weights=[tensor])
    elif place == "constant":
        path = model(
            tmp_path / "m.onnx",
            helper.make_node("Constant", [], ["k"], value=tensor),
            node("Add", "x", "k"),
        )
    else:
        branch = helper.make_graph(
            [node("Add", "x", "k", out="b")],
            "b",
            [],
            [helper.make_tensor_value_info("b", TYPE.FLOAT, None)],
            [tensor],
        )
        choose = helper.make_node("If", ["yes"], ["y"], then_branch=branch, else_branch=branch)
        path = model(tmp_path / "m.onnx", choose, weights=[numbers("yes", np.array(True))])
    with pytest.raises(SetupError, match="it keeps weights in other files, which is not allowed"):
        open_session(path, "cpu", 1)


@pytest.mark.skipif(
    not sys.platform.startswith("linux"), reason="the memory limit needs /proc and setrlimit"
)
def test_a_tiny_model_that_asks_for_160_gb_is_refused(tmp_path: Path) -> None:
    import resource

    before = resource.getrlimit(resource.RLIMIT_AS)
    nodes = [
        node("ConstantOfShape", "s", out="c"),
        node("ReduceMax", "c", out="m"),
        node("Add", "x", "m"),
    ]
    bomb = model(
        tmp_path / "bomb.onnx", *nodes, weights=[numbers("s", np.array([200_000, 200_000]))]
    )
    with pytest.raises(
        SetupError, match=r"bad model bomb.onnx: it asks for more memory than a model may have"
    ):
        open_session(bomb, "cpu", 1)
    assert resource.getrlimit(resource.RLIMIT_AS) == before


def test_an_unknown_operator_is_a_bad_model(tmp_path: Path) -> None:
    with pytest.raises(SetupError, match=r"bad model m.onnx: .*Frobnicate"):
        open_session(model(tmp_path / "m.onnx", node("Frobnicate", "x")), "cpu", 1)


@pytest.mark.parametrize(
    ("op", "image"), [("Sqrt", -IMAGE), ("Log", IMAGE * 0), ("Reciprocal", IMAGE * 0)]
)
def test_nan_and_infinite_answers_fail_the_case(tmp_path: Path, op: str, image: Any) -> None:
    opened = open_session(model(tmp_path / "m.onnx", node(op, "x")), "cpu", 1)
    with pytest.raises(
        InferenceError, match=r"model m.onnx answered with numbers that are none"
    ) as caught:
        opened.run(image)
    assert caught.value.code == "nan_output"
    assert np.isfinite(opened.run(IMAGE)[0]).all()


def test_an_input_that_the_model_cannot_take_fails_the_case(relu: Path) -> None:
    with pytest.raises(
        InferenceError, match=r"model relu.onnx failed on an input of shape \(1, 2, 8, 8\)"
    ) as caught:
        open_session(relu, "cpu", 1).run(np.zeros((1, 2, 8, 8), np.float32))
    assert caught.value.code == "model_failed"


def test_damaged_models_run_or_are_refused_in_one_line(tmp_path: Path, capfd: Any) -> None:
    weights = numbers("k", np.zeros((11, 1, 3, 3), np.float32))
    path = model(
        tmp_path / "m.onnx", node("Conv", "x", "k", out="a"), node("Relu", "a"), weights=[weights]
    )
    whole, random = path.read_bytes(), np.random.default_rng(1)
    said: list[str] = []
    codes: set[str] = set()
    for _ in range(400):
        data = bytearray(whole)
        for at in random.integers(0, len(data), 2):
            data[at] = random.integers(0, 256)
        path.write_bytes(data)
        try:
            open_session(path, "cpu", 1).run(IMAGE)
        except InferenceError as error:
            codes.add(error.code)
        except SetupError as error:
            said.append(str(error))
    assert len(said) > 50
    assert codes <= {"nan_output", "model_failed"}
    assert not [text for text in said if not text.isprintable() or len(text) > 400]
    assert capfd.readouterr() == ("", "")


def test_a_bad_model_leaves_stdout_and_stderr_silent(tmp_path: Path) -> None:
    bad = model(
        tmp_path / "m.onnx",
        node("Add", "x", "k"),
        weights=[numbers("k", np.zeros((7, 7), np.float32))],
    )
    code = (
        "import sys; from pathlib import Path; from footcli.errors import SetupError; from "
        "footcli.infer.session import open_session\n"
        "assert 'onnxruntime' not in sys.modules\n"
        "try: open_session(Path(sys.argv[1]), 'cpu', 1)\n"
        "except SetupError as error: sys.exit(7)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(bad)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (7, "", "")


def cgroup(root: Path, rows: str, files: dict[str, str]) -> tuple[Path, Path]:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    (root / "membership").write_text(rows)
    return root, root / "membership"


@pytest.mark.parametrize(
    ("rows", "files", "quota"),
    [
        (
            "0::/a/b\n",
            {
                "cpu.max": "max 100000\n",
                "a/cpu.max": "150000 100000\n",
                "a/b/cpu.max": "400000 100000\n",
            },
            1.5,
        ),
        ("0::/\n", {"cpu.max": "max 100000\n"}, None),
        (
            "3:cpu,cpuacct:/\n",
            {"cpu,cpuacct/cpu.cfs_quota_us": "200000", "cpu,cpuacct/cpu.cfs_period_us": "100000"},
            2.0,
        ),
        ("3:cpu:/\n", {"cpu/cpu.cfs_quota_us": "-1", "cpu/cpu.cfs_period_us": "100000"}, None),
        ("8:memory:/\n", {"memory/cpu.max": "100000 100000"}, None),
        ("nonsense\n", {}, None),
    ],
)
def test_the_cgroup_quota_is_the_least_on_the_way_up(
    tmp_path: Path, rows: str, files: dict[str, str], quota: float | None
) -> None:
    assert cores._cgroup_quota(*cgroup(tmp_path, rows, files)) == quota


def test_the_core_count_is_at_least_one_and_at_most_the_quota(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(cores, "_cgroup_quota", lambda root, membership: 0.5)
    assert cpu_count() == 1
    monkeypatch.setattr(cores, "_cgroup_quota", lambda root, membership: None)
    assert cpu_count() >= 1
