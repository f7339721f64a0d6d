"""A raw record in memory, [n, shift, sum of d, sum of d^2] (see `moments`), and what a row does to it.

The visit to a row's record is what rows in any order cost, so it is written in LLVM's terms. Records are named by their
place in the table, in doubles from its origin: another view of the table, even where it is seldom made, costs each row
two stores.
"""

from __future__ import annotations

import numpy as np
from numba.core import cgutils, types

from fastml.kernels.jit import inlined, inner, intrinsic, ir
from fastml.kernels.prefetch import LINE, prefetch
from fastml.kernels.sums.moments import N_FIELDS

__all__ = [
    "NEAR",
    "NUMBER",
    "ROWS_AHEAD",
    "VECTOR",
    "add_at",
    "add_value",
    "all_early_within",
    "all_ordered",
    "all_within",
    "chosen",
    "early_rows",
    "eight_within",
    "fetch_record",
    "four_times",
    "from_scalars",
    "has_next_eight",
    "increments",
    "load_some",
    "move_aside",
    "origin_of",
    "pause_of",
    "set_aside",
    "set_aside_flat",
    "start_of",
    "sum_of",
    "turned",
    "vector_at",
]

NEAR = 24_000  # doubles, 190 kB: about what the second-level cache has room for, beside rows on their way
ROWS_AHEAD = 16  # long enough for a record to come from the third-level cache
_MANY = 64.0  # rows of a group whose sums are worth setting aside
_ROWS_EACH = 4  # by then nearly all groups have been seen: in random order, all but exp(-4) of them
VECTOR = ir.VectorType(ir.DoubleType(), 4)
NUMBER = ir.IntType(32)


def start_of(context, builder, table, args):
    """Where a record begins, given (table, origin, place), places in doubles: what doesn't change is added first."""
    data = context.make_array(table)(context, builder, args[0]).data
    return builder.gep(builder.gep(data, [args[1]]), [args[2]])


def vector_at(builder, start, field):
    """Pointer to the four doubles from 4 times `field` on."""
    return builder.bitcast(builder.gep(start, [NUMBER(4 * field)]), VECTOR.as_pointer())


def chosen(builder, left, right, *places):
    """Vector of four elements of two vectors: 0 to 3 are those of the left one."""
    return builder.shuffle_vector(left, right, ir.Constant(ir.VectorType(NUMBER, 4), list(places)))


def turned(builder, columns):
    """Rows of the 4 x 4 matrix whose columns are these vectors."""
    a, b, c, d = columns
    even, odd = ([chosen(builder, *pair, k, 4 + k, 2 + k, 6 + k) for pair in ((a, b), (c, d))] for k in (0, 1))
    return [chosen(builder, *pair, k, k + 1, k + 4, k + 5) for k in (0, 2) for pair in (even, odd)]


def all_ordered(builder, left, right):
    """Whether no element of two vectors is NaN."""
    ordered = builder.bitcast(builder.fcmp_ordered("ord", left, right), ir.IntType(4))
    return builder.icmp_unsigned("==", ordered, ir.Constant(ir.IntType(4), 15))


def from_scalars(builder, scalars):
    """Vector of four doubles."""
    vector = ir.Constant(VECTOR, ir.Undefined)
    for k, scalar in enumerate(scalars):
        vector = builder.insert_element(vector, scalar, NUMBER(k))
    return vector


def four_times(builder, scalar):
    """Vector of a double, or of another number, four times."""
    nothing = ir.Constant(ir.VectorType(scalar.type, 4), ir.Undefined)
    return chosen(builder, builder.insert_element(nothing, scalar, NUMBER(0)), nothing, 0, 0, 0, 0)


def load_some(builder, pointer, present, others):
    """Vector of four doubles, of which those that aren't present aren't read, and are as in `others`."""
    number, flags = ir.IntType(32), ir.VectorType(ir.IntType(1), 4)
    shape = ir.FunctionType(VECTOR, [pointer.type, number, flags, VECTOR])
    load = cgutils.get_or_insert_function(builder.module, shape, "llvm.masked.load.v4f64.p0")
    return builder.call(load, [pointer, number(8), present, others])


def sum_of(builder, vector, flags):
    """Sum of a vector's four doubles."""
    a, b, c, d = (builder.extract_element(vector, NUMBER(k)) for k in range(4))
    pairs = [builder.fadd(*pair, flags=flags) for pair in ((a, c), (b, d))]
    return builder.fadd(*pairs, flags=flags)


def increments(builder, deviations):
    """Vector [1, 0, d, d^2] of a vector of four times d.

    One multiplication, [1, 0, 1, d] [1, 1, d, d], which is fused with the addition to the record; then one store of 32
    bytes. LLVM makes three loads and three stores of single fields.
    """
    left = chosen(builder, ir.Constant(VECTOR, [1.0, 0.0, 1.0, 1.0]), deviations, 0, 1, 2, 7)
    right = chosen(builder, ir.Constant(VECTOR, [1.0, 1.0, 1.0, 1.0]), deviations, 0, 1, 6, 7)
    return builder.fmul(left, right, flags=("contract",))


def add_at(builder, pointer, more):
    """Add a vector to the one at a pointer."""
    builder.store(builder.fadd(builder.load(pointer, align=8), more, flags=("contract",)), pointer, align=8)


def _plain_deviation(table, origin, place, value):
    return value - table.reshape(-1)[origin + place + np.uint64(1)]


@intrinsic(_plain_deviation)
def _deviation(typing_context, table, origin, place, value):
    """The value less the record's shift."""

    def generate(context, builder, signature, args):
        start = start_of(context, builder, table, args)
        return builder.fsub(args[3], builder.load(builder.gep(start, [NUMBER(1)])))

    return types.float64(table, types.uint64, types.uint64, types.float64), generate


def _plain_add_deviation(table, origin, place, deviation):
    flat, at = table.reshape(-1), int(origin + place)
    flat[at : at + N_FIELDS] += [1.0, 0.0, deviation, deviation * deviation]


@intrinsic(_plain_add_deviation)
def _add_deviation(typing_context, table, origin, place, deviation):
    """Add [1, 0, d, d^2] to a record."""

    def generate(context, builder, signature, args):
        pointer = vector_at(builder, start_of(context, builder, table, args), 0)
        add_at(builder, pointer, increments(builder, four_times(builder, args[3])))
        return context.get_dummy_value()

    return types.void(table, types.uint64, types.uint64, types.float64), generate


def _plain_begin_record(table, origin, place, value):
    table.reshape(-1)[int(origin + place) :][:2] = 1.0, value


@intrinsic(_plain_begin_record)
def _begin_record(typing_context, table, origin, place, value):
    """Make a record of nothing one of a value."""

    def generate(context, builder, signature, args):
        start = start_of(context, builder, table, args)
        builder.store(ir.Constant(ir.DoubleType(), 1.0), start)
        builder.store(args[3], builder.gep(start, [NUMBER(1)]))
        return context.get_dummy_value()

    return types.void(table, types.uint64, types.uint64, types.float64), generate


def _plain_fetch_record(table, origin, place):
    pass


@intrinsic(_plain_fetch_record)
def fetch_record(typing_context, table, origin, place):
    """Ask for a record, to be kept in the first-level cache."""

    def generate(context, builder, signature, args):
        return prefetch(context, builder, start_of(context, builder, table, args))

    return types.void(table, types.uint64, types.uint64), generate


@inner
def add_value(table, origin, place, value):
    """Add a value to a record, and return whether it is one: not NaN."""
    deviation = _deviation(table, origin, place, value)
    if deviation == deviation:
        _add_deviation(table, origin, place, deviation)
        return True
    if value != value:
        return False
    _begin_record(table, origin, place, value)  # it is new: its shift is NaN
    return True


@inner
def origin_of(low, width):
    """Place of the record of key 0, which may be before the table: places are unsigned, and wrap around."""
    return np.uint64(0) - low * np.uint64(width)


@inner
def all_within(keys, low, start, stop, most):
    """Whether all keys lie from `low` to `low` + `most`: neither difference then has its sign bit set."""
    signs = low ^ low
    for i in range(start, stop):
        above = keys[i] - low
        signs |= above | (most - above)
    return signs >= 0


def _plain_eight_within(keys, row, low, most):
    return all(0 <= int(key) - int(low) <= most for key in keys[int(row) : int(row) + LINE])


@intrinsic(_plain_eight_within)
def eight_within(typing_context, keys, row, low, most):
    """Whether eight keys lie from `low` to `low` + `most`: next to nothing, where a loop takes a fifth of the pass."""

    def generate(context, builder, signature, args):
        start = builder.gep(context.make_array(keys)(context, builder, args[0]).data, [args[1]])
        wide, vector = ir.VectorType(args[2].type, LINE), ir.VectorType(context.get_value_type(keys.dtype), LINE)

        def times(scalar):
            nothing = ir.Constant(wide, ir.Undefined)
            zeros = ir.Constant(ir.VectorType(NUMBER, LINE), [0] * LINE)
            return builder.shuffle_vector(builder.insert_element(nothing, scalar, NUMBER(0)), nothing, zeros)

        some = builder.load(builder.bitcast(start, vector.as_pointer()), align=8)
        some = some if vector == wide else builder.sext(some, wide)
        # Less the smallest integer, what is below the range lies above it, too.
        smallest = ir.Constant(args[2].type, -(2**63))
        above = builder.add(some, times(builder.sub(smallest, args[2])))
        beyond = builder.icmp_signed(">", above, times(builder.add(args[3], smallest)))
        return builder.icmp_unsigned("==", builder.bitcast(beyond, ir.IntType(LINE)), ir.IntType(LINE)(0))

    return types.boolean(keys, types.uint64, types.int64, types.int64), generate


@inlined
def has_next_eight(keys, low, most, start, table, width):
    """Ask for the records of eight rows soon to come; return whether the eight from `start` on have one.

    The record of a key is at key - low, and there is none above `most` of that, if `most` isn't negative.
    """
    if most >= 0 and not eight_within(keys, start, low, most):
        return False
    if table.size > NEAR:
        origin, n = origin_of(np.uint64(np.int64(low)), width), np.uint64(keys.shape[0])
        ahead = min(start + np.uint64(ROWS_AHEAD), n - np.uint64(LINE))
        for k in range(np.uint64(LINE)):
            fetch_record(table, origin, np.uint64(keys[ahead + k]) * np.uint64(width))
    return True


@inner
def pause_of(block, first_row):
    """Row, of these from `first_row` on, before which sums are set aside next, if at all: where `block` isn't 0."""
    if block == 0:
        return np.uint64(0xFFFFFFFFFFFFFFFF)
    return np.uint64(block if first_row == 0 else -first_row % block)


@inner
def move_aside(table, g, aside):
    """Add the sums of a group's record (K, ...), all but two fields, to those set aside, and begin them anew."""
    for field in range(np.uint64(2), np.uint64(aside.shape[1])):
        aside[g, field] += table[g, field]
        table[g, field] = 0.0


@inner
def set_aside(table, missing, aside):
    """Set the sums of large groups aside: those of many rows, missing ones (K,) among them."""
    for g in range(np.uint64(aside.shape[0])):
        if table[g, 0] + missing[g] >= _MANY:
            move_aside(table, g, aside)


@inner
def set_aside_flat(table, aside):
    """As `set_aside`, of records one after another (...K), by their first field alone."""
    for g in range(np.uint64(aside.shape[0])):
        start = g * np.uint64(aside.shape[1])
        if table[start] >= _MANY:
            for field in range(np.uint64(2), np.uint64(aside.shape[1])):
                aside[g, field] += table[start + field]
                table[start + field] = 0.0


@inner
def early_rows(keys, n_records):
    """Number of the first rows that hold most groups."""
    return np.uint64(min(_ROWS_EACH * n_records, keys.shape[0]))


@inner
def all_early_within(keys, low, n_records):
    """Whether the keys of the first rows have records."""
    return all_within(keys, low, np.uint64(0), early_rows(keys, n_records), n_records - 1)
