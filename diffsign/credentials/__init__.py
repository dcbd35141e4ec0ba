"""Where a film comes from, carried in the film: content credentials (C2PA), container metadata, a visible label."""
