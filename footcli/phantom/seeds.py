"""The fixed seeds of subjects that no training and no choice of a threshold ever sees. Training draws from 1,000,000 upwards."""

from __future__ import annotations

TEST_SEEDS: tuple[int, ...] = tuple(range(101, 109))  # the 8 subjects behind the numbers in README and model cards
TUNE_SEEDS: tuple[int, ...] = tuple(range(5001, 5013))  # thresholds are chosen on these, never on the test subjects
DEMO_SEED = 42
