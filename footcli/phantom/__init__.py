"""Synthetic subjects: a parametric foot with disease as geometry, scanned and written as case
folders with ground truth.
"""
