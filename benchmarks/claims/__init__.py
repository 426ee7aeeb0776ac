"""How often what Foveal says of data is true: sets with one planted fault, and honest sets."""
