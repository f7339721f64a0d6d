"""The labels of tiles that bring no new ones: each has its place, and its code is that place."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from fastml.labels import from_bits
from fastml.tilekeys import Labels, LocalLabels, Numbers

__all__ = ["Placed"]

Codes = npt.NDArray[np.int32]
Int64s = npt.NDArray[np.int64]

# Places for each label, and labels in a bucket: more of the one or fewer of the other are found sooner, and take more
# of the processor's caches for ever after.
_PLACES_PER_LABEL = 1.25
_LABELS_PER_BUCKET = 2.5


class Placed(LocalLabels):
    """64-bit labels, each at its place; at others, which no row has, stands the first label.

    Parameters
    ----------
    numbers : Numbers
        The labels, one at least; it stays as it is.
    """

    def __init__(self, numbers: Numbers) -> None:
        from fastml.kernels import placing

        super().__init__()
        self._dtype = numbers.dtype
        labels, known = numbers.table.bits(), numbers.known()
        n_buckets = 1 << max(1, int(len(labels) / _LABELS_PER_BUCKET).bit_length())
        self._pilots = np.empty(n_buckets, np.uint16)
        label_at = np.empty(int(_PLACES_PER_LABEL * len(labels)) + 1, np.int32)
        self._found = bool(placing.place(labels, self._pilots, label_at))
        self._labels = labels[np.maximum(label_at, 0)]
        self._known = np.where(label_at < 0, np.int32(-1), known[label_at])

    def __len__(self) -> int:
        return len(self._labels)

    def take(self, places: Int64s | None = None) -> Labels:
        """As in `LocalLabels`."""
        return (from_bits(self._labels.copy() if places is None else self._labels[places], self._dtype),)

    def codes_for(self, bits: Int64s, codes: Codes) -> bool:
        """Write the codes of labels (n,); return False where there is one that has no place.

        Parameters
        ----------
        bits : ndarray of int64, shape (n,)
        codes : ndarray of int32, shape (n,)
        """
        from fastml.kernels import placing

        return self._found and bool(placing.find_placed(bits, self._pilots, self._labels, codes))
