"""Render the fitted signer as an avatar that lines up with the source, and lay the two over each other."""
