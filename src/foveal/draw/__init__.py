"""What all pages and texts share: SVG, lettering, wrapping, colours and numbers in words."""
