"""Rules about what a network does with a batch of images."""
