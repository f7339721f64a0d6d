"""GroupStats: a value that adds, is stored, and comes from published tables."""
