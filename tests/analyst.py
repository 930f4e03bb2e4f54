"""A stand-in for reading and analysis, for tests of what a run keeps, skips and does again."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from make_result import AFFINE, SHAPE_ZYX, make_result, make_views

from footcli.decide.profile import load_profile
from footcli.domain import CaseRef, Plane, ScanTags, Volume
from footcli.identity import input_facts
from footcli.infer.spec import ModelSpec
from footcli.run import batch, case_job
from footcli.run.pipeline import Foot
from footcli.run.setup import Clock, Models, Options, fingerprint
from footcli.text.lines import Line

SPEC = ModelSpec(
    "bones.onnx",
    "1" * 64,
    "bones",
    tuple(Plane),
    1.0,
    (-500.0, 1500.0),
    "softmax",
    1,
    "x",
    "x",
    "x",
    classes=("Talus",),
    offsets_mm=(0.0,),
)
LABELS = np.zeros(SHAPE_ZYX, np.uint8)
LABELS[20:30, 30:40, 10:20] = 1


class Analyst:
    """Stands for reading and analysis: the bytes of a case's files are its pixels; counts its
    cases, fails those that a test names.
    """

    def __init__(self) -> None:
        self.seen: list[str] = []
        self.read: list[str] = []
        self.faults: dict[str, Callable[[], BaseException]] = {}
        self.feet = ("",)
        self.age: float | None = None
        self.changes: dict[str, Any] = {}
        self.notices: tuple[str, ...] = ()
        self.models = (("bones.onnx", "1" * 64),)

    def load_models(self, options: Options) -> Any:
        specs = [replace(SPEC, file=name, sha256=digest) for name, digest in self.models]
        return SimpleNamespace(
            device="cpu", specs=lambda: specs, profile=load_profile(options.profile)
        )

    def read_volume(self, ref: CaseRef, options: Options, clock: Clock) -> Volume:
        self.read.append(ref.case_id)
        content = b"".join(path.read_bytes() for paths in ref.images.values() for path in paths)
        digest = hashlib.sha256(content).hexdigest()
        tags = ScanTags(weight_bearing=options.weight_bearing, age_years=self.age)
        # as in a real one, the pixel size that a user gives is part of the geometry
        geometry = hashlib.sha256(f"{digest} {options.spacing_mm}".encode()).hexdigest()
        names = tuple(f"s{i:04d}" for i in range(SHAPE_ZYX[0]))
        notices = tuple(Line(code, text=code) for code in self.notices)
        return Volume(
            LABELS.astype(np.int16), AFFINE, names, geometry, digest, tags=tags, notices=notices
        )

    def analyze_volume(
        self, ref: CaseRef, volume: Volume, models: Models, options: Options, clock: Clock
    ) -> tuple[Foot, ...]:
        self.seen.append(ref.case_id)
        if ref.case_id in self.faults:
            raise self.faults[ref.case_id]()
        settings = fingerprint(models, options)
        provenance = replace(
            make_result().provenance,
            algorithm=settings.algorithm,
            models=settings.models,
            profile=settings.profile,
            options=settings.options,
            input=input_facts(volume, {}),
        )
        results = [
            make_result(case_id=ref.case_id + suffix, provenance=provenance, **self.changes)
            for suffix in self.feet
        ]
        with clock("bones"):
            return tuple(Foot(result, LABELS, make_views(), None, volume) for result in results)


def install(patch: pytest.MonkeyPatch) -> Analyst:
    """A stand-in in the place of reading, models and analysis."""
    stand_in = Analyst()
    patch.setattr(os, "fsync", lambda handle: None)
    patch.setattr(batch, "load_models", stand_in.load_models)
    patch.setattr(case_job, "read_volume", stand_in.read_volume)
    patch.setattr(case_job, "analyze_volume", stand_in.analyze_volume)
    return stand_in
