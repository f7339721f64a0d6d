"""Everything public has a docstring with its parameters. (That the site has a place for each: test_site.py.)"""

from __future__ import annotations

import inspect

from public_names import public


def test_everything_public_has_a_docstring_with_its_parameters() -> None:
    seen = 0
    for name, thing in public():
        text = inspect.getdoc(thing)
        assert text, name
        seen += 1
        if not inspect.isfunction(thing):
            continue
        taken = [p for p in inspect.signature(thing).parameters.values() if p.name not in ("self", "cls")]
        if taken and "See `" not in text and "; see" not in text:
            assert "Parameters\n----------" in text, name
            for parameter in taken:
                assert parameter.name in text, f"{name}: {parameter.name}"
    assert seen > 100
