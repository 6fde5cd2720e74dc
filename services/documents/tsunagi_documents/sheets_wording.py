"""How values are written on paper: boxes for choices, Japanese dates, texts cut short, and the words every sheet uses."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Mapping
from typing import Any
from zoneinfo import ZoneInfo

import regex  # type: ignore[import-untyped]

from tsunagi_documents.engine import Context
from tsunagi_shared.forms.fields import CodeList
from tsunagi_shared.forms.japanese import age_on, format_wareki
from tsunagi_shared.forms.referral import FINDING_CHANNELS, FindingRoute
from tsunagi_shared.forms.withheld_text import WITHHELD as WITHHELD

NONE_WRITTEN = "記載なし"
HANDLE_WITH_CARE = "取扱注意"
SUPPORT_MEETING_ONLY = "支援会議限り"
SUPPORT_MEETING_NOTICE = "支援会議限り：支援会議の構成員以外の人に見せたり、写しを渡したりしないでください。"
BRIEF_GRAPHEMES = 200
JAPAN = ZoneInfo("Asia/Tokyo")


def choices(code_list: type[CodeList], chosen: CodeList | Collection[CodeList] | None, *, per_line: int = 8) -> str:
    """Every choice of a code list with its box, `per_line` to a line."""
    ticked = {chosen} if chosen is None or isinstance(chosen, CodeList) else set(chosen)
    return boxes({member: member.label for member in code_list}, ticked, per_line=per_line)


def boxes(labels: Mapping[Any, str], ticked: Collection[Any], *, per_line: int = 8) -> str:
    """Every choice with its box, `per_line` to a line."""
    found = [f"{'☑' if code in ticked else '☐'} {label}" for code, label in labels.items()]
    lines = (found[start : start + per_line] for start in range(0, len(found), per_line))
    return "\n".join("\u3000".join(line) for line in lines)


def labels_here(
    code_list: type[CodeList], name: str, local_labels: Mapping[str, str], used: Collection[str] = ()
) -> dict[str, str]:
    """A code list as the municipality has it: `local_labels` names codes that it adds or renames as `<name>.<code>`. A code of
    `used` that nobody names stands as it is."""
    here = {key.removeprefix(f"{name}."): label for key, label in local_labels.items() if key.startswith(f"{name}.")}
    own = {member.value: here.get(member.value, member.label) for member in code_list}
    return own | {code: here.get(code, code) for code in (*here, *used) if code not in own}


def found_choices(chosen: str | None, local_labels: Mapping[str, str]) -> str:
    """把握の経路 with a box for each, the municipality's own among them."""
    labels = labels_here(FindingRoute, FINDING_CHANNELS, local_labels, (chosen,) if chosen else ())
    return boxes(labels, (chosen,), per_line=1)


def grid(cells: list[str], columns: int) -> list[list[str]]:
    """The cells row by row, the last row filled up with empty ones."""
    filled = cells + [""] * (-len(cells) % columns)
    return [filled[start : start + columns] for start in range(0, len(filled), columns)]


def flag(value: bool, yes: str, no: str) -> str:
    """Two boxes, one of them ticked."""
    return f"{'☑' if value else '☐'} {yes}\u3000{'☐' if value else '☑'} {no}"


def day(value: dt.date | None) -> str:
    """令和8年11月23日; None gives nothing."""
    return format_wareki(value) if value else ""


def moment(value: dt.datetime) -> str:
    """令和8年11月23日 10時32分 in Japan."""
    local = value.astimezone(JAPAN)
    return f"{format_wareki(local.date())} {local.hour}時{local.minute:02d}分"


def weekday(value: dt.date) -> str:
    """令和8年11月23日（月）."""
    return f"{format_wareki(value)}（{'月火水木金土日'[value.weekday()]}）"


def time_of_day(value: str) -> str:
    """13時30分 out of 13:30; nothing out of nothing."""
    hour, _, minute = value.partition(":")
    return f"{int(hour)}時{minute}分" if minute else value


def fiscal_year(value: dt.date) -> str:
    """令和8年度, the one that the day belongs to."""
    year = value.year if value.month >= 4 else value.year - 1
    return f"{format_wareki(dt.date(year, 4, 1)).partition('年')[0]}年度"


def day_of(value: dt.datetime) -> str:
    """The Japanese day of a moment."""
    return format_wareki(value.astimezone(JAPAN).date())


def birth(birth_date: dt.date | None, on: dt.date) -> str:
    """昭和30年4月1日（71歳）, the age as of that day."""
    return f"{format_wareki(birth_date)}（{age_on(birth_date, on)}歳）" if birth_date else ""


def local_rows(local: Mapping[str, str], labels: Mapping[str, str]) -> list[dict[str, str]]:
    """The municipality's own fields."""
    return [{"label": labels.get(name, name), "value": value} for name, value in local.items()]


def names_of(agencies: Collection[str], names: Mapping[str, str]) -> str:
    """The agencies by name, one that is not known by its id."""
    return "、".join(names.get(agency, agency) for agency in agencies)


def meeting_notice(support_meeting_only: bool) -> Context:
    """The sentence that a 支援会議限り sheet carries besides the engine's mark."""
    return {
        "support_meeting_only": support_meeting_only,
        "notice": SUPPORT_MEETING_NOTICE if support_meeting_only else "",
    }


def brief(text: str) -> str:
    """The beginning of a long text; a character is never cut from its variation selector."""
    graphemes = regex.findall(r"\X", text)
    if len(graphemes) <= BRIEF_GRAPHEMES:
        return text
    return (
        "".join(graphemes[:BRIEF_GRAPHEMES]).rstrip()
        + "…\n（以下は省略しています。詳しくは作成した機関にお問い合わせください。）"
    )
