"""footcli: assisted diagnosis of foot and ankle disease from weight-bearing cone-beam CT.

Research use only.
"""

__version__ = "0.2.0"
