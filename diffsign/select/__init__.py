"""A selection of a clip's frames, with everything that was made from the whole clip."""
