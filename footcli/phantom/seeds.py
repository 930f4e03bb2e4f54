"""The fixed seeds of subjects that no training and no choice of a threshold ever sees. Training draws from 1,000,000 upwards."""

from __future__ import annotations

TEST_SEEDS: tuple[int, ...] = tuple(range(101, 109))  # the 8 subjects behind the numbers in README and model cards
TUNE_SEEDS: tuple[int, ...] = tuple(range(5001, 5013))  # thresholds are chosen on these, never on the test subjects
DEMO_SEED = 42
# surfaces (name prefixes of files in --shapes) that no training ever sees
TEST_SHAPES: tuple[str, ...] = ("leg12", "leg13", "leg14", "hind_norm03R", "hind_nontta10R", "hind_tta10L")
