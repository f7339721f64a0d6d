"""Options taken as given where nothing has to be converted: typer asks pydantic otherwise, a tenth of a start.

From typer 0.29 on every option, given or not, has a converter of pydantic's made for it: 75 ms for the import, 1 ms for
each. Texts and defaults need none, and other options still get theirs. Older typer has no such converters.
"""

from __future__ import annotations

from typing import Any

import typer.core

__all__ = ["Command", "Group"]


class _Converter:
    """In front of an option's own converter, which is made only for a value that isn't of its type yet."""

    def __init__(self, option: Any) -> None:
        self._option = option
        self._own = option.get_runtime_param

    def coerce(self, value: Any, **context: Any) -> Any:
        option = self._option
        several = option.multiple or option.nargs == -1
        if value is None:
            return () if several else None
        annotation = option.type_descriptor.annotation
        if several and annotation == list[str] and not isinstance(value, str):
            return list(value)
        if not several and (value is option.default or (annotation is str and isinstance(value, str))):
            return value
        return self._own().coerce(value, **context)


class _AsGiven:
    def get_params(self, context: Any) -> list[Any]:
        """Options of the command, each with a converter that lets through what needs no conversion."""
        options: list[Any] = super().get_params(context)  # type: ignore[misc]  # of the classes beside it
        for option in options:
            if hasattr(option, "get_runtime_param") and "get_runtime_param" not in vars(option):
                converter = _Converter(option)
                option.get_runtime_param = lambda converter=converter: converter
        return options


class Command(_AsGiven, typer.core.TyperCommand):
    """A command whose texts are taken as given."""


class Group(_AsGiven, typer.core.TyperGroup):
    """The command above others whose texts are taken as given."""
