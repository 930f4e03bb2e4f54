"""An output folder -> its pages."""
