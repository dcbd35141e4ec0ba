"""The synthetic test signer: a seed becomes a person who signs a phrase, with every joint known."""
