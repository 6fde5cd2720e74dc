"""What a profile may say, and a person would yet want to look at: an office nobody can reach, a contract that ends with
nobody after it, a figure nobody counts. The profile can be used as it stands; messages are for administrators."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TypeVar

import msgspec

from tsunagi_shared.contracts.profile import CONTACTS_FILE, PROFILE_FILE, Contacts, Profile
from tsunagi_shared.contracts.profile_codes import AgencyKind, HolidayMove, LegalRole, Operation, Role
from tsunagi_shared.contracts.profile_tables import Agency, Body, Dated
from tsunagi_shared.contracts.schedule import Schedule, read_schedule
from tsunagi_shared.contracts.toml_lines import Place
from tsunagi_shared.forms.japanese import format_wareki

RUNS_SITTINGS = (Role.COORDINATOR, Role.CHAIR, Role.RESPONSIBLE_SECTION)
# What these bodies find missing in the community must go somewhere; bodies under other laws have ways of their own
PROGRAMME = frozenset({LegalRole.LAYERED_SUPPORT_MEETING, LegalRole.SUPPORT_MEETING, LegalRole.TEAM_MEETING})
SOON_DAYS = 183  # an end so near is told before it comes: the successor must be found and given accounts
LOOK_AHEAD_YEARS = 3

# National holidays on fixed days and fixed Mondays (国民の祝日に関する法律 2条), and 年末年始. Enough to say that a schedule
# meets holidays at all; the service that draws up the calendar knows the moved and the astronomical ones as well.
_FIXED = frozenset(
    {(2, 11), (2, 23), (4, 29), (5, 3), (5, 4), (5, 5), (8, 11), (11, 3), (11, 23)}
    | {(12, 29), (12, 30), (12, 31), (1, 1), (1, 2), (1, 3)}
)
_MONDAYS = frozenset({(1, 2), (7, 3), (9, 3), (10, 2)})  # (month, nth Monday)


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """One thing to look at, at its place in one of the files."""

    file: str
    place: Place
    message: str


D = TypeVar("D", bound=Dated)
Found = Iterator[tuple[Place, str]]


def warnings_of(profile: Profile, contacts: Contacts, today: dt.date) -> tuple[Finding, ...]:
    """Everything worth a look in a profile without mistakes, as it stands on that Japanese date."""
    looks: tuple[Callable[[Profile, dt.date], Found], ...] = (
        _periods, _agencies, _contracts, _bodies, _schedules, _titles, _targets, _retention, _law, _names,
    )  # fmt: skip
    found = [
        Finding(file=PROFILE_FILE, place=place, message=message)
        for look in looks
        for place, message in look(profile, today)
    ]
    return (*found, *_contacts(profile, contacts, today))


# periods ---------------------------------------------------------------------------------------------------------------


def _periods(profile: Profile, today: dt.date) -> Found:
    """What has run out, and nothing of its sort holds in its place."""
    if profile.plan is not None and profile.plan.until is not None and profile.plan.until < today:
        yield ("plan", "until"), f"実施計画の期間は{format_wareki(profile.plan.until)}で終わっています。"
    for list_id in dict.fromkeys(row.id for row in profile.agency_lists):
        rows = [(n, row) for n, row in enumerate(profile.agency_lists) if row.id == list_id]
        if not any(row.covers(today) for _, row in rows):
            yield ("agency_lists", rows[-1][0]), f"「{rows[-1][1].name}」は、いま効力のある版がありません。"
    years = {row.fiscal_year for row in profile.year_plan}
    this_year = today.year if today.month >= 4 else today.year - 1
    if years and this_year not in years:
        yield ("year_plan",), f"令和{this_year - 2018}年度の年度計画（year_plan）がありません。"


# agencies --------------------------------------------------------------------------------------------------------------


def _agencies(profile: Profile, today: dt.date) -> Found:
    """Work that is done for the municipality under no 号 of the law."""
    carries_out = {project.agency for project in profile.projects if project.law_item}
    for n, agency in enumerate(profile.agencies):
        own_office = agency.kind is AgencyKind.CITY_SECTION
        if agency.operation and not agency.law_items and not own_office and agency.id not in carries_out:
            yield (
                ("agencies", n),
                f"「{agency.name}」は市町村の仕事をする機関ですが、どの号の事業か（law_items）がありません。"
                "号ごとの実績に出ません。",
            )


def _contracts(profile: Profile, today: dt.date) -> Found:
    """Agencies that nobody runs, or will soon run, under a contract."""
    for n, agency in enumerate(profile.agencies):
        if Operation.DIRECT in agency.operation or not agency.operated_by:
            continue
        rows = sorted(enumerate(agency.operated_by), key=lambda entry: entry[1].starts)
        for position, (row_number, row) in enumerate(rows):
            after = rows[position + 1][1] if position + 1 < len(rows) else None
            if row.until is None or (after is not None and after.starts == row.until + dt.timedelta(1)):
                continue
            message = _gap(agency, row.until, None if after is None else after.starts, today)
            if message:
                yield ("agencies", n, "operated_by", row_number, "until"), message
        if rows[0][1].starts > today:
            yield (
                ("agencies", n, "operated_by", rows[0][0], "from"),
                f"「{agency.name}」の契約は{format_wareki(rows[0][1].starts)}からです。それまでは、この機関の職員は使えません。",
            )


def _gap(agency: Agency, until: dt.date, following: dt.date | None, today: dt.date) -> str:
    """What to say of an end after which nobody follows at once; empty where it is long over, or far ahead."""
    if following is not None:
        if following <= today:
            return ""
        return (
            f"「{agency.name}」は、{format_wareki(until)}の契約の終わりから{format_wareki(following)}の次の契約まで、"
            "運営する者がいません。その間、この機関の職員は使えません。"
        )
    if until < today:
        return f"「{agency.name}」の契約は{format_wareki(until)}に終わり、次がありません。この機関の職員は使えません。"
    if until <= today + dt.timedelta(SOON_DAYS):
        return f"「{agency.name}」の契約は{format_wareki(until)}に終わります。次の受託者がまだありません。"
    return ""


# bodies ----------------------------------------------------------------------------------------------------------------


def _bodies(profile: Profile, today: dt.date) -> Found:
    for n, body in enumerate(profile.bodies):
        place: Place = ("bodies", n)
        name = body.name_on(today)
        if not _can_convene(profile, body, today):
            yield (
                (*place, "convener"),
                f"「{name}」を招集できる人がいません。設置者と運営者に、{_labels(RUNS_SITTINGS)}の職がないか、"
                "契約の期間にありません。",
            )
        if body.hears_cases and not body.participants and not body.participants_note:
            yield (place, f"「{name}」はケースを扱いますが、構成機関（participants）がありません。")
        if body.roles_on(today) & PROGRAMME and not body.hands_over_to:
            yield (place, f"「{name}」には、地域課題の引継ぎ先（hands_over_to）がありません。")
        if not body.roles_on(today):
            yield ((*place, "legal_roles"), f"「{name}」には、いま法的役割がありません。")
        if not any(row.covers(today) for row in body.names):
            yield ((*place, "names"), f"「{name}」には、いまの名称がありません（最も近い時期の名称を使います）。")
    for role in (LegalRole.SUPPORT_MEETING, LegalRole.LAYERED_SUPPORT_MEETING):
        if not profile.bodies_with(role, today):
            yield (("bodies",), f"いま{role.label}の役割を持つ会議体がありません。")


def _can_convene(profile: Profile, body: Body, today: dt.date) -> bool:
    """Whether somebody of the body's office can have a post that runs sittings, and acts for it that day."""
    offices = {body.convener, body.organizer}
    if LegalRole.SUPPORT_MEETING in body.roles_on(today):
        offices.add(profile.roles.support_meeting_secretariat)
    return any(
        profile.contract_live(agency, today)
        and any(
            not title.agencies or agency in title.agencies
            for title in profile.titles
            if not set(title.roles).isdisjoint(RUNS_SITTINGS)
        )
        for agency in offices
    )


def _labels(roles: Iterable[Role]) -> str:
    return "・".join(role.label for role in roles)


def _schedules(profile: Profile, today: dt.date) -> Found:
    for n, body in enumerate(profile.bodies):
        schedule = read_schedule(body.schedule)
        if schedule is None or body.holiday_move is not HolidayMove.NONE:
            continue
        day = first_in_the_way(schedule, today)
        if day is not None:
            yield (
                ("bodies", n, "schedule"),
                f"「{body.name_on(day)}」の定例（{body.schedule}）は、休みの日に当たっても動かしません"
                f"（例：{format_wareki(day)}）。動かすときは、holiday_move に earlier、later、skip のどれかを書いてください。",
            )


def first_in_the_way(schedule: Schedule, today: dt.date) -> dt.date | None:
    """The first day by the schedule on which offices are shut for a holiday that is known without a table of years, or, where
    it goes by the day of the month, for a weekend; None: none within the next years."""
    until = today.replace(year=today.year + LOOK_AHEAD_YEARS, day=1)
    for day in schedule.days(today, until):
        is_monday_off = day.weekday() == 0 and (day.month, (day.day + 6) // 7) in _MONDAYS
        is_weekend = schedule.day > 0 and day.weekday() >= 5
        if (day.month, day.day) in _FIXED or is_monday_off or is_weekend:
            return day
    return None


# people, figures, papers -----------------------------------------------------------------------------------------------


def _titles(profile: Profile, today: dt.date) -> Found:
    placed = {post.title for post in profile.posts}
    unplaced = [
        (n, title.name)
        for n, title in enumerate(profile.titles)
        if placed and placed.isdisjoint((title.name, *title.other_names))
    ]
    if unplaced:
        names = "、".join(dict.fromkeys(name for _, name in unplaced))
        yield ("titles", unplaced[0][0]), f"配置（posts）のない職があります：{names}（最初の行はここです）。"
    given = {role for title in profile.titles for role in title.roles}
    for role in (Role.RESPONSIBLE_SECTION, Role.ADMINISTRATOR, Role.AUDITOR):
        if role not in given:
            yield ("titles",), f"「{role.label}」の役割を持つ職がありません。"
    for n, role in enumerate(profile.roles.escalation):
        if role not in given:
            yield ("roles", "escalation", n), f"相談を引き継ぐ順にある「{role.label}」の役割を持つ職がありません。"


def _targets(profile: Profile, today: dt.date) -> Found:
    for n, target in enumerate(profile.targets):
        if target.plans is None and target.counts is None:
            yield (
                ("targets", n),
                f"目標「{target.name}」は、何を数えるか（plans か counts）がありません。報告には「集計対象外」と出ます。",
            )
        elif target.until is not None and target.until < today:
            yield (
                ("targets", n, "until"),
                f"目標「{target.name}」の期間は{format_wareki(target.until)}で終わっています。",
            )


def _retention(profile: Profile, today: dt.date) -> Found:
    used = {profile.retention.default, *profile.retention.forms.values()}
    for n, row in enumerate(profile.retention.classes):
        if row.id not in used:
            yield ("retention", "classes", n), f"保存区分「{row.name}」を使う様式がありません。"


def _law(profile: Profile, today: dt.date) -> Found:
    for basis_id in dict.fromkeys(row.id for row in profile.legal_basis):
        rows = [(n, row) for n, row in enumerate(profile.legal_basis) if row.id == basis_id]
        if not any(row.covers(today) for _, row in rows):
            n, row = _nearest(rows, today)
            yield ("legal_basis", n), f"根拠「{row.law}{row.article}」は、いま効力のある条文がありません。"
    unverified = [n for n, row in enumerate(profile.legal_basis) if row.verified_on is None and row.covers(today)]
    if unverified:
        yield (
            ("legal_basis", unverified[0]),
            f"法令の原文と照らし合わせた日（verified_on）のない根拠が{len(unverified)}件あります（最初の行はここです）。",
        )


def _nearest(rows: Sequence[tuple[int, D]], today: dt.date) -> tuple[int, D]:
    before = [entry for entry in rows if entry[1].starts <= today]
    return max(before or rows[:1], key=lambda entry: entry[1].starts)


# names -----------------------------------------------------------------------------------------------------------------


def _names(profile: Profile, today: dt.date) -> Found:
    """Two things that people could not tell apart, and one contractor written in two ways (it is compared as it stands)."""
    yield from _twice("agencies", "name", ((n, row.name) for n, row in enumerate(profile.agencies)), "機関")
    short = ((n, row.short_name) for n, row in enumerate(profile.agencies))
    yield from _twice("agencies", "short_name", short, "機関の略称")
    bodies = ((n, row.name_on(today)) for n, row in enumerate(profile.bodies))
    yield from _twice("bodies", "names", bodies, "会議体")
    titles = ((n, f"{row.name}{sorted(row.agencies)}") for n, row in enumerate(profile.titles) if row.agencies)
    whole = ((n, row.name) for n, row in enumerate(profile.titles) if not row.agencies)
    yield from _twice("titles", "name", (*whole, *titles), "職")
    resources = ((n, row.name) for n, row in enumerate(profile.resources))
    yield from _twice("resources", "name", resources, "社会資源")
    yield from _twice("targets", "name", ((n, row.name) for n, row in enumerate(profile.targets)), "目標")
    seen: dict[str, str] = {}
    for n, agency in enumerate(profile.agencies):
        for position, row in enumerate(agency.operated_by):
            first = seen.setdefault(_bare(row.contractor), row.contractor)
            if first != row.contractor:
                yield (
                    ("agencies", n, "operated_by", position, "contractor"),
                    f"受託者「{row.contractor}」は、「{first}」と空白だけが違います。同じ受託者なら、同じ書き方にしてください。",
                )


def _twice(table: str, key: str, entries: Iterable[tuple[int, str]], what: str) -> Found:
    seen: set[str] = set()
    for n, name in entries:
        if not name:
            continue
        if _bare(name) in seen:
            yield (table, n, key), f"同じ名称の{what}がほかにもあり、画面で見分けられません。"
        seen.add(_bare(name))


def _bare(name: str) -> str:
    return "".join(name.split())


# contacts --------------------------------------------------------------------------------------------------------------


def _contacts(profile: Profile, contacts: Contacts, today: dt.date) -> Iterator[Finding]:
    for n, agency in enumerate(profile.agencies):
        contractor = profile.contractor_on(agency.id, today)
        if not contacts.of(agency.id, contractor).email:
            who = f"（{contractor}）" if contractor else ""
            yield Finding(
                file=PROFILE_FILE, place=("agencies", n),
                message=f"「{agency.name}」{who}には、メールの届け先（{CONTACTS_FILE}）がありません。お知らせは受信箱だけに届きます。",
            )  # fmt: skip
    for n, row in enumerate(contacts.contacts):
        if not row.email and not row.urgent_email:
            yield Finding(
                file=CONTACTS_FILE, place=("contacts", n),
                message="届け先が一つもありません。受信箱だけなら、この行は要りません。",
            )  # fmt: skip
