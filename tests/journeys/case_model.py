"""A second account of who may see what: the design's rules said once more, as plainly as possible, over what was accepted.

It reads no table of the services and calls none of their rules. Tests hold the services to it.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from typing import Any

import msgspec

from tsunagi_shared.contracts.profile import Profile

DAY = dt.timedelta(days=1)
TAKEN_BACK = ("withdrawn", "misdirected")
ENDS = frozenset({"advised", "handed_over", "outreach_ended", "closed", "returned", "withdrawn"})
# The arrows of the life cycle (design §6 rule 3) as far as they go without plans; any number of them at one stroke
ARROWS = {
    "received": {"screened", "returned"},
    "screened": {"advised", "handed_over", "outreach", "accepted", "returned"},
    "outreach": {"accepted", "outreach_ended", "returned"},
    "accepted": {"assessed", "returned"},
    "assessed": {"returned"},
}
CLOSABLE = {"advised", "handed_over", "outreach_ended", "returned"}  # how a case ends without a meeting, with a reason
# What a kind of form opens beside writer and section: the provider, consented agencies, the 支援会議, other grounds
OPENS = {
    "referral": {"provider", "consent", "meeting", "grounds"},
    "assessment": {"provider", "consent", "meeting", "grounds"},
    "evaluation": {"provider", "meeting", "grounds"},
    "reply": {"provider", "meeting"},
    "consent": {"provider"},
    "contact": {"provider"},
    "pledge": set[str](),
}


PAPERS = {
    "referral": "referral_sheet", "reply": "referral_reply", "consent": "consent_form", "assessment": "assessment_sheet",
    "evaluation": "evaluation_sheet", "pledge": "pledge",
}  # fmt: skip


class Person(msgspec.Struct, eq=False):
    """Somebody whom a case shows. `rows`: by referral (its id), the id of the line that is them there."""

    name: str
    kana: str = ""
    birth: str = ""
    rows: dict[str, str] = {}

    def may_be(self, other: Person) -> bool:
        """Whether the two may be one: the same kana, and no two birth dates."""
        same = bool(self.kana) and self.kana == other.kana
        return same and (not self.birth or not other.birth or self.birth == other.birth)


class Consent(msgspec.Struct, eq=False, kw_only=True):
    """What one person said. `cut`: withdrawn for these alone; `void`: it came with a referral that was taken back."""

    id: str
    person: Person
    status: str
    agencies: set[str] = set()
    excluded: set[str] = set()
    given_on: dt.date | None = None
    recorded_on: dt.date | None = None
    until: dt.date | None = None
    covers_successor: bool = False
    withdrawn_on: dt.date | None = None
    cut: set[str] = set()
    void: bool = False
    closed: bool = False
    revision: int = 1

    def live(self, day: dt.date) -> bool:
        """Given, begun, neither run out nor withdrawn."""
        begun = self.status == "given" and self.given_on is not None and self.given_on <= day and not self.void
        return begun and (self.until or day) >= day and (self.withdrawn_on is None or day < self.withdrawn_on)


class Dated(msgspec.Struct, eq=False, kw_only=True):
    """A protection, an allocation or a ground: between two days, until somebody or the calendar ends it."""

    id: str
    agency: str = ""
    kind: str = ""
    person: Person | None = None
    fields: set[str] = set()
    cleared: set[str] = set()
    since: dt.date = dt.date.min
    until: dt.date | None = None
    over: bool = False
    reviewed: bool = False

    def holds(self, day: dt.date) -> bool:
        """Whether it counts on that day."""
        return not self.over and self.since <= day and (self.until or day) >= day


class Form(msgspec.Struct, eq=False, kw_only=True):
    """A referral or a record, with what its last revision said.

    `people`: of a referral whom its lines show, of a record whom the referrals have shown since it was written; `former`:
    who stood on a line of the referral once.
    """

    id: str
    kind: str
    agency: str
    content: dict[str, Any]
    case: Case | None = None
    number: str = ""
    revision: int = 1
    state: str = "submitted"
    people: list[Person] = []
    former: list[Person] = []
    about: Form | None = None
    replied: set[str] = set()

    @property
    def name(self) -> str:
        return f"{self.kind}/{self.id}"


class Case(msgspec.Struct, eq=False, kw_only=True):
    """A case with everything on record."""

    number: str
    state: str = "received"
    revision: int = 1
    joined_into: Case | None = None
    forms: list[Form] = []
    consents: list[Consent] = []
    protections: list[Dated] = []
    allocations: list[Dated] = []
    grounds: list[Dated] = []

    @property
    def referrals(self) -> list[Form]:
        return [form for form in self.forms if form.kind == "referral"]

    @property
    def counting(self) -> list[Form]:
        """Its referrals; those taken back only where there are no others."""
        return [form for form in self.referrals if form.state not in TAKEN_BACK] or self.referrals

    @property
    def ended(self) -> bool:
        return self.state in ENDS

    def people(self) -> list[Person]:
        """Everybody on a referral that counts, in their order."""
        return list(dict.fromkeys(person for form in self.counting for person in form.people))

    def stands(self, person: Person) -> bool:
        """Whether somebody stands on any of its referrals."""
        return any(person in form.people for form in self.referrals)

    def keep_known(self) -> None:
        """Whom the referrals show now, the records go on showing."""
        for form in self.forms:
            if form.kind != "referral":
                form.people = list(dict.fromkeys((*form.people, *self.people())))

    def id_of(self, person: Person) -> str:
        """By which id the case knows somebody: their line in the earliest referral they stand, or stood, in."""
        return next(person.rows[form.id] for form in self.referrals if form.id in person.rows)


class Sight(msgspec.Struct, frozen=True):
    """What an agency sees of a form: all or the summary, on which bases, whom it does not see and which fields.

    Of two bases as wide as each other either may be the one on record: `hidden` holds whom each hides.
    """

    full: bool
    bases: frozenset[str]
    hidden: frozenset[frozenset[str]]
    withheld: frozenset[str]


class World:
    """Every case there is, on one day, under one profile."""

    def __init__(self, profile: Profile, day: dt.date) -> None:
        self.profile, self.day = profile, day
        self.cases: list[Case] = []
        self.pledges: list[Form] = []
        self.provider = profile.roles.multi_agency_provider
        self.section = profile.municipality.responsible_section
        self.secretariat = profile.roles.support_meeting_secretariat
        self.agencies = {row.id: row for row in profile.agencies}
        # 直営, or the secretariat of the 支援会議: the provider needs no consent
        self.exempt = "direct" in self.agencies[self.provider].operation or self.provider == self.secretariat

    # who runs an agency -------------------------------------------------------------------------------------------------

    def runner(self, agency: str, day: dt.date) -> str | None:
        """The contractor, empty for an agency that runs itself, None while nobody does."""
        row = self.agencies.get(agency)
        if row is None:
            return None
        if not row.operated_by or "direct" in row.operation:
            return ""
        return next((one.contractor for one in row.operated_by if one.starts <= day <= (one.until or day)), None)

    def same_runner(self, agency: str, since: dt.date) -> bool:
        """Whether it was run by one and the same, without a gap, from that day on."""
        first = self.runner(agency, since)
        days = [since, self.day]
        for one in self.agencies[agency].operated_by if agency in self.agencies else ():
            days += [one.starts, *([one.until, one.until + DAY] if one.until else [])]
        return first is not None and all(self.runner(agency, day) == first for day in days if since <= day <= self.day)

    # what people said ----------------------------------------------------------------------------------------------------

    def agreed(self, case: Case, person: Person, agency: str) -> bool:
        """Whether the person agreed that the agency, as it is run now, may know."""
        return any(
            one.live(self.day)
            and self._names(case, one, agency)
            and (one.covers_successor or self.same_runner(agency, one.given_on or self.day))
            for one in case.consents
            if one.person is person
        )

    def _names(self, case: Case, one: Consent, agency: str) -> bool:
        """Named, and neither withdrawn for it nor excluded by what was said that day or later."""
        excluded = any(
            agency in other.excluded and (other.given_on or other.recorded_on or self.day) >= (one.given_on or self.day)
            for other in self._said(case, one.person)
        )
        return agency in one.agencies - one.cut and not excluded

    def _said(self, case: Case, person: Person) -> Iterator[Consent]:
        """What the person, or whoever may be the same, said in the case or in one joined with it: whom they exclude counts."""
        for other in self.group(case):
            yield from (said for said in other.consents if self.closes_for(said.person, person))

    def closes_for(self, one: Person, other: Person) -> bool:
        """Whether what one person said that closes something closes it for the other as well."""
        return one is other or (bool(one.rows) and other.may_be(one))

    def refused(self, case: Case, said: Consent) -> None:
        """Whatever those who may be the person agreed to before has ended, in the cases joined with this one too."""
        for one in self.group(case):
            for given in one.consents:
                if given is not said and self.closes_for(said.person, given.person):
                    self.end(given)

    def end(self, one: Consent) -> None:
        """The consent ends today, unless it has ended."""
        if one.status == "given" and not one.closed:
            one.withdrawn_on, one.closed, one.revision = self.day, True, one.revision + 1

    def admitted(self, case: Case, person: Person) -> bool:
        """Whether the provider may know of the person: by its office, or by any live consent that leaves it room."""
        if self.exempt:
            return True
        said = [one for one in case.consents if one.person is person]
        unwanted = any(self.provider in one.cut for one in said)
        unwanted = unwanted or any(self.provider in one.excluded for one in self._said(case, person))
        return any(
            one.live(self.day)
            and (not unwanted or self._names(case, one, self.provider))
            and (one.covers_successor or self.same_runner(self.provider, one.given_on or self.day))
            for one in said
        )

    def consented(self, case: Case, person: Person) -> bool:
        """Whether the person has any live consent."""
        return any(one.person is person and one.live(self.day) for one in case.consents)

    # who sees what -------------------------------------------------------------------------------------------------------

    def shown(self, form: Form) -> list[Person]:
        """Whom the form shows or has shown, the subject first. Nobody is ever unknown again."""
        return list(dict.fromkeys((*form.people, *form.former)))

    def sought(self, form: Form) -> list[Person]:
        """By whose kana the case is found because of the form: of whom it speaks now."""
        return form.people if form.kind == "referral" or form.case is None else form.case.people()

    def support_meeting_only(self, form: Form) -> bool:
        """Whether its papers stay within the 支援会議."""
        assert form.case is not None
        return "meeting" in OPENS[form.kind] and not self.consented(form.case, self.shown(form)[0])

    def _rights(self, form: Form) -> Iterator[tuple[str, str, bool, set[Person]]]:
        """(agency, basis, all of it, whom it does not see) of every ground on which somebody may see the form."""
        case, shown, opens = form.case, self.shown(form), OPENS[form.kind]
        yield self.section, "responsible_section", True, set()
        if case is None:
            yield form.agency, "origin", True, set()
            return
        others = shown[1:]
        yield form.agency, "origin", True, self._unknown(form, form.agency)
        if form.state in TAKEN_BACK:
            return
        if form.about is not None:
            yield form.about.agency, "origin", True, self._unknown(form, form.about.agency)
        if "provider" in opens and self.admitted(case, shown[0]):
            yield self.provider, "provider", True, {one for one in others if not self.admitted(case, one)}
        if "consent" in opens:
            wanted = {agency for one in ([form] if form.kind == "referral" else case.counting)
                      for agency in one.content["destinations"]}  # fmt: skip
            for agency in wanted | {one.agency for one in case.allocations if one.holds(self.day)}:
                if self.agreed(case, shown[0], agency):
                    yield agency, "consent", False, {one for one in others if not self.agreed(case, one, agency)}
        if self.support_meeting_only(form):
            yield self.secretariat, "sitting", True, set()
        if "grounds" in opens:
            for ground in case.grounds:
                if ground.holds(self.day):
                    yield ground.agency, ground.kind, True, set()

    def _unknown(self, form: Form, agency: str) -> set[Person]:
        """Of those beside the subject, who neither agreed to the agency nor stands on a referral of its own."""
        if form.kind == "referral" or form.case is None:
            return set()
        wrote = {person for one in form.case.counting if one.agency == agency for person in self.shown(one)}
        return {one for one in self.shown(form)[1:] if one not in wrote and not self.agreed(form.case, one, agency)}

    def readers(self, form: Form) -> dict[str, Sight]:
        """Every agency that may see the form today, by the ground that shows it most."""
        best: dict[str, list[tuple[tuple[bool, bool], str, bool, set[Person]]]] = {}
        for agency, basis, full, hidden in self._rights(form):
            if self.runner(agency, self.day) is not None:
                best.setdefault(agency, []).append(((not full, bool(hidden)), basis, full, hidden))
        found = {}
        for agency, rights in best.items():
            rank = min(right[0] for right in rights)
            widest = [right for right in rights if right[0] == rank]
            kept_from = frozenset(self._ids(form, right[3]) for right in widest)
            bases = frozenset(right[1] for right in widest)
            found[agency] = Sight(widest[0][2], bases, kept_from, self._withheld(form, agency))
        return found

    def _ids(self, form: Form, people: set[Person]) -> frozenset[str]:
        return frozenset(form.case.id_of(person) for person in people) if form.case else frozenset()

    def _withheld(self, form: Form, agency: str) -> frozenset[str]:
        """`<person>:<field>` of what protection keeps from the agency, also for whoever may be the person meant."""
        if form.case is None:
            return frozenset()
        return frozenset(
            f"{form.case.id_of(person)}:{field}"
            for case in self.group(form.case)
            for one in case.protections
            if one.holds(self.day) and agency not in one.cleared and one.person is not None
            for person in self.shown(form)
            if self.closes_for(one.person, person)
            for field in one.fields
        )

    def group(self, case: Case) -> list[Case]:
        """The case and all that were joined with it."""
        head = case.joined_into or case
        return [one for one in self.cases if one is head or one.joined_into is head]

    def forms_seen_with(self, case: Case) -> list[Form]:
        """The forms by which somebody sees a case: its own, and those of the cases joined to it."""
        return [form for one in self.cases if one is case or one.joined_into is case for form in one.forms]

    def papers(self, form: Form, agency: str, sight: Sight) -> set[str]:
        """The kinds of papers of a form that an agency with that sight reads. Where nobody consented there is none, unless
        one was drawn before; the provider has the draft of its assessment as well."""
        if form.kind == "consent" and form.content["status"] != "given" and form.revision == 1:
            return set()
        found = {PAPERS[form.kind]} if form.kind in PAPERS else set[str]()
        return found | (
            {"assessment_sheet"} if form.kind == "referral" and agency == self.provider and sight.full else set()
        )

    def best_sight(self, case: Case, agency: str) -> Sight | None:
        """How much of the case the agency sees: all of it by what others wrote and it reads in full, or by the referral that the
        case rests on; by what it wrote itself no more than that."""
        part: Sight | None = None
        for form in case.forms:
            sight = self.readers(form).get(agency)
            if sight is not None and sight.full and (form is case.counting[0] or form.agency != agency):
                return sight
            part = sight or part
        return msgspec.structs.replace(part, full=False) if part else None

    def allocated(self, case: Case, agency: str) -> bool:
        """Whether the agency has a part in the case today."""
        return any(one.agency == agency and one.holds(self.day) for one in case.allocations)

    # time ----------------------------------------------------------------------------------------------------------------

    def carry_out_ends(self) -> None:
        """What the calendar ends is marked as such."""
        for case in self.cases:
            for one in case.consents:
                if one.status == "given" and not one.closed and one.until and one.until < self.day:
                    one.closed, one.revision = True, one.revision + 1
            for dated in (*case.protections, *case.allocations, *case.grounds):
                dated.over = dated.over or bool(dated.until and dated.until < self.day)


def may_become(before: str, after: str, *, taken_back: bool, closing: bool) -> bool:
    """Whether a case may go from one state to the other in one step.

    `taken_back`: something on record was corrected or withdrawn, so that what rested on it falls as well; `closing`: somebody
    ended the case with a reason.
    """
    if before == after or (after == "withdrawn" and taken_back):
        return True
    if before in ENDS:
        return False
    if taken_back or (closing and after in CLOSABLE):
        return True
    found, waiting = {before}, [before]
    while waiting:
        fresh = ARROWS.get(waiting.pop(), set()) - found
        found |= fresh
        waiting += fresh
    return after in found
