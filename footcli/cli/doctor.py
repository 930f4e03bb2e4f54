"""Check of an installation: versions, codecs, devices, model files."""

from __future__ import annotations

import platform
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from footcli import __version__
from footcli.errors import FootcliError
from footcli.infer.manifest import load_manifest, verify
from footcli.infer.session import open_session
from footcli.system.assets import templates_dir
from footcli.system.cores import cpu_count

NEEDED = (
    "numpy",
    "scipy",
    "scikit-image",
    "pydicom",
    "Pillow",
    "onnxruntime",
    "typer",
    "rich",
    "jinja2",
    "hotcoco",
    "msgspec",
    "pyjpegls",
)
OPTIONAL = {
    "imagecodecs": "JPEG Lossless and 12-bit JPEG slices",
    "torch": "footcli train",
    "onnx": "footcli train",
}


def check(models: Path) -> Iterator[tuple[bool, str]]:
    """(good, line) for each check; lines are for people."""
    yield True, f"footcli {__version__}, Python {platform.python_version()}, {cpu_count()} cores"
    for name in NEEDED:
        try:
            yield True, f"{name} {version(name)}"
        except PackageNotFoundError:
            installed = name == "onnxruntime" and _has("onnxruntime-gpu")
            yield (
                installed,
                f"{name}: " + ("onnxruntime-gpu" if installed else f"missing: pip install {name}"),
            )
    for name, use in OPTIONAL.items():
        yield (
            True,
            f"{name} {version(name)}"
            if _has(name)
            else f"{name} is not installed (only for {use})",
        )
    try:
        yield True, f"report templates: {len(list(templates_dir().iterdir()))} files"
        for spec in load_manifest(models).models:
            session = open_session(verify(spec, models), "auto", 1, spec)
            yield True, f"{spec.file} ({spec.task}, {spec.sha256[:12]}) runs on {session.device}"
    except FootcliError as error:
        yield False, str(error)


def _has(name: str) -> bool:
    try:
        version(name)
    except PackageNotFoundError:
        return False
    return True
