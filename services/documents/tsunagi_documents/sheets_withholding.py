"""Keeps hidden persons and withheld fields out of a sheet's values: also where the same words stand in another field.

What they look like in free text is known to `tsunagi_shared.forms.withheld_text`.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import msgspec

from tsunagi_documents.engine import Context
from tsunagi_shared.contracts.audience import View
from tsunagi_shared.forms.protection import ProtectionField
from tsunagi_shared.forms.withheld_text import Patterns, without

ADDRESS, PHONE = ProtectionField.ADDRESS.value, ProtectionField.PHONE.value


class Cut(msgspec.Struct, frozen=True):
    """What a projection leaves out: the view, the persons hidden, `<person>:<field>` withheld by protection, and whatever is
    not for the `recipient` where the view is of one agency's own."""

    view: View
    hidden: frozenset[str] = frozenset()
    withheld: frozenset[str] = frozenset()
    recipient: str = ""

    @property
    def summary(self) -> bool:
        """Whether only the summary may be shown."""
        return self.view is View.SUMMARY

    def withholds(self, field: str, persons: Collection[str], known: Collection[str]) -> bool:
        """Whether that field of one of the persons is withheld. One who is not among the `known` may be any of them."""
        return any(
            name == field and (person in persons or person not in known)
            for person, _, name in (entry.rpartition(":") for entry in self.withheld)
        )

    def hides(self, person: str, known: Collection[str]) -> bool:
        """Whether the person is hidden. While somebody hidden is not among the `known`, everybody is."""
        return person in self.hidden or any(one not in known for one in self.hidden)


def scrub(context: Context, patterns: Patterns, *, but: Collection[str] = ()) -> None:
    """Replace whatever the patterns find in the values by 「（非開示）」; the names in `but` stay as they are."""
    if patterns:
        context.update({name: _scrubbed(value, patterns) for name, value in context.items() if name not in but})


def _scrubbed(value: Any, patterns: Patterns) -> Any:
    if isinstance(value, str):
        return without(value, patterns)
    if isinstance(value, list):
        return [_scrubbed(part, patterns) for part in value]
    if isinstance(value, dict):
        return {name: _scrubbed(part, patterns) for name, part in value.items()}
    return value
