"""Around Snakemake: projects, runs with a progress bar, shards, and what becomes of a clip that fails."""
