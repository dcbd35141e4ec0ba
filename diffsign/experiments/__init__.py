"""The paper's experiments side by side."""
