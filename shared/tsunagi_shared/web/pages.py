"""Draws the pages of a service: its own templates over the shared ones, with the filters that Japanese pages need."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import jinja2
import msgspec

from tsunagi_shared import clock
from tsunagi_shared.forms.fields import CodeList
from tsunagi_shared.forms.japanese import format_wareki

_HERE = Path(__file__).parent


class Link(msgspec.Struct, frozen=True):
    """A table cell that leads somewhere."""

    label: str
    url: str


class Pages:
    """The templates of one service, read once and kept. Autoescaped; a name a template lacks is an error, not a gap."""

    def __init__(
        self,
        service_templates: Path,
        *,
        title: str,
        navigation: Sequence[tuple[str, str]] = (),
        municipality: str = "",
        agency_names: Mapping[str, str] | None = None,
    ) -> None:
        """`title` names the service; `navigation` holds (label, address) of the services that share the sign-in."""
        self.style = (_HERE / "style.css").read_bytes()
        self.icon = (_HERE / "icon.svg").read_bytes()
        self._environment = jinja2.Environment(
            loader=jinja2.FileSystemLoader([service_templates, _HERE / "html"]),
            autoescape=True,
            undefined=jinja2.StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            auto_reload=False,
        )
        self._environment.filters.update(wareki=wareki, jst=jst, jst_time=jst_time, label=label, grouped=grouped)
        self._environment.policies["json.dumps_kwargs"] = {"ensure_ascii": False, "sort_keys": False}
        self._environment.tests["link"] = lambda value: isinstance(value, Link)
        self._environment.globals.update(
            service_title=title,
            navigation=tuple(navigation),
            municipality=municipality,
            agency_names=dict(agency_names or {}),
        )

    def render(self, template: str, /, **context: Any) -> str:
        """The page as text. Every page takes `principal` (None: nobody signed in). jinja2 errors when a name lacks."""
        return self._environment.get_template(template).render({"principal": None, **context})


def wareki(day: dt.date | dt.datetime | None) -> str:
    """令和8年11月23日; a moment gives its Japanese day; None gives nothing."""
    if day is None:
        return ""
    return format_wareki(_in_japan(day).date() if isinstance(day, dt.datetime) else day)


def jst(moment: int | dt.datetime | None) -> str:
    """Stored microseconds or an aware datetime as 令和8年11月23日 10時32分; None gives nothing."""
    if moment is None:
        return ""
    local = _in_japan(clock.moment_of(moment) if isinstance(moment, int) else moment)
    return f"{format_wareki(local.date())} {local.hour}時{local.minute:02d}分"


def jst_time(moment: int | dt.datetime | None) -> str:
    """The same without the day: 10:32."""
    if moment is None:
        return ""
    return f"{_in_japan(clock.moment_of(moment) if isinstance(moment, int) else moment):%H:%M}"


def _in_japan(moment: dt.datetime) -> dt.datetime:
    if moment.tzinfo is None:
        raise ValueError("a moment without a time zone cannot be shown")
    return moment.astimezone(clock.JST)


def label(code: CodeList | None) -> str:
    """The words of a code; None gives nothing."""
    return "" if code is None else code.label


def grouped(number: int) -> str:
    """12,345."""
    return f"{number:,}"
