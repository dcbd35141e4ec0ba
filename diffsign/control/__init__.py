"""Control pictures for the diffusion model: skeleton, edges, depth."""
