"""A data set's tree -> counts, shares against the published targets, missing data, faults in the
labels. Reads no pixels.
"""
