"""Groups -> size table -> variance components: REML, ML, ANOVA, weighted; shrinkage."""
