"""What outsiders read of small counts: whatever is published fits at least two worlds, so that nothing can be worked out."""

from __future__ import annotations

import datetime as dt
import itertools
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from tests.intake.case_facts import changed
from tsunagi_documents import sheets_report
from tsunagi_intake import report_files, report_masking
from tsunagi_intake.report_masking import BY_AGENCY, BY_AREA, BY_FIELD, BY_PROVIDER, FEW, HELD_BACK, MASKED
from tsunagi_intake.report_rows import rows
from tsunagi_shared.contracts.profile import Agency, Profile, Target, load_profile
from tsunagi_shared.contracts.profile_codes import TargetCount
from tsunagi_shared.contracts.report import Figure, FigureGroup, TargetFigure, YearReport
from tsunagi_shared.forms.plan import PlanKind

FUSSA = load_profile(Path(__file__).parents[2] / "deploy" / "profiles" / "fussa")
MOST = 6  # referrals of an agency; a world with a larger total has fellows that are not among those made here
World = tuple[int, ...]


def divisions(size: int) -> Iterator[tuple[int, ...]]:
    """Each way to divide so many agencies into fields (or areas): the number of the part of each."""
    for parts in itertools.product(range(size), repeat=size):
        if all(part <= max(parts[:place], default=-1) + 1 for place, part in enumerate(parts)):
            yield parts


def town(fields: Sequence[int], *, targets: tuple[Target, ...] = ()) -> Profile:
    """A municipality with an agency for each of the fields."""
    agencies = tuple(
        Agency(id=f"a{place}", name=f"見本{place}", kind=FUSSA.agencies[0].kind, field=f"分野{field}", phone="")
        for place, field in enumerate(fields)
    )
    return changed(FUSSA, agencies=agencies, targets=targets)


def referred(profile: Profile, fields: Sequence[int], areas: Sequence[int], world: World) -> YearReport:
    """The figures of a year in which each agency handed in so many referrals."""
    total = sum(world)
    by_part = []
    for name, parts in ((BY_FIELD, fields), (BY_AREA, areas)):
        counts: dict[str, int] = defaultdict(int)
        for part, value in zip(parts, world, strict=True):
            counts[f"{part}"] += value
        by_part.append(breakdown(name, counts))
    by_part[0] = breakdown(BY_FIELD, {f"分野{one.id[-1]}": one.value or 0 for one in by_part[0].figures})
    routes = rows("referrals_by_route", "", (("phone", "電話"), ("", "記入なし")), {"phone": total})
    groups = (
        FigureGroup(id="referrals", title="", figures=(figure("referrals.all", total), *routes)),
        breakdown(BY_AGENCY, {f"a{place}": value for place, value in enumerate(world)}),
        *by_part,
    )
    shown = tuple(
        TargetFigure(
            id=one.id, name=one.name, at_least=5, unit="件", rate=0,
            actual=world[int(one.agency[1:])] if one.agency else total,
        )
        for one in profile.targets
    )  # fmt: skip
    return report_of(groups, shown)


def planned(world: World, replans: int, kind: PlanKind = PlanKind.PARTICIPATION) -> YearReport:
    """The figures of a year in which each provider drew up so many plans of a kind, `replans` of them anew."""
    own = FigureGroup(
        id=f"plans.{kind}",
        title="",
        figures=tuple(
            figure(f"plans.{kind}.{name}", value)
            for name, value in (("first", sum(world) - replans), ("replans", replans), ("superseded", replans))
        ),
    )
    by_provider = breakdown(BY_PROVIDER, {f"a{place}.own.{kind}": value for place, value in enumerate(world)})
    people = FigureGroup(
        id="participation", title="",
        figures=(figure("participation.participants", sum(world)), figure("participation.by_kind.shop", sum(world))),
    )  # fmt: skip
    return report_of((own, by_provider, people))


def figure(name: str, value: int) -> Figure:
    return Figure(id=name, name=name, definition="見本の定義。", value=value)


def breakdown(name: str, counts: dict[str, int]) -> FigureGroup:
    figures = tuple(figure(f"{name}.{key}", value) for key, value in counts.items())
    return FigureGroup(id=name, title=name, breakdown=True, figures=figures)


def report_of(groups: tuple[FigureGroup, ...], targets: tuple[TargetFigure, ...] = ()) -> YearReport:
    day = dt.date(2026, 11, 24)
    return YearReport(fiscal_year=2026, municipality="見本市", counted_on=day, groups=groups, targets=targets)


def published(report: YearReport) -> tuple[str, ...]:
    """All that an outsider reads of the numbers."""
    figures = tuple(one.shown for group in report.groups for one in group.figures)
    return (*figures, *(one.shown for one in report.targets))


def check_worlds(worlds: dict[tuple[str, ...], list[dict[str, int]]], most: int) -> None:
    """Of everything published, each small count may be at least two numbers. `most`: up to which total all worlds are there."""
    for shown, fitting in worlds.items():
        if max(sum(world.values()) for world in fitting) > most:
            continue
        for name in fitting[0]:
            values = {world[name] for world in fitting}
            assert len(values) > 1 or not 0 < next(iter(values)) <= FEW, (name, shown)


@pytest.mark.parametrize("fields", [parts for size in (1, 2, 3) for parts in divisions(size)], ids=str)
def test_no_small_count_of_referrals_can_be_worked_out(fields: tuple[int, ...]) -> None:
    """Of agency, field and area, for whoever reads all figures and knows how they are masked: every world that fits is
    tried, with every way in which the agencies lie in areas."""
    profile = town(fields)
    for areas in divisions(len(fields)):
        worlds = defaultdict(list)
        for world in itertools.product(range(MOST + 1), repeat=len(fields)):
            report = referred(profile, fields, areas, world)
            counted = {one.id: one.value or 0 for group in report.groups[1:] for one in group.figures}
            worlds[published(report_masking.masked(report, profile))].append(counted)
        check_worlds(worlds, 3 * MOST)  # each referral is counted three times


@pytest.mark.parametrize(("size", "most"), [(2, 12), (3, 12), (4, 10), (5, 8)])
def test_no_small_count_beside_a_known_total_can_be_worked_out(size: int, most: int) -> None:
    """Of a breakdown by itself, every world with a total up to `most`."""
    worlds = defaultdict(list)
    for world in itertools.product(range(most + 1), repeat=size):
        if sum(world) <= most:
            figures = report_masking.mask(
                breakdown("b", {str(place): value for place, value in enumerate(world)}).figures
            )
            shown = (str(sum(world)), *(one.shown for one in figures))
            worlds[shown].append({str(place): value for place, value in enumerate(world)})
    check_worlds(worlds, most)


@pytest.mark.parametrize("providers", [1, 2, 3])
def test_no_small_count_of_plans_can_be_worked_out(providers: int) -> None:
    """Of a provider, beside first plans and replans, which together are what all providers drew up."""
    worlds = defaultdict(list)
    for world in itertools.product(range(MOST + 1), repeat=providers):
        for replans in range(sum(world) + 1):
            report = planned(world, replans)
            shown = published(report_masking.masked(report, FUSSA))
            worlds[shown].append({f"a{place}": value for place, value in enumerate(world)})
    check_worlds(worlds, MOST)


def test_who_draws_up_all_plans_of_a_kind_alone_is_hidden_in_the_totals() -> None:
    """First plans, replans, those replaced, who took part, and the targets on them; from three on, all of it is shown."""
    kind = PlanKind.PARTICIPATION
    rows_ = ({"id": "plans", "plans": kind}, {"id": "people", "counts": TargetCount.PARTICIPANTS})
    wanted = tuple(Target(name="見本", at_least=5, unit="件", starts=dt.date(2026, 4, 1), **row) for row in rows_)  # type: ignore[arg-type]
    profile = changed(FUSSA, targets=wanted)
    for number, hidden in ((2, True), (3, False), (0, False)):
        targets = tuple(
            TargetFigure(id=one.id, name=one.name, at_least=5, unit="件", actual=number, rate=number * 20)
            for one in wanted
        )
        report = report_of(planned((number,), 1 if number else 0).groups, targets)
        seen = report_masking.masked(report, profile)
        assert {one == HELD_BACK for one in published(seen)} == {hidden}
        assert {one.rate is None for one in seen.targets} == {hidden}
        if hidden:
            for content in (report_files.as_csv(seen).decode("utf-8-sig"), str(annual_rows(seen))):
                assert (content.count(HELD_BACK), ",2," in content) == (8, False)


def annual_rows(report: YearReport) -> list[object]:
    """The numbers as the paper shows them."""
    groups = [sheets_report._group(group) for group in report.groups]
    return [*groups, *(sheets_report._target(target) for target in report.targets)]


def test_a_target_of_one_agency_does_not_say_its_small_count() -> None:
    """Neither of referrals that are hidden in their breakdown, nor of consultations, which the total is hidden with."""
    names = (TargetCount.CONSULTATIONS, TargetCount.OUTREACH_CONSULTATIONS)
    wanted = tuple(
        Target(id=name, name="見本", at_least=5, unit="件", starts=dt.date(2026, 4, 1), counts=name, agency="a0")
        for name in names
    )  # fmt: skip
    profile = town((0, 0, 1), targets=wanted)
    for world, shown in (((1, 4, 9), [MASKED, MASKED]), ((4, 1, 9), [HELD_BACK, "4"]), ((9, 9, 9), ["9", "9"])):
        report = referred(profile, (0, 0, 1), (0, 0, 0), world)
        told = (figure("outreach.contacts.consulted", world[0] + 1), figure("outreach.consultations", world[0] + 1))
        report = report_of((*report.groups, FigureGroup(id="outreach", title="", figures=told)), report.targets)
        seen = report_masking.masked(report, profile)
        assert [one.shown for one in seen.targets] == shown
        assert {one.shown == HELD_BACK for one in seen.groups[-1].figures} == {shown[1] == MASKED}
