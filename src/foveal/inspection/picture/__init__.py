"""The network as a picture that folds and opens: parts, wires, arrangement, drawing and page."""
