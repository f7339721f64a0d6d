"""The labels of tiles that bring hardly any new ones: each has its place, and its code is that place."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from fastml.keys.dictionaries import LocalLabels, Numbers
from fastml.keys.hash_tables import NumberTable
from fastml.keys.label_types import from_bits
from fastml.keys.row_codes import Labels

__all__ = ["Placed"]

Codes = npt.NDArray[np.int32]
Int64s = npt.NDArray[np.int64]

# Places for each label, and labels in a bucket: with more of the one or fewer of the other places are sought for less
# time, and take more of the processor's caches ever after.
_PLACES_PER_LABEL = 1.25
_LABELS_PER_BUCKET = 2.5


class Placed(LocalLabels):
    """64-bit labels, each at its place, and after all places those that came later.

    At a place that is free, which no row has for its code, stands the first label.

    Parameters
    ----------
    numbers : Numbers
        The labels, one at least; it stays as it is.
    """

    def __init__(self, numbers: Numbers) -> None:
        from fastml.kernels.keys import placing

        super().__init__()
        self._dtype = numbers.dtype
        labels, known = numbers.table.bits(), numbers.known()
        n_buckets = 1 << max(1, int(len(labels) / _LABELS_PER_BUCKET).bit_length())
        self._pilots = np.empty(n_buckets, np.uint16)
        label_at = np.empty(int(_PLACES_PER_LABEL * len(labels)) + 1, np.int32)
        self._found = bool(placing.place(labels, self._pilots, label_at))
        self._labels = labels[np.maximum(label_at, 0)]
        self._known = np.where(label_at < 0, np.int32(-1), known[label_at])
        self._later = NumberTable(hashed=True)

    def __len__(self) -> int:
        return len(self._labels) + len(self._later)

    def take(self, places: Int64s | None = None) -> Labels:
        """As in `LocalLabels`."""
        labels = np.concatenate([self._labels, self._later.bits()])
        return (from_bits(labels if places is None else labels[places], self._dtype),)

    def codes_for(self, bits: Int64s, codes: Codes, elsewhere: Codes) -> bool:
        """Write the codes of labels (n,); return False where too many have no place.

        Parameters
        ----------
        bits : ndarray of int64, shape (n,)
        codes : ndarray of int32, shape (n,)
        elsewhere : ndarray of int32, shape (m,)
            To work in: of so many labels without a place it looks for the codes.
        """
        from fastml.kernels.keys import placing

        if not self._found:
            return False
        count = placing.find_placed(bits, self._pilots, self._labels, codes, elsewhere)
        if count > 0:
            rows = elsewhere[:count]
            codes[rows] = self._later.codes_for(bits[rows]) + np.int32(len(self._labels))
        return bool(count >= 0)
