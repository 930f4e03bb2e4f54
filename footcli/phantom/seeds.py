"""Fixed seeds of test and tuning subjects; training draws from 1,000,000 upwards.

No threshold is chosen on a test subject.
"""

from __future__ import annotations

# The 24 subjects of the figures in models/figures.md
TEST_SEEDS: tuple[int, ...] = tuple(range(101, 125))
TEST_SHAPED: tuple[int, ...] = TEST_SEEDS[16:]  # those with bone surfaces of TEST_SHAPES
# For the choice of thresholds
TUNE_SEEDS: tuple[int, ...] = tuple(range(5001, 5013))
# Severe flat to severe cavus, varus to valgus, for the angles
RANGE_SEEDS: tuple[int, ...] = tuple(range(201, 249))
# With noise, metal or a truncated field of view, for the landmark scores
HARD_SEEDS: tuple[int, ...] = tuple(range(301, 325))
# For the calibration of landmark scores; every second one is made hard
SCORE_SEEDS: tuple[int, ...] = tuple(range(5101, 5149))
# Ten of each lesion class, half of them subtle, and twenty healthy
LESION_SEEDS: tuple[int, ...] = tuple(range(401, 481))
CLEAR_SEEDS: tuple[int, ...] = tuple(range(481, 488))  # one obvious case of each disease
# For the choice of lesion thresholds
LESION_TUNE_SEEDS: tuple[int, ...] = tuple(range(5201, 5486))
DEMO_SEED = 42
# Bone surfaces (name prefixes of files in --shapes) that are never used in training
TEST_SHAPES: tuple[str, ...] = (
    "leg12",
    "leg13",
    "leg14",
    "hind_norm03R",
    "hind_nontta10R",
    "hind_tta10L",
)
