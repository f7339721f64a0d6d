"""What Python's arguments and the parser's types are called, in the words of the command line."""

from __future__ import annotations

import ast
import re
import shlex

__all__ = ["in_own_words", "without_types"]

# Arguments whose options have another name than the argument with dashes.
_OPTIONS = {"outcome": "-y", "group": "-g", "parm": "--parm",
            "school_data": "--school-file", "tags": "--tag"}  # fmt: skip
_ARGUMENTS = (
    "outcome group_weights cluster_size group by method weights_are weight_scaling weights vcov bias filter "
    "threads level missing design average se school_data min_group_size tags icc_width icc sd sizes "
    "size_cv estimator arms power difference margin students schools outcomes order seed files gamma00 tau00 sigma2 "
    "delimiter encoding decimal df max_schools_lost max_schools_new max_n_change max_missing max_mean_shift "
    "max_mean_shift_sd max_sd_change max_icc_shift "
    "parameter over link adjust independent dialect columns "
).split()

_QUOTED = r"""'[^']*'|"[^"]*\""""
# Names that are words of the language are taken for arguments with a sign of equality only; none is in a path.
_BARE = "|".join(name for name in _ARGUMENTS if "_" in name)
_PATTERN = re.compile(
    rf"\b(?P<name>{'|'.join(_ARGUMENTS)})=(?P<value>{_QUOTED}|\[[^\]]*\]|\(\)|[\w.+-]*)"
    rf"|(?P<bare>(?<![\w./\\-])(?:{_BARE})\b)(?![=/\\-]|\.\w)"
    rf"|(?<!\w)(?:{_QUOTED})(?!\w)"
)

# Options of reading files are a mapping in Python.
_MAPPING = re.compile(r"csv_options=(\{[^{}]*(?:\{[^{}]*\}[^{}]*)?\})|csv_options: (?:(?P<option>\w+)=)?")

# What the command line has no word for.
_OF_PYTHON = ("; or give a fastml.designs.Design of your own", " of fit_by")

# What typer, and the library it stands on, say of a value that isn't of an option's type.
_REASONS = (
    (r"Value error, (.*)", r"\1"),
    (r"Input should be a valid number.*", "it takes a number"),
    (r"Input should be a valid integer.*", "it takes a whole number"),
    (r"'.*' is not a valid float.*", "it takes a number"),
    (r"'.*' is not a valid integer.*", "it takes a whole number"),
    (r"Input should be greater than or equal to (\S+)", r"it takes \1 or more"),
    (r"Input should be (.*)", r"it takes \1"),
)


def in_own_words(message: str) -> str:
    """Return a message with options in the place of Python's arguments, and without the parser's types.

    Parameters
    ----------
    message : str

    Returns
    -------
    str

    Examples
    --------
    >>> in_own_words("vcov='zz' is not one of 'cr2', 'joint', 'block'")
    "--vcov zz is not one of 'cr2', 'joint', 'block'"
    >>> in_own_words("give csv_options={'thousands': ','}, or csv_options={'types': {'id': 'string'}}")
    'give --thousands ,, or --types id=string'
    >>> in_own_words("Invalid value for '--level': Input should be a valid number, unable to parse string as a number")
    '--level: it takes a number'
    """
    # Some versions of the parser tell of an environment variable of no name.
    invalid = re.fullmatch(r"Invalid value for (.*?)(?: \(env var: 'None'\))?: (.*)", message, re.DOTALL)
    if invalid:
        option, reason = invalid[1].replace("'", ""), invalid[2]
        for pattern, words in _REASONS:
            reason = re.sub(pattern, words, reason, flags=re.DOTALL)
        return f"{option}: {reason}"
    message = _MAPPING.sub(_options_of_mapping, message)
    for words in _OF_PYTHON:
        message = message.replace(words, "")
    return _PATTERN.sub(_option, message)


def without_types(help: str) -> str:
    """Return a command's help with words in the place of Python's types, in columns as before.

    Examples
    --------
    >>> without_types("--missing <list[float]>  Code")
    '--missing NUMBER         Code'
    """
    words = {"str": "TEXT", "int": "N", "float": "NUMBER", "path": "FILE"}

    def word(found: re.Match[str]) -> str:
        named = help[: found.start()].endswith(("FILE ", "TABLE "))  # the argument has its name before its type
        return ("" if named else words[found[1]]).ljust(len(found[0]))

    return re.sub(r"<(?:list\[)?(str|int|float|path)(?: range)?\]?>", word, help)


def _option(found: re.Match[str]) -> str:
    name = found["name"] or found["bare"]
    if name is None:  # what stands in quotes is not ours
        return found[0]
    option = _OPTIONS.get(name, _dashed(name))
    value = found["value"] or ""
    if value == "True":
        return option
    if value == "None":
        return f"{option} left out"
    if (name, value) == ("independent", "False"):
        return "--one-sample"
    if value == "()":
        return f"{option} ''"
    if name == "missing" and value.startswith("["):
        return " ".join(f"{option} {code.strip()}" for code in value.strip("[]").split(","))
    if re.fullmatch(r"(['\"])[\w.-]+\1", value):
        value = value[1:-1]
    return f"{option} {value}".strip()


def _options_of_mapping(found: re.Match[str]) -> str:
    """The options that a mapping stands for, or that one of its values is named by."""
    if not found[1]:
        return f"{_dashed(found['option'])}: " if found["option"] else ""
    try:
        given = ast.literal_eval(found[1])
    except (ValueError, SyntaxError):
        return found[0]
    words = []
    for name, value in given.items():
        several = [f"{key}={kind}" for key, kind in value.items()] if isinstance(value, dict) else value
        for one in several if isinstance(several, list) else [several]:
            words += [_dashed(name), one if one in (",", ".", ";") else shlex.quote(str(one))]
    return " ".join(words)


def _dashed(name: str) -> str:
    return "--" + name.replace("_", "-")
