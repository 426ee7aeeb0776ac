"""The network as a picture that folds and opens: parts, wires, places, drawing and page."""
