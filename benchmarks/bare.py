"""What any program of this kind pays to start: one compiled function from numba's cache, scipy.special, typer, a file.

python bare.py FILE COLUMN
"""

import sys

import numba
import numpy as np
import pyarrow.parquet as pq
import scipy.special
import typer  # noqa: F401  # loaded, as the command does; a command with options takes more


@numba.njit("float64(float64[::1])", cache=True, nogil=True)
def total(values):
    found = 0.0
    for i in range(values.shape[0]):
        found += values[i]
    return found


def run(file: str, column: str) -> None:
    values = pq.ParquetFile(file).read([column]).column(0).chunk(0)
    mean = total(np.frombuffer(values.buffers()[1], np.float64)[: len(values)]) / len(values)
    print(mean, scipy.special.stdtr(5.0, 0.5))


if __name__ == "__main__":
    run(*sys.argv[1:])
