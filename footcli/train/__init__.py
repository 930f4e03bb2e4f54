"""Training of the networks on synthetic subjects and labelled cases.

Only this package imports torch, and only the command line imports this package.
"""
