"""Setup of a run: options, opened models, clock, and the fingerprint of options and models."""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from footcli.decide.profile import Profile, load_profile
from footcli.domain import Plane
from footcli.identity import ALGORITHM
from footcli.infer.manifest import load_manifest, verify
from footcli.infer.session import Device, Session, open_session
from footcli.infer.spec import ModelSpec
from footcli.provenance import ModelFacts, OptionFacts, Settings
from footcli.system.assets import models_dir

Quality = Literal["fast", "standard", "best"]


@dataclass(frozen=True, slots=True)
class Options:
    """Options of the command line for the analysis of cases."""

    models: Path = field(default_factory=models_dir)
    device: Device = "auto"
    quality: Quality = "standard"
    profile: str = "general"
    lang: str = "en"
    weight_bearing: bool | None = None
    spacing_mm: float | None = None
    polygons: bool = False
    threads: int | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Models:
    """The opened models with their manifest entries, and the profile of cut-offs."""

    bones: tuple[Session, ModelSpec]
    landmarks: Mapping[Plane, tuple[Session, ModelSpec]]
    lesions: tuple[tuple[Session, ModelSpec], ...]
    profile: Profile

    def specs(self) -> tuple[ModelSpec, ...]:
        """The entries of all models, in a fixed order."""
        return (
            self.bones[1],
            *(spec for _, spec in self.landmarks.values()),
            *(spec for _, spec in self.lesions),
        )

    @property
    def device(self) -> str:
        """The device that the bone model runs on: cpu or cuda."""
        return self.bones[0].device


@dataclass(slots=True)
class Clock:
    """Seconds spent in each stage."""

    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def __call__(self, stage: str) -> Any:
        """Add the time of a with-block to a stage."""
        began = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[stage] = round(
                self.seconds.get(stage, 0.0) + time.perf_counter() - began, 3
            )


def load_models(options: Options) -> Models:
    """Check and open every model. Raises SetupError, so that nothing starts with a bad model."""
    manifest = load_manifest(options.models)
    profile = load_profile(options.profile)

    def opened(spec: ModelSpec) -> tuple[Session, ModelSpec]:
        return open_session(
            verify(spec, manifest.folder), options.device, options.threads, spec
        ), spec

    landmarks = {
        plane: opened(manifest.get("landmarks", plane)) for plane in (Plane.SAG, Plane.COR)
    }
    return Models(
        opened(manifest.get("bones")), landmarks, tuple(map(opened, manifest.lesions())), profile
    )


def fingerprint(models: Models, options: Options) -> Settings:
    """All that a result depends on, except the input."""
    facts = [ModelFacts(s.file, s.task, s.sha256, s.entry_sha256) for s in models.specs()]
    spacing = None if options.spacing_mm is None else f"{options.spacing_mm:.9g}"
    return Settings(
        ALGORITHM,
        tuple(facts),
        models.profile.facts(),
        OptionFacts(options.quality, spacing, options.weight_bearing),
    )
