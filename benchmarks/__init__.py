"""What Foveal costs and what it scores, measured."""
