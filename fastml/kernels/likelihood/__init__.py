"""Profile-likelihood iterations over the distinct group sizes."""
