"""Rule `audience`, in its first form: who gets what comes of a referral, who does not, and what the clerk is told."""

from __future__ import annotations

import datetime as dt
from typing import Any

import msgspec
import pytest

from tests.data.referrals import referral, without_consent
from tests.data.services import PROFILE
from tests.intake.profiles import with_ended_contract
from tsunagi_intake.audience import Audience, of_referral
from tsunagi_shared.contracts.audience import BasisKind, View
from tsunagi_shared.contracts.profile import Profile, load_profile
from tsunagi_shared.forms.checks import Codes, check
from tsunagi_shared.forms.referral import Referral

TODAY = dt.date(2026, 11, 23)
PROVIDER, SECTION = "welfare-desk", "social-welfare"


@pytest.fixture(scope="module")
def profile() -> Profile:
    """福生市, whose provider is 直営 and the secretariat of the 支援会議."""
    return load_profile(PROFILE)


def audience_of(profile: Profile, form: dict[str, Any], origin: str = "disability") -> Audience:
    """The audience of a referral on that day."""
    checked = check(Referral, form, Codes(TODAY, profile.agency_names))
    assert checked.form is not None, checked.errors
    return of_referral(checked.form, "1", origin, profile, TODAY)


def entries(audience: Audience) -> dict[str, tuple[BasisKind, View]]:
    """Agency → (basis, view)."""
    return {entry.agency: (entry.basis.kind, entry.view) for entry in audience.entries}


def withheld(audience: Audience) -> dict[str, str]:
    """Agency → code."""
    return {row.agency: row.code for row in audience.withheld}


def test_with_consent(profile: Profile) -> None:
    """Origin and provider see all of it, the destinations that the consent names a summary; nobody else anything."""
    found = audience_of(profile, referral())
    assert entries(found) == {
        "disability": (BasisKind.ORIGIN, View.FULL),
        PROVIDER: (BasisKind.PROVIDER, View.FULL),
        "sample-care": (BasisKind.CONSENT, View.SUMMARY),
        "hardship-support": (BasisKind.CONSENT, View.SUMMARY),
    }
    assert (found.withheld, found.support_meeting_only) == ((), False)


def test_a_destination_that_the_consent_does_not_name(profile: Profile) -> None:
    """It gets nothing, and the clerk reads why and what to do; an agency only named in the consent gets nothing either."""
    form = referral(destinations=["sample-care", "sample-nursery"])
    form["consent"]["agencies"] = ["sample-care", "sample-clinic"]
    found = audience_of(profile, form)
    assert set(entries(found)) == {"disability", PROVIDER, "sample-care"}
    assert withheld(found) == {"sample-nursery": "consent-does-not-name"}
    assert all(row.reason.endswith("。") and row.way_out.endswith("。") for row in found.withheld)


@pytest.mark.parametrize("status", ["not_asked", "asking", "refused", "unable"])
def test_without_consent(profile: Profile, status: str) -> None:
    """Origin, responsible section and the secretariat of the 支援会議 only; every destination is told of as left out."""
    found = audience_of(profile, referral(consent={"status": status}))
    assert set(entries(found)) == {"disability", SECTION, PROVIDER}
    assert entries(found)[SECTION] == (BasisKind.RESPONSIBLE_SECTION, View.FULL)
    assert withheld(found) == dict.fromkeys(("sample-care", "hardship-support"), "consent-missing")
    assert found.support_meeting_only


@pytest.mark.parametrize(("until", "live"), [("2026-11-22", False), ("2026-11-23", True), ("2026-11-24", True)])
def test_consent_runs_out_at_the_end_of_its_day(profile: Profile, until: str, live: bool) -> None:
    """`until` is a Japanese date, inclusive; the entry carries it, so that reading ends with it."""
    form = referral()
    form["consent"]["until"] = until
    found = audience_of(profile, form)
    assert ("sample-care" in entries(found)) is live
    assert found.support_meeting_only is not live
    assert withheld(found) == ({} if live else dict.fromkeys(("sample-care", "hardship-support"), "consent-missing"))
    for entry in found.entries:
        expected = dt.date.fromisoformat(until) if entry.basis.kind is BasisKind.CONSENT else None
        assert entry.until == expected


def test_an_origin_keeps_its_own_form(profile: Profile) -> None:
    """The one who wrote it sees all of it, also as destination, section or provider, and is listed once."""
    form = referral(destinations=["sample-care"])
    form["consent"]["agencies"] = ["sample-care"]
    assert entries(audience_of(profile, form, "sample-care"))["sample-care"] == (BasisKind.ORIGIN, View.FULL)
    found = audience_of(profile, without_consent(destinations=[SECTION, PROVIDER]), SECTION)
    assert len(found.entries) == len(entries(found)) == 2
    assert found.withheld == ()


def test_a_destination_named_twice_counts_once(profile: Profile) -> None:
    """Neither two entries nor two refusals."""
    found = audience_of(profile, without_consent(destinations=["sample-care", "sample-care"]))
    assert withheld(found) == {"sample-care": "consent-missing"}
    assert len(found.withheld) == 1


def test_an_agency_without_a_live_contract_gets_nothing(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Not even with consent; the reason comes before that of the consent."""
    ended = load_profile(with_ended_contract(tmp_path_factory.mktemp("profile") / "fussa"))
    form = referral(destinations=["welfare-council"])
    form["consent"]["agencies"] = ["welfare-council"]
    found = audience_of(ended, form)
    assert "welfare-council" not in entries(found)
    assert withheld(found) == {"welfare-council": "contract-ended"}
    assert withheld(audience_of(ended, without_consent(destinations=["welfare-council"]))) == {
        "welfare-council": "contract-ended"
    }


def test_a_provider_that_is_not_exempt_needs_consent() -> None:
    """Neither 直営 nor secretariat: without consent it sees nothing, with consent everything."""
    small = load_profile(PROFILE.parents[2] / "tests" / "data" / "profile_small")
    form = referral(destinations=["section"], consent={"status": "refused"})
    day = dt.date(2026, 3, 1)
    checked = check(Referral, form, Codes(TODAY, small.agency_names)).form
    assert checked is not None
    without = of_referral(checked, "1", "section", small, day)
    assert [entry.agency for entry in without.entries] == ["section"]
    consent = {"status": "given", "given_on": "2026-02-01", "method": "oral", "agencies": ["section"]}
    agreed = check(Referral, {**form, "consent": consent}, Codes(TODAY, small.agency_names)).form
    assert agreed is not None
    assert set(entries(of_referral(agreed, "1", "section", small, day))) == {"section", "provider"}
    between_contracts = dt.date(2026, 11, 23)
    assert set(entries(of_referral(agreed, "1", "section", small, between_contracts))) == {"section"}


def test_the_entry_itself_knows_its_last_day(profile: Profile) -> None:
    """What documents asks at each read agrees with the rule: inclusive, and open where there is no date."""
    form = referral()
    form["consent"]["until"] = "2026-11-23"
    named = next(entry for entry in audience_of(profile, form).entries if entry.agency == "sample-care")
    assert [named.live_on(dt.date(2026, 11, day)) for day in (22, 23, 24)] == [True, True, False]
    assert msgspec.structs.replace(named, until=None).live_on(dt.date(2099, 1, 1))
