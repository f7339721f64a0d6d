"""fit_survey: plausible values, replicate weights, pooling."""
