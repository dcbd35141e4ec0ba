"""The ``demo`` diffusion family: small, of the same classes as the real ones, trained by this project."""
