"""The profile of the national frame: who plays which part, what changes on 1 April 2027, and its sample staff."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest

from deploy.local.stack import PROFILES, sample_users
from tsunagi_shared.contracts.profile import (
    BodyConsent,
    Contacts,
    FormKind,
    LegalRole,
    Operation,
    Profile,
    ProfileError,
    ResourceKind,
    Role,
    load_contacts,
    load_profile,
)

STANDARD = PROFILES / "standard"
LAST, FIRST = dt.date(2027, 3, 31), dt.date(2027, 4, 1)  # of the old contracts, of the new one
PARTICIPATION, OUTREACH, PROVIDER = "participation-center", "outreach-team", "multi-agency-center"
OLD, NEW = "株式会社みほんキャリア", "NPO法人みほんつながる会"


@pytest.fixture(scope="module")
def standard() -> Profile:
    return load_profile(STANDARD)


@pytest.fixture(scope="module")
def contacts(standard: Profile) -> Contacts:
    return load_contacts(STANDARD, standard)


def test_the_provider_is_a_contractor_and_the_section_the_secretariat(standard: Profile) -> None:
    """多機関協働 is entrusted and hosts the 重層的支援会議 (S:427), and is no secretariat: it needs consent."""
    assert standard.agency(PROVIDER).operation == (Operation.ENTRUSTED,)
    assert standard.agency(PROVIDER).law_items == ("5", "6")
    assert standard.roles.multi_agency_provider == PROVIDER
    assert standard.roles.support_meeting_secretariat == standard.municipality.responsible_section
    assert not standard.is_provider_exempt_from_consent
    assert standard.joint_sittings
    assert standard.targets == ()


def test_every_agency_is_plainly_invented(standard: Profile) -> None:
    """The frame has no city of its own: whatever acts in it is a sample, and says so."""
    assert standard.municipality.name == "見本市"
    assert all(agency.invented and "見本" in agency.name for agency in standard.agencies)
    contractors = [contract.contractor for agency in standard.agencies for contract in agency.operated_by]
    assert contractors
    assert all("みほん" in name or "見本" in name for name in contractors)


def test_all_projects_and_those_who_may_join_are_there(standard: Profile) -> None:
    """The six items of the law's article, and the agencies of S:435-440."""
    items = {item for agency in standard.agencies for item in agency.law_items}
    assert items == {"1イ", "1ロ", "1ハ", "1ニ", "2", "3", "4", "5", "6"}
    assert {"welfare-office", "job-office", "school", "school-board"} <= set(standard.agencies_by_id)


def test_the_two_meetings_are_told_apart(standard: Profile) -> None:
    """Consent for the one, a secrecy duty for the other; the one names when it must be held, and hands issues on."""
    (layered,) = standard.bodies_with(LegalRole.LAYERED_SUPPORT_MEETING, FIRST)
    (support,) = standard.bodies_with(LegalRole.SUPPORT_MEETING, FIRST)
    assert (layered.consent, support.consent) == (BodyConsent.REQUIRED, BodyConsent.NOT_REQUIRED)
    assert (layered.convener, support.convener) == (PROVIDER, "welfare-section")
    assert standard.legal_basis_on(support.secrecy_basis, FIRST) is not None
    assert sum("必ず開催" in content for content in layered.content) == 4
    assert layered.hands_over_to == ("resource-development",)
    combined = {LegalRole.SUPPORT_COORDINATION_MEETING, LegalRole.COMMUNITY_CARE_MEETING, LegalRole.DISABILITY_COUNCIL}
    assert all(standard.bodies_with(role, FIRST) for role in combined)


def test_the_codes_of_the_slides_are_values(standard: Profile) -> None:
    """Finding channels, what outreach does, whom and with what 参加支援 works, whose projects 地域づくり takes in."""
    assert {name: len(rows) for name, rows in standard.code_lists.items()} == {
        "issues": 2, "finding_channels": 5, "outreach_actions": 3, "participation_targets": 4,
        "participation_resources": 5, "follow_up_sides": 2, "community_projects": 4,
    }  # fmt: skip
    (field,) = standard.local_fields(FormKind.REFERRAL)
    assert [code for code, _ in field.choices] == ["complex", "no_window", "network"]


def test_people_act_only_under_the_contract_of_the_day(standard: Profile) -> None:
    """On 1 April the old contractor's people are out and the next one's are in; without a successor nobody is."""
    for contractor, before, after in (
        (OLD, True, False),
        (NEW, False, True),
        ("", False, False),
        ("よその会", False, False),
    ):
        assert standard.acts_for(PARTICIPATION, contractor, LAST) is before
        assert standard.acts_for(PARTICIPATION, contractor, FIRST) is after
    visitors = "NPO法人みほん訪問の会"
    assert [standard.acts_for(OUTREACH, visitors, day) for day in (LAST, FIRST)] == [True, False]
    assert [standard.contractor_on(OUTREACH, day) for day in (LAST, FIRST)] == [visitors, ""]
    assert [standard.contractor_on(PARTICIPATION, day) for day in (LAST, FIRST)] == [OLD, NEW]
    assert all(standard.contract_live(PARTICIPATION, day) for day in (LAST, FIRST))


def test_direct_and_independent_agencies_ask_for_no_contractor(standard: Profile) -> None:
    """直営, and an agency of its own: whoever holds a post there acts; for an unknown agency nobody does."""
    for agency in ("welfare-section", "school", "community-building"):
        assert standard.acts_for(agency, "", FIRST)
        assert standard.acts_for(agency, "よその会", FIRST)
        assert standard.contractor_on(agency, FIRST) == ""
    assert not standard.acts_for("nobody", "", FIRST)
    assert standard.contractor_on("nobody", FIRST) == ""


def test_annexes_follow_the_contracts(standard: Profile) -> None:
    """The list that a consent may name loses the agency whose contract has ended."""
    before, after = (standard.agency_list_on("meeting-members", day) for day in (LAST, FIRST))
    assert before is not None
    assert after is not None
    assert set(before.agencies) - set(after.agencies) == {OUTREACH}


def test_a_contractors_addresses_are_its_own(contacts: Contacts) -> None:
    """Mails about the same agency go to whoever runs it; an address of the office itself serves any contractor."""
    assert contacts.of(PARTICIPATION, OLD).email == ("participation-old@example.jp",)
    assert contacts.of(PARTICIPATION, NEW).email == ("participation-new@example.jp",)
    assert contacts.of(PARTICIPATION).email == ()
    assert contacts.of(OUTREACH, "NPO法人みほん訪問の会").email == contacts.of(OUTREACH).email != ()


@pytest.mark.parametrize(
    ("text", "path", "words"),
    [
        ('agency = "participation-center"\ncontractor = "よその会"', "contacts.0.contractor", "よその会"),
        ('agency = "school"\ncontractor = "よその会"', "contacts.0.contractor", "よその会"),
        ('agency = "school"\n[[contacts]]\nagency = "school"', "contacts.1.agency", "二度"),
        (
            f'agency = "{PARTICIPATION}"\ncontractor = "{OLD}"\n[[contacts]]\nagency = "{PARTICIPATION}"\ncontractor = "{OLD}"',
            "contacts.1.agency",
            "二度",
        ),
    ],
)
def test_mistakes_in_contacts_are_told(standard: Profile, tmp_path: Path, text: str, path: str, words: str) -> None:
    """A contractor that never runs the agency, and two rows for the same one."""
    (tmp_path / "contacts.toml").write_text(f"[[contacts]]\n{text}\n", "utf-8")
    with pytest.raises(ProfileError) as error:
        load_contacts(tmp_path, standard)
    (problem,) = error.value.problems
    assert problem.path == path
    assert words in problem.message


@pytest.mark.parametrize("city", ["ashiya", "fussa", "kamishihoro", "kurume", "standard"])
def test_sample_staff_fit_their_profile(city: str) -> None:
    """Each sample post names an agency, roles and a contractor that the profile knows; an auditor is among them."""
    profile = load_profile(PROFILES / city)
    staff = sample_users(PROFILES / city)
    assert len({sample.user for sample in staff}) == len(staff)
    assert any("auditor" in sample.roles for sample in staff)
    for sample in staff:
        assert sample.name.startswith("見本　")
        assert set(sample.roles) <= set(Role)
        known = {contract.contractor for contract in profile.agency(sample.agency).operated_by}
        assert not sample.contractor or sample.contractor in known


@pytest.mark.parametrize("city", ["ashiya", "kamishihoro", "kurume", "standard"])
def test_approvals_have_two_people(city: str) -> None:
    """A disposal is approved by another person of the section than the one who proposed it."""
    section = [user for user in sample_users(PROFILES / city) if Role.RESPONSIBLE_SECTION in user.roles]
    assert len(section) == 2
    assert {user.agency for user in section} == {load_profile(PROFILES / city).municipality.responsible_section}


def test_every_kind_of_place_of_the_slides_is_there(standard: Profile) -> None:
    """S:231-243: facilities, companies, shops, farms, gatherings and what is newly made, all plainly invented."""
    assert {ResourceKind.FACILITY, ResourceKind.COMPANY, ResourceKind.SHOP, ResourceKind.FARM} <= {
        row.kind for row in standard.resources
    }
    assert all("見本" in row.name or row.id == "sample-new" for row in standard.resources)
