"""The only access to HTML and SVG."""
