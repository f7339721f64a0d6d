"""fastml."""
