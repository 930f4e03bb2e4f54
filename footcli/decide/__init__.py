"""Decide findings from measurements and lesion boxes, by profiles of cut-offs."""
