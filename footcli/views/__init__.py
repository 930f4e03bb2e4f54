"""What a report will show, cut while the volume is in memory."""
