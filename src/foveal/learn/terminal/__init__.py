"""Everything of the course that prints or asks."""
