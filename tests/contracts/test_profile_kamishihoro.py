"""The profile of 上士幌町: two meetings told apart, six places to take part in, a body that sees figures only."""

from __future__ import annotations

import datetime as dt

import pytest

from deploy.local.stack import PROFILES, sample_users
from tsunagi_shared.contracts.profile import (
    Activity,
    BodyConsent,
    LegalRole,
    Profile,
    ResourceKind,
    Role,
    load_contacts,
    load_profile,
)

KAMISHIHORO = PROFILES / "kamishihoro"
DAY = dt.date(2026, 11, 23)


@pytest.fixture(scope="module")
def kamishihoro() -> Profile:
    return load_profile(KAMISHIHORO)


def test_the_two_meetings_differ_in_consent_and_duty(kamishihoro: Profile) -> None:
    """K:103-115: the one without consent and with a duty, also for what is urgent; the other the other way round."""
    (support,) = kamishihoro.bodies_with(LegalRole.SUPPORT_MEETING, DAY)
    (layered,) = kamishihoro.bodies_with(LegalRole.LAYERED_SUPPORT_MEETING, DAY)
    assert (support.consent, layered.consent) == (BodyConsent.NOT_REQUIRED, BodyConsent.REQUIRED)
    assert kamishihoro.legal_basis_on(support.secrecy_basis, DAY) is not None
    assert layered.secrecy_basis == ""
    assert "緊急性がある事案への対応" in support.content
    assert support.hands_over_to == (layered.id,)


def test_four_windows_and_one_agency_for_each_project(kamishihoro: Profile) -> None:
    """K:33-37, 62-66: the windows by field, and an agency for every item of the law's article."""
    windows = {row.field: row.law_items for row in kamishihoro.agencies if any(i[0] == "1" for i in row.law_items)}
    assert windows == {"高齢・介護": ("1イ",), "障がい": ("1ロ",), "こども": ("1ハ",), "生活困窮": ("1ニ",)}
    assert {item[0] for row in kamishihoro.agencies for item in row.law_items} == {"1", "2", "3", "4", "5", "6"}


def test_six_places_to_take_part_in(kamishihoro: Profile) -> None:
    """K:74-80: by kind, each looked after by an agency that the profile knows; nobody said how many fit in."""
    assert [resource.kind for resource in kamishihoro.resources] == [
        ResourceKind.GATHERING,
        ResourceKind.FACILITY,
        ResourceKind.GATHERING,
        ResourceKind.EATERY,
        ResourceKind.MARKET,
        ResourceKind.GATHERING,
    ]
    assert all(row.agency == "participation" and row.capacity is None for row in kamishihoro.resources)
    assert kamishihoro.resources_by_id["ureshika"].name == "地域食堂うれしか"


def test_salons_are_where_people_are_noticed(kamishihoro: Profile) -> None:
    """K:97: the two salons are an entry, and codes of the finding channels."""
    entries = [partner.name for partner in kamishihoro.partners if Activity.ENTRY in partner.activities]
    assert entries == ["地域サロン", "子育てサロン"]
    assert [row.code for row in kamishihoro.code_lists["finding_channels"]] == ["local_salon", "child_salon"]


def test_the_promotion_body_hears_no_case(kamishihoro: Profile) -> None:
    """K:129: scholars and persons concerned take part; what stands for them here gets no referral."""
    (promotion,) = kamishihoro.bodies_with(LegalRole.PROMOTION, DAY)
    assert not promotion.hears_cases
    outside = [kamishihoro.agency(agency) for agency in promotion.participants if agency.startswith("sample-")]
    assert [agency.field for agency in outside] == ["有識者", "当事者"]
    assert not any(agency.accepts_referrals for agency in outside)
    others = [body for body in kamishihoro.bodies if body.hears_cases]
    assert not any(agency.id in body.participants for body in others for agency in outside)
    staff = {user.agency: user.roles for user in sample_users(KAMISHIHORO)}
    assert all(staff[agency.id] == (Role.AGENCY_STAFF,) for agency in outside)


def test_plan_period_and_words(kamishihoro: Profile) -> None:
    """K:18: five years; no figure to reach; 障がい as the town writes it."""
    assert kamishihoro.plan is not None
    assert (kamishihoro.plan.starts, kamishihoro.plan.until) == (dt.date(2026, 4, 1), dt.date(2031, 3, 31))
    assert kamishihoro.targets == ()
    assert kamishihoro.labels["spelling.disability"] == "障がい"
    assert kamishihoro.municipality.code == "016331"


def test_contacts_are_plainly_invented_and_complete(kamishihoro: Profile) -> None:
    """Every agency has an address under example.jp and a phone number that nobody has."""
    contacts = load_contacts(KAMISHIHORO, kamishihoro)
    assert len(contacts.contacts) == len(kamishihoro.agencies)
    for agency in kamishihoro.agencies:
        assert contacts.of(agency.id).email
        assert all(address.endswith("@example.jp") for address in contacts.of(agency.id).email)
        assert agency.phone.startswith("01564-0-00")
