"""Rules about structure: shapes and wiring alone."""
