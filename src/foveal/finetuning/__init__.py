"""Training the last part of a pretrained network, the rest frozen and computed once."""
