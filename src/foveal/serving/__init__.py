"""A run as a page and an API on this machine, without torch: ``foveal serve``."""
