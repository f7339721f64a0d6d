"""Rows and codes -> records of groups, by runs, about one shift or each group's own, with weights."""
