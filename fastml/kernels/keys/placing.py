"""Places of 64-bit keys that are known beforehand: a table without collisions, in which one look finds a key.

The high bits of a key's hash choose its bucket, and the bucket's pilot, 16 bits, where its keys lie: a pilot is sought,
for the fullest buckets first, that puts all keys of the bucket where none lies yet (Belazzougui, Botelho and
Dietzfelbinger 2009, "Hash, displace, and compress"). Pilots are few enough to stay in the first cache, and the keys,
unlike slots that must be mostly empty, in the second.
"""

from __future__ import annotations

import numpy as np

from fastml.kernels.jit import I4_OUT, I8_IN, U2_IN, U2_OUT, inlined, inner, kernel
from fastml.kernels.keys.hash_integers import BLOCK, GOLDEN, bit_shift

__all__ = ["find_placed", "place"]

_START = np.uint64(0xD1B54A32D192ED03)  # any number: a key with nothing but zeros below its bucket has one place only
_PILOTS = 1 << 15  # the odd numbers of 16 bits

# Buckets begin with other pilots, and go on by other steps: where their keys are alike, all would try the same places.
_OF_BUCKET, _OF_TRY = 40503, 25717
_KEYS_TRIED = 64  # for each key to place; a few are usual


@inner
def _spread(key):
    """Hash of a key, by which its bucket and its place are chosen: no two keys have the same."""
    return np.uint64(key) * GOLDEN + _START


@inner
def _place(spread, low_shift, pilot, n_places):
    """Place of a key: the 32 bits of its hash below those that choose the bucket, spread once more by the pilot."""
    low = (spread >> low_shift) & np.uint64(0xFFFFFFFF)
    return (((low * np.uint64(pilot)) & np.uint64(0xFFFFFFFF)) * n_places) >> np.uint64(32)


@inner
def _shifts(pilots):
    """By how much a hash is shifted to have the bucket's bits, and those below them, at its low end."""
    shift = bit_shift(pilots.shape[0])
    return shift, shift - np.uint64(32)


@inner
def _sort_into_buckets(keys, shift, firsts, ends, spreads, members):
    """Write the hashes and numbers of the keys, bucket by bucket, and where each bucket begins and ends."""
    firsts[:] = 0
    for i in range(keys.shape[0]):
        firsts[np.int64(_spread(keys[i]) >> shift) + 1] += 1
    for bucket in range(ends.shape[0]):
        firsts[bucket + 1] += firsts[bucket]
        ends[bucket] = firsts[bucket]
    for i in range(keys.shape[0]):
        spread = _spread(keys[i])
        at = ends[np.int64(spread >> shift)]
        spreads[at] = spread
        members[at] = i
        ends[np.int64(spread >> shift)] += 1


@inner
def _fullest_first(firsts, next_place, order):
    """Write the buckets in the order of their sizes; `next_place` has room for those, and two more."""
    largest = next_place.shape[0] - 2
    next_place[:] = 0
    for bucket in range(order.shape[0]):
        next_place[largest - (firsts[bucket + 1] - firsts[bucket]) + 1] += 1
    for size in range(largest + 1):
        next_place[size + 1] += next_place[size]
    for bucket in range(order.shape[0]):
        size = largest - (firsts[bucket + 1] - firsts[bucket])
        order[next_place[size]] = bucket
        next_place[size] += 1


@inlined
def _lay(spreads, members, low_shift, pilot, key_at):
    """Lay a bucket's keys at their places; return how many before one lay at another's, and all are taken back then."""
    n_places = np.uint64(key_at.shape[0])
    for i in range(spreads.shape[0]):
        spot = _place(spreads[i], low_shift, pilot, n_places)
        if key_at[spot] >= 0:
            for k in range(i):
                key_at[_place(spreads[k], low_shift, pilot, n_places)] = -1
            return i
        key_at[spot] = members[i]
    return spreads.shape[0]


@kernel(I8_IN, U2_OUT, I4_OUT)
def place(keys, pilots, key_at):
    """Find a place for each key, all distinct; return whether there is one for all.

    `pilots` are a power of two, 2 at least. `key_at` takes the key that lies at each place, by its number, and -1 where
    none does; it is longer than `keys` by a tenth at least, or the last ones are sought for long.
    """
    n, n_buckets = keys.shape[0], pilots.shape[0]
    shift, low_shift = _shifts(pilots)
    firsts, ends, order = (
        np.empty(n_buckets + 1, np.int64),
        np.empty(n_buckets, np.int64),
        np.empty(n_buckets, np.int64),
    )
    spreads, members = np.empty(n, np.uint64), np.empty(n, np.int32)
    _sort_into_buckets(keys, shift, firsts, ends, spreads, members)
    _fullest_first(firsts, np.empty((ends - firsts[:-1]).max() + 2, np.int64), order)
    key_at[:] = -1
    pilots[:] = 0
    left = _KEYS_TRIED * n + _PILOTS
    for bucket in order:
        mine, numbers = spreads[firsts[bucket] : ends[bucket]], members[firsts[bucket] : ends[bucket]]
        for tried in range(_PILOTS):
            pilot = np.uint16((2 * (bucket * _OF_BUCKET + tried * _OF_TRY) + 1) & 0xFFFF)
            laid = _lay(mine, numbers, low_shift, pilot, key_at)
            left -= laid + 1
            if laid == mine.shape[0]:
                pilots[bucket] = pilot
                break
            if left < 0 or tried + 1 == _PILOTS:
                return False
    return True


@kernel(I8_IN, U2_IN, I8_IN, I4_OUT, I4_OUT)
def find_placed(keys, pilots, labels, places, elsewhere):
    """Find the place of each key among `labels`; return how many keys aren't there, or -1 for more than there is room.

    `elsewhere` takes the rows of those.
    """
    shift, low_shift = _shifts(pilots)
    n_places = np.uint64(labels.shape[0])
    count = 0
    for first in range(0, keys.shape[0], BLOCK):
        mine, into = keys[first : first + BLOCK], places[first : first + BLOCK]
        differ = np.int64(0)
        for k in range(np.uint64(mine.shape[0])):
            spread = _spread(mine[k])
            spot = _place(spread, low_shift, pilots[spread >> shift], n_places)
            into[k] = np.int32(spot)
            differ |= labels[spot] ^ mine[k]
        if differ != 0:
            for k in range(mine.shape[0]):
                if labels[np.uint32(into[k])] != mine[k]:
                    if count == elsewhere.shape[0]:
                        return -1
                    elsewhere[count] = first + k
                    count += 1
    return count
