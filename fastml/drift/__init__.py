"""New data beside old ones: what moved, and whether that is further than allowed."""
