"""Heat maps made visible: colours, overlays, sheets, and words for the terminal."""
