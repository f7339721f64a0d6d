# Means of shared/assessments compared by R's survey 4.1.1: svyby(covmat = TRUE) and svycontrast for two groups of one
# sample, svymean and svycontrast for two domains, per plausible value; Rubin's rules by hand.
# The CSV files hold the columns that tests/naive_contrasts.py reads (timss(), pisa()).
suppressMessages(library(survey))
options(digits = 17)
pool <- function(file, contrast, d, v) {
  m <- length(d); u <- mean(v); b <- (1 + 1 / m) * var(d)
  cat(sprintf('{"file": "%s", "contrast": "%s", "difference": %.17g, "se": %.17g, "sampling_variance": %.17g, "imputation_variance": %.17g},\n',
              file, contrast, mean(d), sqrt(u + b), u, b))
}
groups <- function(file, design, name, by, scores, first, second) {
  d <- c(); v <- c()
  for (y in scores) {
    s <- svyby(as.formula(paste0("~", y)), as.formula(paste0("~", by)), design, svymean, covmat = TRUE, na.rm = TRUE)
    w <- setNames(list(c(1, -1)), "d"); names(s[[1]])
    k <- setNames(list(setNames(c(1, -1), c(first, second))), "d")
    c1 <- svycontrast(s, k)
    d <- c(d, coef(c1)); v <- c(v, as.numeric(vcov(c1)))
  }
  pool(file, name, d, v)
}
domains <- function(file, design, one, other) {
  d <- c(); v <- c()
  for (i in seq_along(one)) {
    s <- svymean(as.formula(paste0("~", one[i], " + ", other[i])), design)
    c1 <- svycontrast(s, list(d = setNames(c(1, -1), c(one[i], other[i]))))
    d <- c(d, coef(c1)); v <- c(v, as.numeric(vcov(c1)))
  }
  pool(file, "domain", d, v)
}
x <- read.csv("timss.csv")
zones <- sort(unique(x$JKZONE))
reps <- do.call(cbind, lapply(zones, function(h) cbind(
  x$TOTWGT * ifelse(x$JKZONE == h, ifelse(x$JKREP == 1, 2, 0), 1),
  x$TOTWGT * ifelse(x$JKZONE == h, ifelse(x$JKREP == 0, 2, 0), 1))))
t <- svrepdesign(data = x, weights = ~TOTWGT, repweights = reps, type = "other", scale = 0.5,
                 rscales = rep(1, ncol(reps)), combined.weights = TRUE, mse = TRUE)
maths <- sprintf("BSMMAT%02d", 1:5)
groups("timss", subset(t, !is.na(ITSEX)), "sex", "ITSEX", maths, "1", "2")
groups("timss", subset(t, type != ""), "type", "type", maths, "high", "low")
domains("timss", t, maths, sprintf("BSSSCI%02d", 1:5))
x <- read.csv("pisa.csv")
p <- svrepdesign(data = x, weights = ~W_FSTUWT, repweights = as.matrix(x[, sprintf("W_FSTURWT%d", 1:80)]),
                 type = "Fay", rho = 0.5, combined.weights = TRUE, mse = TRUE)
maths <- sprintf("PV%dMATH", 1:10)
groups("pisa", p, "sex", "ST004D01T", maths, "1", "2")
groups("pisa", subset(p, type != ""), "type", "type", maths, "high", "low")
domains("pisa", p, maths, sprintf("PV%dSCIE", 1:10))
