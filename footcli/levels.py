"""What a score means: from where on something is said, shown, kept or used. The only place."""

from __future__ import annotations

SURE = 0.5  # from here on a box is a finding that is present, and is drawn solid
SUSPICIOUS = 0.3  # from here on a box makes a finding possible
FAINT = 0.1  # from here on it is written down, for the curves of an evaluation
MIN_SCORE = 0.3  # a key point that the network is less sure of is not used
# What the score of a model's threshold becomes: 95 of 100 points at 0.8 and more lie within 3 mm.
REPORTED = {"lesions": SURE, "landmarks": 0.8}
