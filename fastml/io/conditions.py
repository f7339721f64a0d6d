"""Conditions on rows: a tree that knows its columns, and becomes Arrow's expression for columns of known types."""

from __future__ import annotations

import operator
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from fastml.io.comparisons import Typed, Value, compare, is_in

if TYPE_CHECKING:
    import pyarrow.compute as pc  # imported where it is used: it takes 20 ms

__all__ = ["AllOf", "AnyOf", "Column", "Comparison", "Condition", "IsIn", "IsNull", "Not", "Operand", "columns_of"]

Types = Mapping[str, pa.DataType]


@dataclass(frozen=True)
class Column:
    """A column, by its name."""

    name: str

    def typed(self, types: Types) -> Typed:
        """Return its expression and type."""
        import pyarrow.compute as pc

        return Typed(pc.field(self.name), types[self.name])


Operand = Column | Value


class Condition(ABC):
    """What is true, false or, like SQL's comparisons with null, neither for a row."""

    @abstractmethod
    def expression(self, types: Types) -> pc.Expression:
        """Return its expression for columns of these types.

        Parameters
        ----------
        types : mapping of str to pyarrow.DataType
            Of each of `columns_of`; plain ones (`plain_type`).

        Returns
        -------
        pyarrow.compute.Expression
        """


def columns_of(part: object) -> set[str]:
    """Names of the columns of a condition, or of a part of one.

    Parameters
    ----------
    part : Condition, Operand, or tuple of them

    Returns
    -------
    set of str
    """
    if isinstance(part, Column):
        return {part.name}
    inner = part if isinstance(part, tuple) else vars(part).values() if isinstance(part, Condition) else ()
    return {name for item in inner for name in columns_of(item)}


def _side(operand: Operand, types: Types) -> Typed | Value:
    return operand.typed(types) if isinstance(operand, Column) else operand


def _joined(terms: list[Any], join: Callable[[Any, Any], Any]) -> Any:
    """All terms as a balanced tree: of a chain, Arrow works one off inside the other."""
    while len(terms) > 1:
        terms = [join(terms[i], terms[i + 1]) if i + 1 < len(terms) else terms[i] for i in range(0, len(terms), 2)]
    return terms[0]


@dataclass(frozen=True)
class Comparison(Condition):
    """``left sign right``, with a sign of `fastml.io.comparisons.compare`."""

    left: Operand
    sign: str
    right: Operand

    def expression(self, types: Types) -> pc.Expression:
        """As in `Condition`."""
        return compare(_side(self.left, types), self.sign, _side(self.right, types))


@dataclass(frozen=True)
class IsIn(Condition):
    """``operand IN (values)``."""

    operand: Operand
    values: tuple[Operand, ...]

    def expression(self, types: Types) -> pc.Expression:
        """As in `Condition`."""
        value = _side(self.operand, types)
        plain = [item for item in self.values if not isinstance(item, Column)]
        if isinstance(value, Typed) and len(plain) == len(self.values):
            found = is_in(value, plain)
            if found is not None:
                return found
        return _joined([compare(value, "=", _side(item, types)) for item in self.values], operator.or_)


@dataclass(frozen=True)
class IsNull(Condition):
    """``operand IS NULL``; NaN is null."""

    operand: Operand

    def expression(self, types: Types) -> pc.Expression:
        """As in `Condition`."""
        import pyarrow.compute as pc

        if not isinstance(self.operand, Column):
            return pc.scalar(False)
        side = self.operand.typed(types)
        return side.expression.is_null(nan_is_null=pa.types.is_floating(side.dtype))


@dataclass(frozen=True)
class Not(Condition):
    """``NOT condition``."""

    condition: Condition

    def expression(self, types: Types) -> pc.Expression:
        """As in `Condition`."""
        return ~self.condition.expression(types)


@dataclass(frozen=True)
class AllOf(Condition):
    """``condition AND condition ...``."""

    conditions: tuple[Condition, ...]

    def expression(self, types: Types) -> pc.Expression:
        """As in `Condition`."""
        return _joined([condition.expression(types) for condition in self.conditions], operator.and_)


@dataclass(frozen=True)
class AnyOf(Condition):
    """``condition OR condition ...``."""

    conditions: tuple[Condition, ...]

    def expression(self, types: Types) -> pc.Expression:
        """As in `Condition`."""
        return _joined([condition.expression(types) for condition in self.conditions], operator.or_)
