"""Figures that share a definition: one for each code, the zeros as well."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from tsunagi_shared.contracts.report import Figure


def rows(
    group: str, definition: str, names: Iterable[tuple[str, str]], counts: Mapping[str, int], *, unit: str = "件"
) -> tuple[Figure, ...]:
    """A figure for each (code, name), and for whatever else was counted; what was not counted is 0."""
    named = dict(names)
    return tuple(
        Figure(
            id=f"{group}.{code or 'none'}", name=named.get(code, code), definition=definition, value=counts.get(code, 0),
            unit=unit,
        )
        for code in dict.fromkeys((*named, *counts))
    )  # fmt: skip
