"""Find or download the weights of a model family, and check that they fit together."""
