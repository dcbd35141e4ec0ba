"""Synthetic signers: find the weights, encode who signs, generate every frame, join the chunks."""
