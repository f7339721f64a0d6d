"""A command whose options are given once: the last of two would win, and the first be lost without a word."""

from __future__ import annotations

from typing import Any

import typer
from typer.core import TyperCommand

__all__ = ["OnceCommand"]


class OnceCommand(TyperCommand):
    """A command that refuses an option that is given twice, but for those that take several values so."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse the words of the call."""
        _, _, order = self.make_parser(ctx).parse_args(args=list(args))
        seen = set()
        for option in order:
            if option in seen and option.param_type_name == "option" and not option.multiple:
                raise typer.BadParameter.__base__(f"{max(option.opts, key=len)} is given twice; give it once")  # type: ignore[misc]
            seen.add(option)
        return super().parse_args(ctx, args)
