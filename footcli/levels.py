"""What a score means: from where on something is said, shown, kept or used."""

from __future__ import annotations

# A lesion is said to be there from 0.5 on; 95 of 100 points at 0.8 and more lie within 3 mm.
REPORTED = {"lesions": 0.5, "landmarks": 0.8}
SUSPICIOUS = 0.3  # from here on a lesion is worth a look
FAINT = 0.1  # from here on it is written down, for the curves of an evaluation
MIN_SCORE = 0.3  # a key point that the network is less sure of is not used
