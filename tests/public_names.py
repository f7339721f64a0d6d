"""All that is public."""

from __future__ import annotations

import inspect
import types
from collections.abc import Iterator

import fastml
from fastml import designs, errors, plots
from fastml.inference import intervals

MODULES = (fastml, designs, errors, intervals, plots)


def public() -> Iterator[tuple[str, object]]:
    """Every public function and class, with the public methods and properties of its own or from its bases."""
    for module in MODULES:
        for name in module.__all__:
            thing = getattr(module, name)
            if not callable(thing) or isinstance(thing, types.ModuleType):
                continue
            yield f"{module.__name__}.{name}", thing
            if isinstance(thing, type) and thing.__module__.startswith("fastml"):
                for member, value in inspect.getmembers_static(thing):
                    if not member.startswith("_") and (inspect.isfunction(value) or isinstance(value, property)):
                        yield f"{module.__name__}.{name}.{member}", value
