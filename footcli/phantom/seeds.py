"""The fixed seeds of subjects that no training and no choice of a threshold ever sees.

Training draws from 1,000,000 upwards.
"""

from __future__ import annotations

TEST_SEEDS: tuple[int, ...] = tuple(
    range(101, 125)
)  # the 24 subjects behind the figures in models/figures.md
TEST_SHAPED: tuple[int, ...] = TEST_SEEDS[16:]  # of these, the ones that wear TEST_SHAPES
TUNE_SEEDS: tuple[int, ...] = tuple(
    range(5001, 5013)
)  # thresholds are chosen on these, never on the test subjects
RANGE_SEEDS: tuple[int, ...] = tuple(
    range(201, 249)
)  # severe flat to severe cavus, varus to valgus, for the angles
HARD_SEEDS: tuple[int, ...] = tuple(
    range(301, 325)
)  # with noise, metal or a cut-off field, for the points' scores
SCORE_SEEDS: tuple[int, ...] = tuple(
    range(5101, 5149)
)  # points' scores are calibrated on these, every second one made hard
LESION_SEEDS: tuple[int, ...] = tuple(
    range(401, 481)
)  # ten of each lesion class, half of them subtle, and twenty healthy
CLEAR_SEEDS: tuple[int, ...] = tuple(range(481, 488))  # one plain case of each disease
LESION_TUNE_SEEDS: tuple[int, ...] = tuple(
    range(5201, 5486)
)  # thresholds of lesions are chosen on these
DEMO_SEED = 42
# surfaces (name prefixes of files in --shapes) that no training ever sees
TEST_SHAPES: tuple[str, ...] = (
    "leg12",
    "leg13",
    "leg14",
    "hind_norm03R",
    "hind_nontta10R",
    "hind_tta10L",
)
