"""An output folder -> its HTML pages."""
