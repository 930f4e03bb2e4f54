"""Thresholds of the reported scores: from which score something is shown, stored or used."""

from __future__ import annotations

SURE = 0.5  # from this score a box makes its finding PRESENT and is drawn solid
SUSPICIOUS = 0.3  # from this score a box makes its finding POSSIBLE
FAINT = 0.1  # from this score a box is stored, for the curves of an evaluation
MIN_SCORE = 0.3  # landmarks of a lower score are not used
# Nothing rests on a bone whose mean probability is lower: drawn feet that stand have 0.65 and more
# where the field of view does not cut the bone off, a real one 0.83; feet turned by 90 degrees less
SURE_BONE = 0.6
# Largest voxel edges (mm) with which a box, or anything, makes a finding PRESENT: the detectors
# learn from 0.4 to 0.8
COARSE_BOX_MM, COARSE_SCAN_MM = 1.0, 2.0
GROWN_YEARS = 16  # growth plates may be open below this age
USUAL_SIZE = (0.72, 1.3)  # of an adult's foot, the mean foot's is 1
# Task -> the score that a model's threshold is mapped to: 95 of 100 landmarks of score 0.8 or more
# lie within 3 mm.
REPORTED = {"lesions": SURE, "landmarks": 0.8}
