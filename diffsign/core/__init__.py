"""What the stages share: records, cameras, bodies, settings, and how files are written."""
