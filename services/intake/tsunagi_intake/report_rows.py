"""Figures that share a definition: one for each code, the zeros as well."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping

from tsunagi_shared import clock
from tsunagi_shared.contracts.profile import Profile
from tsunagi_shared.contracts.report import Figure
from tsunagi_shared.forms.referral import FINDING_CHANNELS, FindingRoute


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


def finding_routes(profile: Profile, fiscal_year: int) -> dict[str, str]:
    """把握の経路 as the municipality has them in the 年度, today if it is the running one: code → label."""
    first, last = dt.date(fiscal_year, 4, 1), dt.date(fiscal_year + 1, 3, 31)
    return dict(FindingRoute.choices()) | profile.code_labels(FINDING_CHANNELS, min(max(clock.today(), first), last))
