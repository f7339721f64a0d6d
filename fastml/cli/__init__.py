"""The command line: parses, calls the functions of `fastml`, prints."""
