"""The shapes of other people's bones: landmarks stay where the anatomy puts them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from footcli.anatomy.reshape import reshaped
from footcli.anatomy.template import distance, reference_foot
from footcli.phantom.subject import vary


def test_landmarks_go_with_the_part_of_the_bone_that_they_lie_in() -> None:
    talus = reference_foot()["talus"]
    sections = talus.tube.sections.copy()
    sections[0] += 2.0
    other = reshaped(talus, replace(talus.tube, sections=sections), talus.blobs)
    step = {name: other.landmarks[name] - talus.landmarks[name] for name in talus.landmarks}
    np.testing.assert_allclose(step["head_centre"], [0, 2, 0], atol=1e-9)
    np.testing.assert_allclose(
        step["dome_medial_edge"], [0, 0, 0], atol=1e-9
    )  # on a blob, which stayed
    moved = tuple(replace(b, centre=b.centre + np.array([0.0, 0.0, 1.5])) for b in talus.blobs)
    other = reshaped(talus, talus.tube, moved)
    np.testing.assert_allclose(
        other.landmarks["dome_medial_edge"] - talus.landmarks["dome_medial_edge"],
        [0, 0, 1.5],
        atol=1e-9,
    )
    np.testing.assert_allclose(
        other.landmarks["head_centre"], talus.landmarks["head_centre"], atol=1e-9
    )


@pytest.mark.parametrize("name", ["talus", "metatarsal1"])
def test_in_the_bones_of_other_people_landmarks_lie_as_deep_as_in_the_mean_bone(name: str) -> None:
    mean = reference_foot()[name]
    off = []
    for seed in range(12):
        other = replace(vary(mean, np.ones(3), np.random.default_rng(seed)), bumps=np.zeros((0, 5)))
        for mark, point in mean.landmarks.items():
            now, then = (
                distance(b, p.astype(np.float32)[:, None])[0]
                for b, p in ((other, other.landmarks[mark]), (mean, point))
            )
            if abs(then) < 0.5:  # of the surface
                off.append(abs(now - then))
    assert np.mean(off) < 0.35
    assert len(off) >= 12
