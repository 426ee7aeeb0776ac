"""Rules about weights: the numbers that are stored."""
