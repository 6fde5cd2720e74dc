"""The profile of 芦屋市: bodies that screen, hear and hand issues up, names still provisional, six figures to reach."""

from __future__ import annotations

import datetime as dt

import pytest

from deploy.local.stack import PROFILES
from tsunagi_shared.contracts.profile import (
    LegalRole,
    Operation,
    Profile,
    ResourceKind,
    TargetCount,
    load_contacts,
    load_profile,
)

ASHIYA = PROFILES / "ashiya"
DAY = dt.date(2026, 11, 23)
TEAM, MULTI, COMMITTEE, COUNCIL = (
    "team-meeting",
    "multi-agency-meeting",
    "promotion-committee",
    "community-welfare-council",
)


@pytest.fixture(scope="module")
def ashiya() -> Profile:
    return load_profile(ASHIYA)


def test_issues_are_handed_up_twice(ashiya: Profile) -> None:
    """A:132-136: from A to B, and from B to C and D; their yearly evaluation goes to the 部会 (A:48)."""
    assert ashiya.body(TEAM).hands_over_to == (MULTI,)
    assert ashiya.body(MULTI).hands_over_to == (COMMITTEE, COUNCIL)
    assert all(ashiya.body(body).hands_over_to == ("deliberative-section",) for body in (COMMITTEE, COUNCIL))
    assert [line[:3] for line in ashiya.body(TEAM).content] == ["機能Ⅰ", "機能Ⅱ", "機能Ⅲ"]


def test_roles_are_apart_from_names(ashiya: Profile) -> None:
    """A:365: B and D are both the 重層的支援会議; only B hears cases. B is it from the year in which it was renewed."""
    layered = ashiya.bodies_with(LegalRole.LAYERED_SUPPORT_MEETING, DAY)
    assert [(body.id, body.hears_cases) for body in layered] == [(MULTI, True), (COUNCIL, False)]
    before, after = dt.date(2023, 3, 31), dt.date(2023, 4, 1)
    multi = ashiya.body(MULTI)
    assert [multi.name_on(day) for day in (before, after)] == ["総合相談連絡会", "（仮）多機関協働支援会議"]
    assert [multi.roles_on(day) for day in (before, after)] == [
        {LegalRole.LIAISON},
        {LegalRole.LAYERED_SUPPORT_MEETING},
    ]
    assert [row.provisional for row in multi.names] == [False, True]
    assert multi.predecessors == ("総合相談連絡会",)


def test_the_support_meeting_is_the_ordinance_s(ashiya: Profile) -> None:
    """W6: from April 2023, convened by the section; the plan itself names none."""
    assert ashiya.bodies_with(LegalRole.SUPPORT_MEETING, dt.date(2023, 3, 31)) == ()
    (support,) = ashiya.bodies_with(LegalRole.SUPPORT_MEETING, DAY)
    assert support.convener == ashiya.municipality.responsible_section
    assert ashiya.legal_basis_on(support.secrecy_basis, DAY) is not None


def test_windows_contractors_and_areas(ashiya: Profile) -> None:
    """A:227-233, 261-303: 4, 2, 2 and 1 windows; four areas, in each a contractor for the 地域支え合い推進員."""
    windows = [item for agency in ashiya.agencies for item in agency.law_items if item[0] == "1"]
    assert [windows.count(item) for item in ("1イ", "1ロ", "1ハ", "1ニ")] == [4, 2, 2, 1]
    direct = [row.id for row in ashiya.agencies if "1ハ" in row.law_items and row.operation == (Operation.DIRECT,)]
    assert direct == ["nursery-desk", "child-center"]
    second = [row for row in ashiya.agencies if "3ロ" in row.law_items]
    assert [row.area for row in second] == ["東山手", "西山手", "精道", "潮見"]
    assert len({ashiya.contractor_on(row.id, DAY) for row in second}) == 4


def test_the_provider_is_the_city_and_the_council_together(ashiya: Profile) -> None:
    """A:371-372: 直営 and 委託; it counts as the municipality's own, and places ten people."""
    provider = ashiya.agency(ashiya.roles.multi_agency_provider)
    assert provider.operation == (Operation.DIRECT, Operation.ENTRUSTED)
    assert ashiya.provider_direct
    assert sum(post.headcount or 0 for post in ashiya.posts if post.agency == provider.id) == 10


def test_six_figures_to_reach_and_what_is_counted(ashiya: Profile) -> None:
    """A:310, 370, 380: 5, 5, 6, 6, 10 and 10, each with what is counted towards it."""
    assert [(row.counts, row.at_least) for row in ashiya.targets] == [
        (TargetCount.PARTICIPANTS, 5),
        (TargetCount.PARTNER_RESOURCES, 5),
        (TargetCount.CASE_REVIEWS, 6),
        (TargetCount.JOINT_CASES, 6),
        (TargetCount.OUTREACH_CONSULTATIONS, 10),
        (TargetCount.TRIGGER_USERS, 10),
    ]
    assert all(row.covers(DAY) and row.plans is None for row in ashiya.targets)


def test_the_year_plan_is_one_row_for_each_item_and_year(ashiya: Profile) -> None:
    """A:387-402: fifteen items in five 年度, none twice."""
    rows = {(row.item, row.fiscal_year) for row in ashiya.year_plan}
    assert len(rows) == len(ashiya.year_plan) == 15 * 5
    assert {year for _, year in rows} == set(range(2022, 2027))
    assert "地域アセスメントの実施" in {row.text for row in ashiya.year_plan if row.fiscal_year == 2022}


def test_places_to_take_part_in(ashiya: Profile) -> None:
    """A:342: the six centres of which three lie outside the city, beside companies, eateries and gatherings."""
    centres = [row for row in ashiya.resources if row.kind is ResourceKind.FACILITY]
    assert [row.conditions for row in centres].count("地域活動支援センター（市外）") == 3
    assert len(centres) == 6
    assert {ResourceKind.COMPANY, ResourceKind.EATERY, ResourceKind.GATHERING} <= {row.kind for row in ashiya.resources}


def test_contacts_are_plainly_invented_and_complete(ashiya: Profile) -> None:
    """Every agency has an address under example.jp and a phone number that nobody has."""
    contacts = load_contacts(ASHIYA, ashiya)
    assert len(contacts.contacts) == len(ashiya.agencies)
    for agency in ashiya.agencies:
        assert contacts.of(agency.id).email
        assert all(address.endswith("@example.jp") for address in contacts.of(agency.id).email)
        assert agency.phone.startswith("0797-00-00")
