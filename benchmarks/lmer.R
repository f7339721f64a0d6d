# One of the contestants of peers.py: fits in R, at the word "go" from stdin.
suppressMessages(library(lme4))
args <- commandArgs(TRUE)
rows <- file(args[1], "rb")
n <- as.integer(args[2])
d <- data.frame(g = factor(readBin(rows, "double", n)), y = readBin(rows, "double", n))
close(rows)
input <- file("stdin", "r")
cat("{\"ready\": true, \"version\": \"lme4 ", as.character(packageVersion("lme4")), ", R ", as.character(getRversion()), "\"}\n", sep = "")
flush(stdout())
while (length(line <- readLines(input, 1)) && line == "go") {
  begin <- proc.time()[["elapsed"]]
  m <- suppressMessages(suppressWarnings(lmer(y ~ 1 + (1 | g), d)))
  took <- proc.time()[["elapsed"]] - begin
  cat(sprintf("{\"seconds\": %.4f, \"answer\": [%.15g, %.15g, %.15g]}\n",
              took, fixef(m)[[1]], as.numeric(VarCorr(m)$g), sigma(m)^2))
  flush(stdout())
}
