"""Whether a person agreed that an agency may know: from which day, until which, with which contractor."""

from __future__ import annotations

import datetime as dt
from typing import Any

import msgspec
import pytest

from tests.intake.case_facts import (
    CARE,
    CHILD,
    CLINIC,
    CONTRACTED,
    DAY,
    NURSERY,
    PERSON,
    TODAY,
    consent,
    contract,
    fussa,
    with_contracts,
)
from tsunagi_intake import consents
from tsunagi_shared.contracts.profile import Operation
from tsunagi_shared.forms.referral import ConsentStatus

MARCH_END, APRIL_FIRST = dt.date(2027, 3, 31), dt.date(2027, 4, 1)


@pytest.mark.parametrize(
    ("changes", "live_on"),
    [
        ({}, (False, True, True)),
        ({"given_on": TODAY + DAY}, (False, False, True)),
        ({"given_on": TODAY - DAY}, (True, True, True)),
        ({"given_on": None}, (False, False, False)),
        ({"until": TODAY}, (False, True, False)),
        ({"until": TODAY + DAY}, (False, True, True)),
        ({"until": TODAY - DAY}, (False, False, False)),
        ({"withdrawn_on": TODAY + DAY}, (False, True, False)),
        ({"withdrawn_on": TODAY}, (False, False, False)),
        ({"given_on": TODAY - DAY, "withdrawn_on": TODAY}, (True, False, False)),
    ],
)
def test_rule_consent_live(changes: dict[str, Any], live_on: tuple[bool, ...]) -> None:
    """A consent holds from the day it was given to its last day, and no longer from the very day of its withdrawal."""
    fact = consent(CARE, **changes)
    days = (TODAY - DAY, TODAY, TODAY + DAY)
    assert tuple(consents.live(fact, day) for day in days) == live_on
    assert tuple(consents.covers(fact, CARE, fussa(), day) for day in days) == live_on
    assert tuple(consents.consented([fact], PERSON, day) for day in days) == live_on


@pytest.mark.parametrize("status", [status for status in ConsentStatus if status is not ConsentStatus.GIVEN])
def test_only_a_consent_that_was_given_is_one(status: ConsentStatus) -> None:
    """Whatever else it says."""
    fact = consent(CARE, status=status)
    assert not consents.live(fact, TODAY)
    assert not consents.covers(fact, CARE, fussa(), TODAY)
    assert not consents.ever_consented([fact], PERSON)


def test_a_consent_covers_whom_it_names() -> None:
    """Nobody else, no agency excluded from it or for which it was withdrawn, and no agency the profile does not know."""
    fact = consent(
        CARE, NURSERY, CLINIC, "nobody", excluded=frozenset({NURSERY}), withdrawn_agencies=frozenset({CLINIC})
    )
    covered = [agency for agency in (*fussa().agency_names, "nobody") if consents.covers(fact, agency, fussa(), TODAY)]
    assert covered == [CARE]
    assert consents.live(fact, TODAY)


@pytest.mark.parametrize(
    ("changes", "end"),
    [
        ({}, MARCH_END),
        ({"until": TODAY}, TODAY),
        ({"until": APRIL_FIRST}, MARCH_END),
        ({"covers_successor": True}, None),
        ({"covers_successor": True, "until": APRIL_FIRST}, APRIL_FIRST),
        ({"given_on": APRIL_FIRST}, None),
        ({"given_on": APRIL_FIRST, "until": APRIL_FIRST}, APRIL_FIRST),
        ({"given_on": dt.date(2025, 3, 31)}, dt.date(2025, 3, 30)),
        ({"given_on": None}, dt.date.min),
        ({"withdrawn_on": TODAY + DAY}, TODAY),
        ({"withdrawn_on": TODAY + DAY, "until": TODAY + 2 * DAY, "covers_successor": True}, TODAY),
        ({"withdrawn_on": TODAY + DAY, "until": TODAY - DAY}, TODAY - DAY),
        ({"withdrawn_on": dt.date.min}, dt.date.min),
    ],
)
def test_rule_consent_successor(changes: dict[str, Any], end: dt.date | None) -> None:
    """It ends with the contractor who ran the agency that day, unless the person agreed to the next one too."""
    profile = with_contracts(
        fussa(), contract("前の法人", dt.date(2025, 4, 1), MARCH_END), contract("次の法人", APRIL_FIRST)
    )
    fact = consent(CONTRACTED, **changes)
    assert consents.end_for(fact, CONTRACTED, profile) == end
    assert consents.covers(fact, CONTRACTED, profile, APRIL_FIRST) is (
        consents.live(fact, APRIL_FIRST) and (end is None or end >= APRIL_FIRST)
    )


def test_a_contract_renewed_with_the_same_contractor_goes_on() -> None:
    """The next contractor is another one; a gap ends it all the same."""
    first = contract("見本法人", dt.date(2025, 4, 1), MARCH_END)
    renewed = contract("見本法人", APRIL_FIRST, dt.date(2028, 3, 31))
    fact = consent(CONTRACTED)
    assert consents.end_for(fact, CONTRACTED, with_contracts(fussa(), first, renewed)) == dt.date(2028, 3, 31)
    late = contract("見本法人", APRIL_FIRST + DAY)
    assert consents.end_for(fact, CONTRACTED, with_contracts(fussa(), first, late)) == MARCH_END
    other = contract("次の法人", dt.date(2028, 4, 1))
    three = with_contracts(fussa(), first, renewed, other)
    assert consents.end_for(fact, CONTRACTED, three) == dt.date(2028, 3, 31)


def test_where_no_contractor_comes_in_between_there_is_no_end() -> None:
    """直営, also beside a contract, and agencies on their own account: only `until` ends the consent."""
    ended = contract("前の法人", dt.date(2025, 4, 1), MARCH_END)
    both = with_contracts(fussa(), ended, operation=(Operation.ENTRUSTED, Operation.DIRECT))
    for agency in (CONTRACTED, CARE, "disability"):
        assert consents.end_for(consent(agency), agency, both) is None
        assert consents.end_for(consent(agency, until=TODAY), agency, both) == TODAY
        assert consents.end_for(consent(agency, withdrawn_on=TODAY), agency, both) == TODAY - DAY
    assert consents.end_for(consent("nobody"), "nobody", both) == TODAY - DAY


def test_last_days_are_compared_with_none_as_open() -> None:
    """None never ends."""
    assert consents.earlier(None, None) is None
    assert consents.earlier(TODAY, None) == consents.earlier(None, TODAY) == TODAY
    assert consents.earlier(TODAY, TODAY + DAY) == consents.earlier(TODAY + DAY, TODAY) == TODAY
    assert consents.later(None, None) is consents.later(TODAY, None) is consents.later(None, TODAY) is None
    assert consents.later(TODAY, TODAY - DAY) == consents.later(TODAY - DAY, TODAY) == TODAY


def test_of_several_consents_the_one_that_lasts_longest_counts() -> None:
    """Whatever their order; of two that last as long, always the same one."""
    short, long = consent(CARE, id="a", until=TODAY), consent(CARE, id="b", until=TODAY + DAY)
    dead, open_ = consent(CARE, id="c", withdrawn_on=TODAY), consent(CARE, id="d")
    twin = consent(CARE, id="e")
    theirs = consent(CARE, id="f", person=CHILD)
    for facts in ([short, long, dead, theirs], [theirs, dead, long, short]):
        assert consents.covering(iter(facts), PERSON, CARE, fussa(), TODAY) == long
    first = consent(CARE, id="0", until=TODAY + 2 * DAY)
    assert consents.covering([first, long, short], PERSON, CARE, fussa(), TODAY) == first
    assert consents.covering([long, short, first], PERSON, CARE, fussa(), TODAY) == first
    assert consents.covering([short, open_, long], PERSON, CARE, fussa(), TODAY) == open_
    assert consents.covering([open_, twin], PERSON, CARE, fussa(), TODAY) == twin
    assert consents.covering([twin, open_], PERSON, CARE, fussa(), TODAY) == twin
    assert consents.covering([short, long], PERSON, NURSERY, fussa(), TODAY) is None
    assert consents.covering([theirs], PERSON, CARE, fussa(), TODAY) is None
    assert consents.covering([], PERSON, CARE, fussa(), TODAY) is None


def test_an_exclusion_outlives_its_consent() -> None:
    """Who was excluded stays excluded when that consent is withdrawn or runs out; an earlier consent does not come back."""
    named = consent(CARE, id="a", given_on=TODAY - DAY)
    for dead in ({}, {"withdrawn_on": TODAY}, {"until": TODAY - DAY, "given_on": TODAY - DAY}, {"given_on": None}):
        excluding = consent(NURSERY, id="b", excluded=frozenset({CARE}), **dead)
        for facts in ([named, excluding], [excluding, named]):
            assert consents.covering(facts, PERSON, CARE, fussa(), TODAY) is None
    theirs = consent(NURSERY, id="b", person=CHILD, excluded=frozenset({CARE}))
    assert consents.covering([named, theirs], PERSON, CARE, fussa(), TODAY) == named


def test_a_later_consent_takes_an_exclusion_back() -> None:
    """Only one given on a later day that names the agency; of the same day, the exclusion counts."""
    excluding = consent(NURSERY, id="a", given_on=TODAY - DAY, excluded=frozenset({CARE}))
    later = consent(CARE, id="b")
    assert consents.covering([excluding, later], PERSON, CARE, fussa(), TODAY) == later
    same_day = consent(CARE, id="b", given_on=TODAY - DAY)
    assert consents.covering([excluding, same_day], PERSON, CARE, fussa(), TODAY) is None
    assert consents.shut_out([excluding], CARE, consent(CARE, given_on=None))


def test_whether_anybody_was_ever_agreed_to() -> None:
    """A dead consent was one, another person's is none of theirs."""
    dead = consent(CARE, withdrawn_on=TODAY)
    assert consents.ever_consented([dead], PERSON)
    assert not consents.ever_consented([dead], CHILD)
    refused = consent(id="c2", status=ConsentStatus.REFUSED)
    assert consents.ever_consented([refused, dead], PERSON)
    assert not consents.ever_consented([refused, dead], CHILD)
    assert not consents.consented([dead], PERSON, TODAY)
    assert not consents.consented([consent(CARE)], CHILD, TODAY)


def test_who_acts_by_role_needs_room_in_a_consent() -> None:
    """Named or not, unless excluded or the consent was withdrawn for it; the end is that of the longest such consent."""
    short, long = consent(CARE, id="a", until=TODAY), consent(NURSERY, id="b", until=TODAY + DAY)
    assert consents.admitting([short, long], PERSON, CONTRACTED, fussa(), TODAY) == (True, TODAY + DAY)
    assert consents.admitting([long, short], PERSON, CONTRACTED, fussa(), TODAY) == (True, TODAY + DAY)
    assert consents.admitting([long, consent(CARE)], PERSON, CONTRACTED, fussa(), TODAY) == (True, None)
    assert consents.admitting([consent(CARE), long], PERSON, CONTRACTED, fussa(), TODAY) == (True, None)
    assert consents.admitting([short, long], CHILD, CONTRACTED, fussa(), TODAY) == (False, None)
    assert consents.admitting([consent(CARE, withdrawn_on=TODAY)], PERSON, CONTRACTED, fussa(), TODAY) == (False, None)
    for no_consent in (consent(CARE, status=ConsentStatus.REFUSED), consent(CARE, given_on=TODAY + DAY)):
        assert consents.admitting([no_consent], PERSON, CONTRACTED, fussa(), TODAY) == (False, None)
    ending = consent(CARE, withdrawn_on=TODAY + DAY)
    assert consents.admitting([ending], PERSON, CONTRACTED, fussa(), TODAY) == (True, TODAY)
    assert consents.admitting([ending, short], PERSON, CONTRACTED, fussa(), TODAY) == (True, TODAY)


@pytest.mark.parametrize("field", ["excluded", "withdrawn_agencies"])
def test_who_acts_by_role_and_is_not_wanted_must_be_named_later(field: str) -> None:
    """After an exclusion, a consent that says nothing of the agency leaves no room for it."""
    unwanted = consent(CARE, id="a", given_on=TODAY - DAY, **{field: frozenset({CONTRACTED})})
    silent = consent(NURSERY, id="b")
    named = consent(CONTRACTED, id="c", until=TODAY + DAY)
    assert consents.admitting([unwanted], PERSON, CONTRACTED, fussa(), TODAY) == (False, None)
    assert consents.admitting([unwanted, silent], PERSON, CONTRACTED, fussa(), TODAY) == (False, None)
    assert consents.admitting([silent, named, unwanted], PERSON, CONTRACTED, fussa(), TODAY) == (True, TODAY + DAY)
    assert consents.admitting([unwanted, silent], PERSON, CARE, fussa(), TODAY) == (True, None)
    theirs = consent(CARE, id="d", person=CHILD, **{field: frozenset({CONTRACTED})})
    assert consents.admitting([theirs, silent], PERSON, CONTRACTED, fussa(), TODAY) == (True, None)


def test_who_acts_by_role_is_not_let_in_by_a_consent_of_the_day_of_the_exclusion() -> None:
    """Of the same day, the exclusion counts."""
    excluding = consent(CARE, id="a", excluded=frozenset({CONTRACTED}))
    assert consents.admitting([excluding, consent(CONTRACTED, id="b")], PERSON, CONTRACTED, fussa(), TODAY) == (
        False,
        None,
    )


def test_who_acts_by_role_is_let_in_by_consent_to_its_contractor_alone() -> None:
    """The next contractor is somebody else, unless the consent covers it: the entry ends with the contract."""
    profile = with_contracts(fussa(), contract("社協", TODAY - 100 * DAY, MARCH_END), contract("次の法人", APRIL_FIRST))
    fact = consent(CARE)
    assert consents.admitting([fact], PERSON, CONTRACTED, profile, MARCH_END) == (True, MARCH_END)
    assert consents.admitting([fact], PERSON, CONTRACTED, profile, APRIL_FIRST) == (False, None)
    covering = consent(CARE, covers_successor=True)
    assert consents.admitting([fact, covering], PERSON, CONTRACTED, profile, MARCH_END) == (True, None)
    assert consents.admitting([fact, covering], PERSON, CONTRACTED, profile, APRIL_FIRST) == (True, None)
    anew = consent(CARE, given_on=APRIL_FIRST)
    assert consents.admitting([fact, anew], PERSON, CONTRACTED, profile, APRIL_FIRST) == (True, None)


def test_an_exclusion_in_a_refusal_counts_from_the_day_it_was_put_on_record() -> None:
    """A consent of a later day that names the agency takes it back, one of that day does not; without any day it holds."""
    refused = consent(id="a", status=ConsentStatus.REFUSED, given_on=None, excluded=frozenset({CARE}))
    for recorded_on, opens in ((TODAY - DAY, True), (TODAY, False), (TODAY + DAY, False), (None, False)):
        said = msgspec.structs.replace(refused, recorded_on=recorded_on)
        found = consents.covering([said, consent(CARE)], PERSON, CARE, fussa(), TODAY)
        assert (found is not None) is opens, recorded_on
    dated = msgspec.structs.replace(refused, given_on=TODAY, recorded_on=TODAY - DAY)
    assert consents.covering([dated, consent(CARE)], PERSON, CARE, fussa(), TODAY) is None
