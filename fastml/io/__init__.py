"""Anything tabular -> a stream of Arrow record batches of the needed columns; files written whole or not at all."""
