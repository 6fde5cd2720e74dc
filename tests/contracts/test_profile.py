"""The municipality's profile: what 福生市's holds, numbering, contracts, and what changes on its day."""

from __future__ import annotations

import datetime as dt
import re
from pathlib import Path
from typing import get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tsunagi_shared.contracts.profile import (
    AgencyKind,
    BodyConsent,
    FormKind,
    LegalRole,
    NumberKind,
    Operation,
    Profile,
    Role,
    load_contacts,
    load_profile,
)
from tsunagi_shared.contracts.profile_checks import municipality_check_digit
from tsunagi_shared.forms.fields import Kind

FUSSA = Path(__file__).parents[2] / "deploy" / "profiles" / "fussa"
SMALL_FOLDER = Path(__file__).parents[1] / "data" / "profile_small"
SMALL = (SMALL_FOLDER / "profile.toml").read_text("utf-8")
DAY = dt.date(2026, 11, 23)


def write(folder: Path, text: str | bytes) -> Path:
    (folder / "profile.toml").write_bytes(text if isinstance(text, bytes) else text.encode())
    return folder


@pytest.fixture(scope="module")
def fussa() -> Profile:
    return load_profile(FUSSA)


@pytest.fixture(scope="module")
def small() -> Profile:
    return load_profile(SMALL_FOLDER)


def test_fussa_names_the_municipality_and_who_plays_which_part(fussa: Profile) -> None:
    """The profile of 福生市 says whose it is, which section answers for it and who runs the meetings."""
    assert (fussa.municipality.code, fussa.municipality.name) == ("132187", "福生市")
    assert fussa.agency(fussa.municipality.responsible_section).short_name == "社会福祉課"
    assert fussa.agency_names[fussa.roles.multi_agency_provider] == "福生市 福祉総合相談窓口"
    assert fussa.section_name(fussa.roles.multi_agency_provider) == "福生市 社会福祉課"
    assert fussa.provider_direct
    assert fussa.is_provider_exempt_from_consent
    assert fussa.roles.escalation == (Role.CLERK, Role.PROMOTER, Role.COORDINATOR)


def test_fussa_has_the_eight_windows_and_the_kinds_that_carry_plans_out(fussa: Profile) -> None:
    """The eight windows of F:358-367 are agencies; each kind of executor of F:381-390 has a marked sample."""
    windows = {"社会福祉課", "介護福祉課", "障害福祉課", "健康課", "子ども政策課", "子ども育成課"}
    windows |= {"こども家庭センター課", "社協"}
    assert windows <= {agency.short_name for agency in fussa.agencies}
    assert "生活困窮者自立相談支援機関" in fussa.agency_names.values()
    samples = [agency for agency in fussa.agencies if agency.invented]
    assert len(samples) == 4
    assert all(agency.name.startswith("見本") and agency.accepts_referrals for agency in samples)


def test_fussa_has_the_nine_bodies_of_its_table_in_order(fussa: Profile) -> None:
    """The eight rows of table ※4 are nine bodies, each with its legal role."""
    assert [(body.name_on(DAY), *body.roles_on(DAY)) for body in fussa.bodies] == [
        ("地域ケア会議", LegalRole.COMMUNITY_CARE_MEETING),
        ("地域自立支援協議会", LegalRole.DISABILITY_COUNCIL),
        ("要保護児童対策地域協議会", LegalRole.CHILD_PROTECTION_COUNCIL),
        ("支援調整会議", LegalRole.SUPPORT_COORDINATION_MEETING),
        ("支援会議（生活困窮者自立支援法）", LegalRole.HARDSHIP_SUPPORT_MEETING),
        ("支援会議", LegalRole.SUPPORT_MEETING),
        ("重層的支援会議", LegalRole.LAYERED_SUPPORT_MEETING),
        ("福祉連携会議", LegalRole.INTERNAL_LIAISON),
        ("福祉連携会議作業部会", LegalRole.INTERNAL_LIAISON),
    ]


def test_fussa_keeps_the_two_look_alike_meetings_apart(fussa: Profile) -> None:
    """重層的支援会議 needs consent and has no secrecy duty of its own; 支援会議 is the other way round."""
    (layered,) = fussa.bodies_with(LegalRole.LAYERED_SUPPORT_MEETING, DAY)
    (support,) = fussa.bodies_with(LegalRole.SUPPORT_MEETING, DAY)
    assert (layered.consent, layered.secrecy_basis) == (BodyConsent.REQUIRED, "")
    assert support.consent is BodyConsent.NOT_REQUIRED
    assert support.id == fussa.roles.support_meeting_body
    basis = fussa.legal_basis_on(support.secrecy_basis, DAY)
    assert basis is not None
    assert basis.source
    assert fussa.body("support-coordination").consent is BodyConsent.REQUIRED


def test_fussa_places_three_coordinators_and_one_activity_specialist(fussa: Profile) -> None:
    """Two coordinators at the city's desk, one at 社協, one 福祉活動専門員, and promoters in nine places."""
    placed = {(post.agency, post.title): post.headcount for post in fussa.posts}
    assert placed["welfare-desk", "地域福祉コーディネーター"] == 2
    assert placed["welfare-council", "地域福祉コーディネーター"] == 1
    assert placed["welfare-council", "福祉活動専門員"] == 1
    assert sum(title == "断らない相談窓口推進員" for _, title in placed) == 9


@pytest.mark.parametrize(
    ("title", "agency", "roles"),
    [
        ("係長", "health", (Role.CLERK, Role.PROMOTER)),
        ("係長", "welfare-council", (Role.CLERK, Role.PROMOTER)),
        ("主査", "childcare", (Role.CLERK, Role.PROMOTER)),
        ("主査", "welfare-council", (Role.CLERK,)),
        ("係長", "sample-care", ()),
        ("地域福祉コーディネーター", "welfare-desk", (Role.CLERK, Role.COORDINATOR)),
        ("相談支援包括化推進員", "disability", (Role.CLERK, Role.PROMOTER)),
        ("課長", "social-welfare", (Role.RESPONSIBLE_SECTION, Role.CHAIR)),
        ("課長", "health", ()),
        ("窓口職員", "", (Role.CLERK,)),
        ("知らない職", "health", ()),
    ],
)
def test_a_title_gives_its_roles_where_it_counts(
    fussa: Profile, title: str, agency: str, roles: tuple[Role, ...]
) -> None:
    """A title's roles follow the agency it is held in; an unknown title gives none."""
    assert fussa.roles_for_title(title, agency) == roles


def test_fussa_contacts_are_plainly_invented_and_complete(fussa: Profile) -> None:
    """Every agency has an address under example.jp and a phone number out of a range nobody has."""
    contacts = load_contacts(FUSSA, fussa)
    for agency in fussa.agencies:
        found = contacts.of(agency.id)
        assert found.email
        assert all(address.endswith("@example.jp") for address in found.email + found.urgent_email)
        assert agency.phone.startswith("042-000-00")
    assert contacts.of("nobody").email == ()
    assert len(contacts.contacts) == len(fussa.agencies)


def test_fussa_prints_no_penalty_and_no_article_without_a_source(fussa: Profile) -> None:
    """Penalties are unverified, so none stands in the profile; article numbers stand in sourced, dated rows alone."""
    assert not re.search(r"罰金|懲役|拘禁刑|万円", (FUSSA / "profile.toml").read_text("utf-8"))
    assert all(row.source and row.verified_on is None for row in fussa.legal_basis)
    shown = [body.name_on(DAY) for body in fussa.bodies] + [line for body in fussa.bodies for line in body.content]
    shown += [*fussa.labels.values(), *(agency.name for agency in fussa.agencies)]
    assert not [line for line in shown if re.search(r"第?[0-9]+条", line)]


def test_the_check_digit_follows_the_rule_of_the_code() -> None:
    """The sixth digit of known codes comes out of the first five, also where eleven less the remainder is ten or more."""
    known = [
        "011002",
        "131016",
        "132187",
        "272060",
        "401307",
        "402036",
        "016331",
        "473821",
        "281000",
        "220001",
        "020001",
    ]
    assert [municipality_check_digit(code[:5]) for code in known] == [int(code[5]) for code in known]


def test_numbers_are_written_by_the_pattern_and_year(small: Profile, fussa: Profile) -> None:
    """Each 年度 has its own numbers, in the western or the Japanese year, and no number is cut short."""
    assert fussa.number("referral", 2026, 12) == "R2026-00012"
    assert fussa.number("referral", 2027, 12) == "R2027-00012"
    assert fussa.number("case", 2026, 123456) == "C2026-123456"
    assert (fussa.number("plan", 2026, 1), fussa.number("meeting", 2026, 1)) == ("P2026-00001", "M2026-00001")
    assert small.number("referral", 2026, 1) == "R08-00001"
    assert small.number("referral", 2019, 1) == "R01-00001"
    assert small.number("referral", 2018, 1) == "H30-00001"
    with pytest.raises(ValueError, match="start at 1"):
        small.number("case", 2026, 0)
    with pytest.raises(ValueError, match="no era"):
        small.number("referral", 1980, 1)


@given(st.lists(st.tuples(st.integers(2019, 2120), st.integers(1, 2_000_000)), min_size=2, max_size=30, unique=True))
@settings(deadline=None, max_examples=50)
def test_no_two_receipts_share_a_number(small: Profile, receipts: list[tuple[int, int]]) -> None:
    """Different years or counts never read the same, however long the count grows."""
    for kind in get_args(NumberKind):
        assert len({small.number(kind, year, count) for year, count in receipts}) == len(receipts)


def test_a_contract_holds_from_its_first_to_its_last_day(small: Profile) -> None:
    """An entrusted agency lives while a contract covers the day, both ends included; the city's own always does."""
    days = {
        dt.date(2025, 3, 31): False,
        dt.date(2025, 4, 1): True,
        dt.date(2026, 3, 31): True,
        dt.date(2026, 4, 1): False,
        dt.date(2027, 4, 1): True,
        dt.date(2060, 1, 1): True,
    }
    assert {day: small.contract_live("provider", day) for day in days} == days
    assert all(small.contract_live("section", day) for day in days)
    contract = small.agency("provider").contract_on(dt.date(2027, 4, 1))
    assert contract is not None
    assert contract.contractor == "見本福祉会"
    with pytest.raises(KeyError):
        small.contract_live("nobody", DAY)


def test_an_agency_without_contracts_is_its_own_master(fussa: Profile) -> None:
    """A clinic or a care office works on its own account: no contract of the city's can end it."""
    assert not fussa.agency("sample-clinic").operation
    assert fussa.contract_live("sample-clinic", dt.date(1999, 1, 1))
    assert fussa.agency("sample-clinic").kind is AgencyKind.MEDICAL_CORPORATION


def test_the_provider_needs_consent_unless_direct_or_secretariat(small: Profile, tmp_path: Path) -> None:
    """An entrusted provider gets nothing without consent, unless it is the secretariat of the 支援会議."""
    assert not small.is_provider_exempt_from_consent
    secretary = SMALL.replace('support_meeting_secretariat = "section"', 'support_meeting_secretariat = "provider"')
    assert load_profile(write(tmp_path, secretary)).is_provider_exempt_from_consent
    direct = SMALL.replace('operation = ["entrusted"]', 'operation = ["direct", "entrusted"]')
    loaded = load_profile(write(tmp_path, direct))
    assert loaded.is_provider_exempt_from_consent
    assert loaded.agency("provider").operation == (Operation.DIRECT, Operation.ENTRUSTED)


def test_names_roles_and_articles_change_on_their_day(small: Profile) -> None:
    """A body's local name, its legal roles and an article's text each follow their own dates."""
    body = small.body("open")
    assert body.name_on(dt.date(2026, 3, 31)) == "（仮）見本協働会議"
    assert body.name_on(dt.date(2026, 4, 1)) == "見本協働会議"
    assert body.name_on(dt.date(2020, 1, 1)) == "（仮）見本協働会議"
    assert small.body("closed").roles_on(dt.date(2027, 4, 1)) == frozenset()
    assert small.bodies_with(LegalRole.SUPPORT_MEETING, dt.date(2027, 4, 1)) == ()
    texts = [small.legal_basis_on("secrecy", dt.date(2026, month, 1)) for month in (9, 10)]
    assert [row.text if row else None for row in texts] == ["前の文", "後の文"]
    assert small.legal_basis_on("secrecy", dt.date(2020, 1, 1)) is None


def test_every_form_has_a_retention_class(small: Profile) -> None:
    """A form the profile names falls into its class, any other into the default."""
    assert small.retention_class_for(FormKind.PLAN).years is None
    assert {small.retention_class_for(kind).id for kind in FormKind} == {"short", "long"}
    assert small.retention_class_for(FormKind.REFERRAL).years == 5


def test_local_fields_come_as_fields_of_the_form(small: Profile) -> None:
    """A city's own fields are walked like any other: choices, several lines, limits, required."""
    district, remarks = small.local_fields(FormKind.REFERRAL)
    assert (district.path, district.kind, district.required) == ("local.district", Kind.CHOICE, True)
    assert district.choices == (("east", "東"), ("west", "西"))
    assert (remarks.kind, remarks.limit, remarks.title) == (Kind.TEXT, 300, "備考")
    assert small.local_fields(FormKind.PLAN) == ()


LISTS = """
[[agency_lists]]
id = "annex"
name = "別紙1"
agencies = ["provider"]
from = 2026-04-01
until = 2026-09-30

[[agency_lists]]
id = "annex"
name = "別紙1（改訂）"
agencies = ["provider", "section"]
from = 2026-10-01

[[code_lists.issues]]
code = "snow"
label = "雪かき"
from = 2026-12-01

[limits]
destinations = 3
"""


def test_a_list_of_agencies_is_that_of_its_day(tmp_path: Path) -> None:
    """An annex holds the agencies of its period, first and last day included; outside every period there is none."""
    profile = load_profile(write(tmp_path, SMALL + LISTS))
    days = [dt.date(2026, 3, 31), dt.date(2026, 4, 1), dt.date(2026, 9, 30), dt.date(2026, 10, 1), dt.date(2099, 1, 1)]
    found = [profile.agency_list_on("annex", day) for day in days]
    both = ("provider", "section")
    assert [row.agencies if row else None for row in found] == [None, ("provider",), ("provider",), both, both]
    assert profile.agency_list_on("other", DAY) is None


def test_the_codes_of_a_form_are_those_of_the_day(tmp_path: Path) -> None:
    """What a check needs comes from the profile as it stands that day: annexes, bodies, laws, added codes, own fields."""
    profile = load_profile(write(tmp_path, SMALL + LISTS))
    before, after = (profile.codes(FormKind.REFERRAL, day) for day in (dt.date(2026, 3, 31), dt.date(2026, 12, 1)))
    assert (before.today, after.today) == (dt.date(2026, 3, 31), dt.date(2026, 12, 1))
    assert (before.lists, after.lists) == ({}, {"annex": "別紙1（改訂）"})
    assert (before.bodies["open"], after.bodies["open"]) == ("（仮）見本協働会議", "見本協働会議")
    assert (before.laws, after.laws) == ({"secrecy": "前の文"}, {"secrecy": "後の文"})
    assert (before.code_lists, after.code_lists) == ({"issues": {}}, {"issues": {"snow": "雪かき"}})
    assert after.agencies == profile.agency_names
    assert [field.name for field in after.local] == ["district", "remarks"]
    assert (after.limits["destinations"], profile.codes(FormKind.CONSENT, DAY).limits) == (3, {})
    assert profile.codes(FormKind.CONSENT, DAY).local == ()


def test_codes_are_made_once_a_day(small: Profile) -> None:
    """The same day gives the very same codes, and the days before are not kept for ever."""
    first = small.codes(FormKind.REFERRAL, DAY)
    assert small.codes(FormKind.REFERRAL, DAY) is first
    for number in range(100):
        small.codes(FormKind.REFERRAL, DAY + dt.timedelta(number))
    assert len(small._codes) <= len(FormKind) + 1
    assert small.codes(FormKind.REFERRAL, DAY) == first


def test_the_version_is_that_of_the_bytes(tmp_path: Path, small: Profile) -> None:
    """The same bytes give the same version; a changed comment gives another. A byte order mark and CRLF do no harm."""
    assert load_profile(write(tmp_path, SMALL)).version == small.version
    other = load_profile(write(tmp_path, b"\xef\xbb\xbf" + SMALL.replace("\n", "\r\n").encode()))
    assert other.version != small.version
    assert re.fullmatch(r"[0-9a-f]{12}", other.version)
    assert other.bodies == small.bodies
