"""Rules about how a network is about to be trained."""
