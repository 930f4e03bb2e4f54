"""Pictures for the report, cut while the volume is in memory."""
