"""The figures of a 年度: ninety plans, every figure counted again from the rows; who sees them, as what, and what is issued."""

from __future__ import annotations

import contextlib
import csv
import datetime as dt
import io
import sqlite3
import tomllib
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import openpyxl
import pytest
from sqlalchemy import Connection

from deploy.local.servers import REPOSITORY
from tests.data.case_work import send
from tests.data.intake import Caller, Intake, running_intake
from tests.intake.year_of_plans import (
    ENDED,
    KINDS,
    NEW,
    PROVISIONAL,
    REPLANS,
    SUSPENDED,
    YearOfPlans,
    profile_with_targets,
)
from tsunagi_intake import outreach, report_counts, report_masking, reports
from tsunagi_intake.meeting_tables import agenda_items, community_issues, meetings
from tsunagi_intake.plan_tables import plans
from tsunagi_intake.report_counts import Year
from tsunagi_intake.republishing import republish_since
from tsunagi_intake.resource_tables import outreach_facts
from tsunagi_intake.tables import allocations, cases, consents, records, referrals
from tsunagi_shared import audit, clock
from tsunagi_shared.contracts.audience import BasisKind
from tsunagi_shared.contracts.events import REPORT_ISSUED, ReportIssued
from tsunagi_shared.contracts.profile import load_profile
from tsunagi_shared.contracts.report import Figure, FigureGroup, YearReport

SECTION, PROVIDER = "social-welfare", "welfare-desk"


def this_year() -> int:
    """The 年度 of the test."""
    return clock.fiscal_year(clock.today())


_loaded: list[bytes] = []  # the database with the year in it, once it was made


@pytest.fixture
async def year(tmp_path: Path, cheap_passwords: None) -> AsyncIterator[Intake]:
    """The service with the year in it."""
    folder, profile = tmp_path / "intake", profile_with_targets(tmp_path / "profile")
    if _loaded:
        folder.mkdir()
        (folder / "intake.db").write_bytes(_loaded[0])
    async with running_intake(folder, profile=profile) as found:
        if not _loaded:
            await YearOfPlans(found).load()
            with contextlib.closing(sqlite3.connect(folder / "intake.db")) as source:
                _loaded.append(source.serialize())
        yield found


class Rows:
    """What is in the tables, and the year's part of it; counted in Python alone."""

    def __init__(self, found: dict[str, list[dict[str, Any]]]) -> None:
        self.found = found
        self.first, self.last = f"{this_year()}-04-01", f"{this_year() + 1}-03-31"
        self.begin = clock.midnight_us(dt.date(this_year(), 4, 1))
        self.end = clock.midnight_us(dt.date(this_year() + 1, 4, 1))

    @classmethod
    async def of(cls, intake: Intake) -> Rows:
        tables = (plans, records, referrals, cases, consents, allocations, meetings, agenda_items, community_issues)
        return cls({table.name: await intake.rows(table) for table in tables})

    def day(self, value: str | None) -> bool:
        return value is not None and self.first <= value <= self.last

    def moment(self, value: int | None) -> bool:
        return value is not None and self.begin <= value < self.end

    def forms(self, kind: str) -> list[Any]:
        rows = self.found["records"]
        return [
            msgspec.json.decode(row["form"]) for row in rows if row["kind"] == kind and self.moment(row["submitted_at"])
        ]

    def in_effect(self) -> list[dict[str, Any]]:
        return [row for row in self.found["plans"] if self.day(row["effective_on"])]


def of_plans(rows: Rows) -> dict[str, int]:
    """The figures of plans."""
    found: dict[str, int] = {}
    for kind in KINDS:
        mine = [row for row in rows.found["plans"] if row["kind"] == kind]
        found |= {
            f"plans.{kind}.first": sum(rows.day(row["effective_on"]) and row["round"] == 1 for row in mine),
            f"plans.{kind}.replans": sum(rows.day(row["effective_on"]) and row["round"] > 1 for row in mine),
            f"plans.{kind}.provisional": sum(rows.day(row["confirmed_on"]) for row in mine),
            f"plans.{kind}.suspended": sum(rows.day(row["suspended_on"]) for row in mine),
        }
        for state in ("ended", "superseded", "dropped"):
            found[f"plans.{kind}.{state}"] = sum(rows.day(row["ended_on"]) and row["state"] == state for row in mine)
    return found


def of_sittings(rows: Rows, names: dict[str, list[str]]) -> dict[str, int]:
    """Sittings, items and who was there, by legal role and body."""
    held = {
        row["id"]: msgspec.json.decode(row["bodies"])
        for row in rows.found["meetings"]
        if row["state"] == "closed" and rows.day(row["held_on"])
    }
    items = [row for row in rows.found["agenda_items"] if row["meeting"] in held and row["state"] == "recorded"]
    minutes = {row["id"]: msgspec.json.decode(row["form"]) for row in rows.found["records"] if row["kind"] == "minutes"}
    there = {
        row["id"]: {one["agency"] for one in minutes[row["minutes"]]["presences"] if one["state"] == "present"}
        for row in items
    }
    found = {"sittings.all": len(held), "items.cases": sum(row["case"] is not None for row in items)}
    found["attending.all"] = len(set().union(*there.values()))
    for role in names["roles"]:
        mine = [row for row in items if row["legal_role"] == role]
        found[f"sittings.{role}"] = len({row["meeting"] for row in mine})
        found[f"items.{role}"] = len(mine)
        found[f"attending.{role}"] = len(set().union(*(there[row["id"]] for row in mine)))
    for body in names["bodies"]:
        found[f"sittings_by_body.{body}"] = sum(body in bodies for bodies in held.values())
    return found


def heads_of(rows: Rows) -> dict[int, int]:
    """By case, the one it was joined to, or itself."""
    return {row["seq"]: row["joined_into"] or row["seq"] for row in rows.found["cases"]}


def of_cases(rows: Rows) -> dict[str, int]:
    """Cases, consents, contacts; and where several agencies have a part."""
    heads = heads_of(rows)
    ended = Counter(
        row["state"] for row in rows.found["cases"] if rows.moment(row["ended_at"]) and row["joined_into"] is None
    )
    parts: dict[str, set[str]] = {}
    for row in rows.found["allocations"]:
        parts.setdefault(row["id"].partition(".")[0], set()).add(row["agency"])
    return {
        "cases.opened": sum(
            row["fiscal_year"] == this_year() and row["joined_into"] is None for row in rows.found["cases"]
        ),
        "cases.joint": len({heads[row["case"]] for row in rows.in_effect() if len(parts.get(row["id"], ())) >= 2}),
        "consents.given": sum(row["status"] == "given" and rows.day(row["given_on"]) for row in rows.found["consents"]),
        "consents.withdrawn": sum(rows.day(row["withdrawn_on"]) for row in rows.found["consents"]),
        "contacts": len(rows.forms("contact")),
        **{f"cases.ended.{state}": count for state, count in ended.items()},
    }


def of_activities(rows: Rows) -> dict[str, int]:
    """参加支援, アウトリーチ等, 地域課題."""
    contacts = rows.forms("contact")
    actions = Counter(action for form in contacts for action in form["outreach_actions"])
    said = {row["id"]: msgspec.json.decode(row["form"]) for row in rows.found["records"] if row["kind"] == "plan"}
    heads = heads_of(rows)
    brought = {heads[row["case"]] for row in rows.in_effect() if said[row["id"]].get("resource")}
    channels: dict[str, set[int]] = {}
    for row in rows.found["plans"]:
        if row["kind"] == "outreach" and row["state"] not in ("draft", "dropped"):
            channels.setdefault(said[row["id"]]["found_by"], set()).add(heads[row["case"]])
    states = Counter(row["state"] for row in rows.found["community_issues"] if rows.moment(row["at"]))
    return {
        "participation.participants": len(brought),
        "participation.by_kind.unlisted": len(brought),
        **{f"outreach.contacts.{action}": count for action, count in actions.items()},
        "outreach.contacts.visit": sum(
            bool(form["outreach_actions"]) and form["method"] == "visit" for form in contacts
        ),
        "outreach.accompanied": actions["joint_visit"],
        **{f"outreach_by_channel.{channel}": len(found) for channel, found in channels.items()},
        "outreach_by_state.family": len(set().union(*channels.values())),
        **{f"issues.{state}": count for state, count in states.items()},
    }


def of_referrals(rows: Rows, profile: Any) -> dict[str, int]:
    """Referrals by whoever wrote them, their field and area, and how people were found."""
    taken = [
        row
        for row in rows.found["referrals"]
        if row["fiscal_year"] == this_year() and row["state"] not in ("withdrawn", "misdirected")
    ]
    found: Counter[str] = Counter({"referrals.all": len(taken)})
    for row in taken:
        agency = profile.agency(row["agency"])
        route = msgspec.json.decode(row["form"]).get("finding_route") or "none"
        found.update(
            (f"referrals_by_route.{route}", f"referrals_by_agency.{agency.id}", f"referrals_by_field.{agency.field}",
             f"referrals_by_area.{agency.area or '圏域の定めなし'}")
        )  # fmt: skip
    return dict(found)


def by_writer(rows: Rows) -> dict[str, int]:
    """Plans by who drew them up; nobody of these is run under a contract."""
    writers = {row["id"]: row["agency"] for row in rows.found["records"] if row["kind"] == "plan"}
    return dict(Counter(f"plans_by_provider.{writers[row['id']]}.own.{row['kind']}" for row in rows.in_effect()))


def partners() -> dict[str, int]:
    """Places of the profile that stand for 協力企業・団体, as the file has them."""
    text = (REPOSITORY / "deploy" / "profiles" / "fussa" / "profile.toml").read_text(encoding="utf-8")
    kinds = [row["kind"] for row in tomllib.loads(text)["resources"]]
    return {"participation.partners": sum(kind in ("company", "shop", "farm") for kind in kinds)}


async def test_every_figure_of_ninety_plans_is_what_the_rows_say(year: Intake) -> None:
    """Counted again in another way; what is not counted is there as 0, and each figure says what it counts."""
    report = await year.runtime.database.read(
        lambda connection: reports.of_year(connection, year.runtime.profile, this_year())
    )
    shown = {figure.id: figure.value for group in report.groups for figure in group.figures}
    assert len(shown) == sum(len(group.figures) for group in report.groups), "ids are used once"
    rows, profile = await Rows.of(year), year.runtime.profile
    names = {
        "roles": [
            figure.removeprefix("items.") for figure in shown if figure.startswith("items.") and "cases" not in figure
        ],
        "bodies": [body.id for body in profile.bodies],
    }
    wanted = (
        of_plans(rows) | of_sittings(rows, names) | of_cases(rows) | of_activities(rows) | of_referrals(rows, profile)
        | by_writer(rows) | partners()
    )  # fmt: skip
    assert {figure: shown[figure] for figure in wanted} == wanted
    left = {figure: value for figure, value in shown.items() if figure not in wanted}
    assert set(left.values()) <= {0}
    assert all(figure.definition and figure.name and figure.unit for group in report.groups for figure in group.figures)
    assert len(rows.found["plans"]) == sum(NEW.values()) + sum(REPLANS.values()) + PROVISIONAL == 93
    in_effect = [shown[f"plans.{kind}.{step}"] or 0 for kind in KINDS for step in ("first", "replans")]
    assert sum(in_effect) == 90 - 2, "one took effect in the year before, one in the year after"
    for kind in KINDS:
        assert (shown[f"plans.{kind}.ended"], shown[f"plans.{kind}.suspended"]) == (ENDED[kind], SUSPENDED[kind])


async def test_targets_stand_beside_what_came_of_them(year: Intake) -> None:
    """Of the plans, of counts; a figure from elsewhere is no 0; a target whose time is over is left out."""
    report = await year.runtime.database.read(
        lambda connection: reports.of_year(connection, year.runtime.profile, this_year())
    )
    rows = await Rows.of(year)
    counted = of_plans(rows) | of_cases(rows) | of_activities(rows) | of_referrals(rows, year.runtime.profile)
    actual = {target.id: target.actual for target in report.targets}
    of_kind = {kind: counted[f"plans.{kind}.first"] + counted[f"plans.{kind}.replans"] for kind in KINDS}
    assert actual == {
        **{f"plans-{kind.replace('_', '-')}": number for kind, number in of_kind.items()},
        "joint": counted["cases.joint"],
        "consultations": counted["referrals.all"],
        "reviews": report.value("items.cases"),
        "participants": counted["participation.participants"],
        "felt": None,
    }  # fmt: skip
    by_id = {target.id: target for target in report.targets}
    assert by_id["felt"].rate is None
    assert by_id["plans-outreach"].rate == by_id["plans-outreach"].actual * 100 // 30  # type: ignore[operator]


async def test_files_hold_the_same_figures(year: Intake) -> None:
    """CSV and workbook: numbers as numbers, the day as a date, definitions on the second sheet, no formula in a name."""
    section = year.person("shokan", SECTION, "responsible_section")
    report = (await section.get(f"/reports/{this_year()}")).json()["report"]
    every = [figure for group in report["groups"] for figure in group["figures"]]
    answer = await section.get(f"/reports/{this_year()}.csv")
    assert answer.content.startswith(b"\xef\xbb\xbf")
    lines = list(csv.DictReader(io.StringIO(answer.content.decode("utf-8-sig"))))
    assert [line["数"] for line in lines[: len(every)]] == [str(figure["value"]) for figure in every]
    assert lines[len(every)]["項目"] == "'=参加支援のプラン"
    answer = await section.get(f"/reports/{this_year()}.xlsx")
    book = openpyxl.load_workbook(io.BytesIO(answer.content))
    assert book.sheetnames == ["実績", "定義", "目標・指標"]
    sheet = book["実績"]
    assert (sheet["B2"].is_date, sheet["B2"].value.date()) == (True, clock.today())
    cells = [(row[1].value, row[2].value, row[2].data_type) for row in sheet.iter_rows(min_row=5)]
    assert cells == [(figure["name"], figure["value"], "n") for figure in every]
    assert (sheet.freeze_panes, sheet.print_title_rows) == ("A5", "$4:$4")
    assert [row[2].value for row in book["定義"].iter_rows(min_row=5)] == [figure["definition"] for figure in every]
    target = book["目標・指標"]["A5"]
    assert (target.value, target.data_type) == ("=参加支援のプラン", "s")


async def test_small_counts_of_agencies_and_areas_are_for_the_section_alone(year: Intake) -> None:
    """Others read 3未満, and of a count that would give one away nothing; 0 stays 0, and totals stay."""
    section, auditor = year.person("shokan", SECTION, "responsible_section"), year.person("kansa", "health", "auditor")
    path = f"/reports/{this_year()}"
    open_, closed = [(await caller.get(path)).json()["report"] for caller in (section, auditor)]
    assert (open_["masked"], closed["masked"]) == (False, True)
    masked = 0
    for one, other in zip(open_["groups"], closed["groups"], strict=True):
        for before, after in zip(one["figures"], other["figures"], strict=True):
            if not one["breakdown"]:
                assert after == before
            elif before["value"] in (1, 2):
                assert after["value"] is None
                masked += 1
            else:
                assert after["value"] in (None, before["value"])
    assert masked
    page = (await auditor.get(path, page=True)).text
    assert "3未満" in page
    assert "実績報告書を発行する" not in page
    assert '"value":1,' not in (await auditor.get(f"{path}.csv")).text


@pytest.mark.parametrize(
    ("values", "shown"),
    [
        ((0, 0, 9), ("0", "0", "9")),
        ((1, 0, 9, 5), ("3未満", "0", "非表示", "5")),
        ((1, 2, 9), ("3未満", "3未満", "9")),
        ((2, 2, 9), ("3未満", "3未満", "非表示")),
        ((1, 0), ("非表示", "非表示")),
        ((1, 3), ("非表示", "非表示")),
        ((1, 3, 4), ("非表示", "非表示", "非表示")),
        ((2, 3, 4), ("3未満", "非表示", "4")),
        ((1, 1, 1), ("非表示", "非表示", "非表示")),
        ((1, 2, 0), ("非表示", "非表示", "非表示")),
        ((3, 4), ("3", "4")),
    ],
)
def test_what_a_total_would_give_away_is_held_back(values: tuple[int, ...], shown: tuple[str, ...]) -> None:
    """One small count alone, or several that can only be all ones or all twos."""
    figures = [Figure(id=str(place), name="", definition="", value=value) for place, value in enumerate(values)]
    assert tuple(figure.shown for figure in report_masking.mask(figures)) == shown


@pytest.mark.parametrize(
    ("agency", "role", "status"),
    [
        (SECTION, "responsible_section", 200),
        (PROVIDER, "coordinator", 200),
        ("health", "auditor", 200),
        ("disability", "clerk", 409),
        ("sample-care", "agency_staff", 409),
        (SECTION, "administrator", 409),
    ],
)
async def test_who_reads_the_figures(intake: Intake, agency: str, role: str, status: int) -> None:
    """The section, coordinators and the auditor; a refusal is on record. A program reads none."""
    caller = intake.person("hito", agency, role)
    assert (await caller.get(f"/reports/{this_year()}")).status_code == status
    assert (await caller.get(f"/reports/{this_year()}", page=True)).status_code == status
    noted = [row for row in await intake.rows(audit.audit) if row["action"] == "report.read"]
    assert {row["outcome"] for row in noted} == {"done" if status == 200 else "refused"}
    program = intake.program(SECTION, "cases:read")
    assert (await program.get(f"/reports/{this_year()}")).status_code == 409


async def test_only_people_of_the_section_issue_a_report_of_a_year_that_has_begun(intake: Intake) -> None:
    """A program of the section does not, nor anybody for a later 年度; what was issued is nobody's record to open."""
    section = intake.person("shokan", SECTION, "responsible_section")
    key = intake.runtime.accounts.add_key("見本システム", SECTION, ("responsible_section",), ("cases:write",))
    path = f"/reports/{this_year()}/issue"
    assert (await send(Caller(intake.client, {"X-API-Key": key}), path)).status_code == 409
    assert (await send(section, f"/reports/{this_year() + 1}/issue")).status_code == 404
    issued = (await send(section, path)).json()
    assert (await section.get(f"/records/report/{issued['id']}")).status_code == 404


async def test_cases_that_were_joined_count_once(intake: Intake) -> None:
    """Where a figure counts cases, two that turned out to be one are one."""

    def counted(connection: Connection) -> tuple[int, int, int, int]:
        for seq, joined in ((1, None), (2, 1)):
            connection.execute(
                cases.insert().values(
                    seq=seq, number=f"C{seq}", fiscal_year=2026, state="supported", opened_at=0, legal_hold=0,
                    retention_class="five-years", joined_into=joined,
                )
            )  # fmt: skip
            connection.execute(
                plans.insert().values(
                    id=f"p{seq}", case=seq, kind="outreach", number=f"P{seq}", state="adopted", previous="", round=1,
                    provisional=0, decided="", meeting_item="", body="", heard_under="", end_code="", content=1,
                    revision=1, effective_on="2026-05-01",
                )
            )  # fmt: skip
            for part, agency in enumerate(("health", "disability")):
                row = {"id": f"p{seq}.{part}", "case": seq, "agency": agency, "part": "見守り", "since": "2026-05-01"}
                connection.execute(allocations.insert().values(row))
            for form, what, code in (
                (f"plan/p{seq}", "channel", "gathering"), (f"plan/p{seq}", "state", "family"),
                (f"contact/c{seq}", "action", "trigger"),
            ):  # fmt: skip
                row = {"form": form, "what": what, "code": code, "case": seq, "day": "2026-05-01"}
                connection.execute(outreach_facts.insert().values(row))
        found = outreach.figures(connection, 2026)
        joint = report_counts.joint_cases(connection, Year(2026))
        return found.by_channel["gathering"], found.by_contact_state["family"], found.trigger_users, joint

    assert await intake.runtime.database.write(counted) == (1, 1, 1, 1)


async def test_who_sits_in_the_body_that_evaluates_reads_the_figures(tmp_path: Path, cheap_passwords: None) -> None:
    """推進会議 sees figures only: its members' agencies, in whatever role but the administrator's."""
    folder = profile_with_targets(tmp_path / "profile")
    path = folder / "profile.toml"
    text = path.read_text(encoding="utf-8")
    body = """
[[bodies]]
id = "promotion"
names = [{ name = "見本推進会議", from = 2020-04-01 }]
legal_roles = [{ role = "promotion", from = 2020-04-01 }]
hears_cases = false
consent = "not_stated"
subjects = "事業の全体"
content = ["進み具合の管理と評価"]
convener = "social-welfare"
organizer = "social-welfare"
participants = ["sample-care"]
"""
    path.write_text(text + body, encoding="utf-8")
    async with running_intake(tmp_path / "intake", profile=folder) as intake:
        member = intake.person("iin", "sample-care", "agency_staff")
        answer = await member.get(f"/reports/{this_year()}")
        assert (answer.status_code, answer.json()["report"]["masked"]) == (200, True)
        assert (await intake.person("kanri", "sample-care", "administrator").get("/reports/2026")).status_code == 409
        assert (await intake.person("yoso", "health", "clerk").get("/reports/2026")).status_code == 409


@pytest.mark.parametrize("year_asked", ["26", "1999", "2026.pdf", "abcd", "２０２６"])
async def test_what_is_no_year_is_not_found(intake: Intake, year_asked: str) -> None:
    """Nothing is guessed."""
    section = intake.person("shokan", SECTION, "responsible_section")
    assert (await section.get(f"/reports/{year_asked}")).status_code == 404


async def test_the_first_address_leads_to_the_running_year(intake: Intake) -> None:
    """A year without anything is a page full of zeros, by itself and before it began."""
    section = intake.person("shokan", SECTION, "responsible_section")
    answer = await section.get("/reports", page=True)
    assert (answer.status_code, answer.headers["location"]) == (303, f"/reports/{this_year()}")
    for fiscal_year in (this_year(), 2199):
        page = await section.get(f"/reports/{fiscal_year}", page=True)
        assert page.status_code == 200
        assert "集計日" not in page.text
        assert "<svg" in page.text
        assert "style=" not in page.text


async def test_it_is_issued_once_a_year_and_again_as_the_next_version(intake: Intake) -> None:
    """By the section; the event carries masked figures, for the section and the provider, and comes again from the row."""
    section = intake.person("shokan", SECTION, "responsible_section")
    stranger = intake.person("chosei", PROVIDER, "coordinator")
    path = f"/reports/{this_year()}/issue"
    refused = await send(stranger, path)
    assert (refused.status_code, refused.json()["code"]) == (409, "not-section")
    first = (await send(section, path, key="a")).json()
    assert (first["number"], first["revision"]) == (f"実績{this_year()}", 1)
    assert (await send(section, path, key="a")).json() == first
    again = await section.post(path, {"_idempotency_key": "b"})
    assert (again.status_code, again.headers["location"]) == (303, f"/reports/{this_year()}")
    events = [event for event in await intake.events() if event.type == REPORT_ISSUED]
    told = [msgspec.json.decode(event.data, type=ReportIssued) for event in events]
    assert [(one.form_id, one.revision, one.form.masked, one.case_number) for one in told] == [
        (first["id"], 1, True, ""), (first["id"], 2, True, ""),
    ]  # fmt: skip
    readers = {entry.agency: entry.basis.kind for entry in told[1].audience}
    assert readers == {SECTION: BasisKind.RESPONSIBLE_SECTION, PROVIDER: BasisKind.PROVIDER}
    page = (await section.get(f"/reports/{this_year()}")).json()
    assert (page["issued"]["revision"], page["may_issue"]) == (2, True)
    republish_since(intake.runtime, clock.today())
    last = [event for event in await intake.events() if event.type == REPORT_ISSUED][-1]
    assert (last.revision, last.data) == (2, events[1].data)


def test_what_stands_beside_a_breakdown_does_not_give_it_away() -> None:
    """A small agency is hidden within its field as if that were all there is, each kind of plan by itself, and the areas too."""
    profile = load_profile(REPOSITORY / "deploy" / "profiles" / "fussa")
    fields: dict[str, list[str]] = {}
    for agency in profile.agencies:
        fields.setdefault(agency.field, []).append(agency.id)
    field, (small, large) = next((name, found[:2]) for name, found in fields.items() if len(found) >= 2)
    groups = (
        group_of("referrals_by_agency", {small: 1, large: 10}),
        group_of("referrals_by_field", {field: 11, "ほか": 5}),
        group_of("referrals_by_area", {"東": 11, "西": 5}),
        group_of("plans_by_provider", {"a.own.participation": 1, "b.own.participation": 8, "a.own.outreach": 2}),
    )
    report = YearReport(
        fiscal_year=this_year(), municipality="見本市", counted_on=clock.today(), groups=groups, targets=()
    )
    shown = {
        figure.id.partition(".")[2]: figure.shown
        for group in report_masking.masked(report, profile).groups
        for figure in group.figures
    }
    assert shown == {
        small: "3未満", large: "非表示", field: "11", "ほか": "5", "東": "非表示", "西": "非表示",
        "a.own.participation": "3未満", "b.own.participation": "非表示", "a.own.outreach": "非表示",
    }  # fmt: skip


def group_of(name: str, values: dict[str, int]) -> FigureGroup:
    """A breakdown."""
    figures = tuple(Figure(id=f"{name}.{key}", name=key, definition="", value=value) for key, value in values.items())
    return FigureGroup(id=name, title=name, breakdown=True, figures=figures)
