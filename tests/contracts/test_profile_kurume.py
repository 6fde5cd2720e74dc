"""The profile of 久留米市: entrusted projects, one monthly day for both meetings, figures to reach."""

from __future__ import annotations

import datetime as dt

import pytest

from deploy.local.stack import PROFILES, sample_users
from tsunagi_shared.contracts.profile import (
    Activity,
    BodyConsent,
    LegalRole,
    Operation,
    Profile,
    load_contacts,
    load_profile,
)
from tsunagi_shared.contracts.schedule import read_schedule
from tsunagi_shared.forms.plan import PlanKind

KURUME = PROFILES / "kurume"
DAY = dt.date(2026, 11, 23)


@pytest.fixture(scope="module")
def kurume() -> Profile:
    return load_profile(KURUME)


def test_windows_by_number_operation_and_area(kurume: Profile) -> None:
    """U:28-41: eleven, four, one and one, by contractors but for the city's own for children."""
    found: dict[str, list[tuple[Operation, ...]]] = {}
    for agency in kurume.agencies:
        for item in agency.law_items:
            found.setdefault(item, []).append(agency.operation)
    assert {item: len(rows) for item, rows in found.items() if item.startswith("1")} == {
        "1イ": 11,
        "1ロ": 4,
        "1ハ": 1,
        "1ニ": 1,
    }
    assert set(found["1ハ"]) == {(Operation.DIRECT,)}
    assert {row for item, rows in found.items() if item != "1ハ" for row in rows} == {(Operation.ENTRUSTED,)}
    centres = [agency for agency in kurume.agencies if "1イ" in agency.law_items]
    assert len({agency.area for agency in centres}) == 11
    assert all(kurume.section_name(agency.id) == "久留米市 長寿支援課" for agency in centres)


def test_three_projects_are_entrusted_to_two_contractors(kurume: Profile) -> None:
    """U:49-60, 119-135: a company for 参加支援, 社協 for アウトリーチ and 多機関協働, each an agency of its own."""
    council = "社会福祉法人久留米市社会福祉協議会"
    assert kurume.contractor_on("participation", DAY) == "株式会社アソウ・ヒューマニーセンター"
    assert kurume.contractor_on("outreach", DAY) == kurume.contractor_on("multi-agency", DAY) == council
    assert kurume.roles.multi_agency_provider == "multi-agency"
    assert not kurume.provider_direct
    assert kurume.is_provider_exempt_from_consent  # it runs the 支援会議 too (U:186)
    assert kurume.section_name("outreach") == kurume.section_name("participation") == "久留米市 地域福祉課"


def test_both_meetings_are_on_one_day_and_run_by_the_provider(kurume: Profile) -> None:
    """U:137, 185-188: the fourth Wednesday and as needed, the same participants, each with its own matters and duty."""
    (layered,) = kurume.bodies_with(LegalRole.LAYERED_SUPPORT_MEETING, DAY)
    (support,) = kurume.bodies_with(LegalRole.SUPPORT_MEETING, DAY)
    for body in (layered, support):
        schedule = read_schedule(body.schedule)
        assert schedule is not None
        assert (schedule.weekday, schedule.weeks, schedule.as_needed) == (2, (4,), True)
        assert body.organizer == "multi-agency"
        assert len(body.content) == 3
    assert layered.participants == support.participants
    sections = {"longevity-support", "disability-welfare", "livelihood-second", "community-welfare"}
    assert sections <= set(layered.participants)
    assert len(layered.participants) == 11 + 4 + 1 + 1 + 3 + len(sections)
    assert (layered.consent, support.consent) == (BodyConsent.REQUIRED, BodyConsent.NOT_REQUIRED)
    assert support.convener == "community-welfare"
    assert kurume.legal_basis_on(support.secrecy_basis, DAY) is not None
    assert kurume.joint_sittings


def test_the_figures_to_reach_are_values(kurume: Profile) -> None:
    """U:173-175 by kind of plan, and the five indicators of U:147-167 with where they stood."""
    by_kind = {target.plans: target.at_least for target in kurume.targets if target.plans}
    assert by_kind == {PlanKind.PARTICIPATION: 24, PlanKind.OUTREACH: 30, PlanKind.MULTI_AGENCY: 36}
    indicators = [target for target in kurume.targets if target.baseline]
    assert [target.at_least for target in indicators] == [70, 296_000, 1020, 87, 29]
    assert all(target.until == dt.date(2026, 3, 31) for target in indicators)
    assert all(target.source.startswith("U:") for target in kurume.targets)


def test_projects_places_and_partners_are_values(kurume: Profile) -> None:
    """U:66-117 with the number of places, the eleven coordinators, whom 参加支援 works with and where outreach goes."""
    places = {project.name: project.places for project in kurume.projects if project.places}
    assert places["地域活動支援センター運営事業（III型）"] == 8
    assert places["地域子育て支援センター事業"] == 9
    assert sorted(places.values()) == [1, 1, 1, 2, 8, 9, 17]
    assert len([project for project in kurume.projects if project.law_item == "3"]) == 15
    assert [post.headcount for post in kurume.posts] == [11]
    by_activity = {activity: [row for row in kurume.partners if activity in row.activities] for activity in Activity}
    assert len(by_activity[Activity.PARTICIPATION]) == 6
    assert len(by_activity[Activity.OUTREACH]) == 5


def test_contacts_are_plainly_invented_and_complete(kurume: Profile) -> None:
    """Every agency has an address under example.jp and a phone number that nobody has."""
    contacts = load_contacts(KURUME, kurume)
    assert len(contacts.contacts) == len(kurume.agencies)
    for agency in kurume.agencies:
        assert all(address.endswith("@example.jp") for address in contacts.of(agency.id).email)
        assert contacts.of(agency.id).email
        assert agency.phone.startswith("0942-00-00")


def test_a_contractor_is_replaced_at_the_turn_of_the_year(kurume: Profile) -> None:
    """Both contractors of 生活自立支援センター are samples: the source names none. The day before and the day itself."""
    last, first = dt.date(2027, 3, 31), dt.date(2027, 4, 1)
    assert [kurume.contractor_on("livelihood-center", day) for day in (last, first)] == [
        "社会福祉法人みほん自立の会",
        "NPO法人みほんくらしの輪",
    ]
    staff = {user.contractor for user in sample_users(KURUME) if user.agency == "livelihood-center"}
    assert staff == {"社会福祉法人みほん自立の会", "NPO法人みほんくらしの輪"}
