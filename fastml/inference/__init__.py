"""Standard errors, degrees of freedom, intervals, tests and the bootstrap."""
