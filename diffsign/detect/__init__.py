"""Find the points of body, hands and face in every picture of a clip."""
