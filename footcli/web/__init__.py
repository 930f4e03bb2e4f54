"""The one door to HTML and SVG."""
