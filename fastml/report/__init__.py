"""Figures -> text, HTML, LaTeX, Markdown, JSON and CSV. Knows no statistics."""
