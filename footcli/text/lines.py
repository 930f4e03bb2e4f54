"""A sentence that a user will read, as data: a code and its values; TOML files hold the wording."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Union

Value = Union[str, int, float, "Line", tuple["str | Line", ...]]
DECIMALS = 3  # as in stored results, so that a line is the same before and after storing


class Line:
    """A code of `text/lines.toml` or `text/words.toml`, and the values of its slots. Immutable.

    Numbers are rounded to DECIMALS. A value may be a line itself, or several. The value `text`, if
    there is one, is the English text that an earlier version wrote.
    """

    __slots__ = ("code", "values")
    code: str
    values: Mapping[str, Value]

    def __init__(self, code: str, /, **values: Value) -> None:
        object.__setattr__(self, "code", code)
        kept = {key: _rounded(value) for key, value in sorted(values.items())}
        object.__setattr__(self, "values", MappingProxyType(kept))

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"a line is never changed: {name}")

    @property
    def family(self) -> str:
        """The code up to its first dot: wordings of one fault share it."""
        return self.code.split(".")[0]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Line) and self._key() == other._key()

    def __hash__(self) -> int:
        return hash(self._key())

    def __repr__(self) -> str:
        values = "".join(f", {key}={value!r}" for key, value in self.values.items())
        return f"Line({self.code!r}{values})"

    def __reduce__(self) -> tuple[Any, ...]:
        return _restored, (self.code, dict(self.values))

    def _key(self) -> tuple[str, tuple[tuple[str, Value], ...]]:
        return self.code, tuple(self.values.items())


def _restored(code: str, values: Mapping[str, Value]) -> Line:
    return Line(code, **values)


def _rounded(value: Value) -> Value:
    if isinstance(value, float):
        return round(float(value), DECIMALS) + 0.0  # no "-0.0"
    return value
