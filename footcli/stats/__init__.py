"""A data set's tree -> counts, shares against the published targets, what is missing, faults in the
labels. Opens no pixels.
"""
