"""What other packages warn about that isn't ours: ignored by exact text, so that every other warning is an error."""

from __future__ import annotations

import re
import warnings

FOREIGN = [
    "PySpark does not yet fully support pandas >= 3.0.0. Some features may not work correctly. It is recommended to "
    "use pandas < 3.0.0 for now.",
    "The inplace keyword in DataFrame.reset_index is deprecated and will be removed in a future version (PDEP-8).\n"
    "See https://pandas.pydata.org/docs/dev/whatsnew/v3.1.0.html#deprecation-inplace for more details.",
    "fetch_arrow_table() is deprecated, use to_arrow_table() instead.",
]


def ignore_foreign_warnings() -> None:
    """Within `warnings.catch_warnings`."""
    for text in FOREIGN:
        warnings.filterwarnings("ignore", message=rf"{re.escape(text)}\Z")
    # PySpark 4.0 and 4.1 leave it to the garbage collector to close what they had from their JVM, on this machine.
    here = r"\('127\.0\.0\.1', \d+\)"
    warnings.filterwarnings("ignore", rf"unclosed <socket.*, laddr={here}, raddr={here}>\Z", ResourceWarning)
