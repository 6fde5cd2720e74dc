"""A random walk: somebody tries something, valid or not; what must come of it is said beforehand, and what came of it is kept."""

from __future__ import annotations

import datetime as dt
import random
from collections.abc import Callable
from typing import Any, ClassVar

import msgspec

from tests.journeys.case_forms import PEOPLE, Filler, Places
from tests.journeys.case_gates import CASE_WORK, REFERS, STEERS, Staff, acts, against, reaches, sight_of
from tests.journeys.case_model import Case, Consent, Dated, Form, Person, World

OTHER_PERSON = "018f0000-0000-7000-8000-000000000001.0"
MOST_OPEN_CASES = 4
# What of a form makes a difference to the rules
_TOLD = {
    "destinations", "case_number", "consent", "protection", "person", "status", "given_on", "agencies", "excluded_agencies",
    "lists", "until", "covers_successor", "withdrawn_on", "whole", "decision", "lead_agency", "kind", "stage", "screening",
    "fields", "cleared", "since", "agency", "lead", "into",
}  # fmt: skip
Told = Callable[[dict[str, Any], str], None]


class Try(msgspec.Struct, kw_only=True):
    """What somebody tries. `case`: the one it is about, where it is there already;
    `target`: a number or an id; `revision`: what it is made on, None where none is asked for.

    `must`: codes of which one has to come; `late`: the same, for what only stands against it once the rules let it through;
    with neither it must be accepted, unless it is one of `may`, which the rules leave open. `done`: given the
    answer and, of a referral, its id, keeps in the model what was accepted.
    """

    action: str
    staff: Staff
    case: Case | None = None
    target: str = ""
    kind: str = ""
    form: dict[str, Any] = {}
    revision: int | None = None
    must: set[str] = set()
    late: set[str] = set()
    may: set[str] = set()
    done: Told = lambda answer, identity: None

    def expects(self, outcome: str) -> bool:
        """Whether that may come of it: a refusal's code, empty for an acceptance."""
        wanted = self.must or self.late
        return outcome in self.may or (outcome in wanted if wanted else outcome == "")

    def told(self) -> str:
        """It in one line, without the words that make no difference."""
        form = {name: value for name, value in self.form.items() if name in _TOLD and value not in ("", None, [])}
        if self.kind == "referral":
            form.pop("person")
            form |= {"people": [self.form["person"]["name"], *(line["name"] for line in self.form["household"])]}
        revision = "" if self.revision is None else f" on {self.revision}"
        return f"{self.action} {self.kind} by {self.staff.user}, {self.target}{revision}: {form}"

    @property
    def falls_back(self) -> bool:
        """Whether it corrects or takes back what the state of a case rests on."""
        return self.action in ("correct_referral", "correct_record", "take_back")

    @property
    def closes(self) -> bool:
        """Whether it may end the case without a meeting, with a reason."""
        return self.action == "close_case" or self.form.get("screening") in ("advised", "handed_over")


class Walk:
    """Draws what is tried next, out of `trials`. One seed, one walk."""

    trials: ClassVar[tuple[Callable[[Any], Try | None], ...]]

    def __init__(self, world: World, dice: random.Random, staff: list[Staff], places: Places) -> None:
        self.world, self.dice, self.staff = world, dice, staff
        self.fill = Filler(dice, places, world.day)

    def pass_days(self, days: int) -> None:
        """Later."""
        self.world.day += dt.timedelta(days=days)
        self.fill.day = self.world.day

    def draw(self) -> Try:
        """The next thing that somebody tries."""
        found: Try | None = None
        while found is None:
            found = self.dice.choice(self.trials)(self)
        if found.kind and "forbidden" not in found.must and self.fill.chance(0.04):
            found.form = {**found.form, "not_a_field": "x"}
            found.must = {"invalid-form"}
        return found

    # who, and what about -------------------------------------------------------------------------------------------------

    def _who(self, *, roles: set[str] = CASE_WORK, agency: str = "", likely: float = 0.45) -> Staff:
        """Mostly somebody of that role (or agency) who may well do it, else anybody."""
        fit = [one for one in self.staff if one.roles & roles and (not agency or one.agency == agency)]
        return self.dice.choice(fit if fit and self.fill.chance(likely) else self.staff)

    def _coordinator(self) -> Staff:
        steering = [
            one for one in self.staff if one.roles & STEERS and one.agency in (self.world.provider, self.world.section)
        ]
        return self.dice.choice(steering if self.fill.chance(0.4) else self.staff)

    def _case(self) -> Case | None:
        """A case, mostly one that goes on."""
        running = [one for one in self.world.cases if not one.ended and one.joined_into is None]
        cases = running if running and self.fill.chance(0.85) else self.world.cases
        return self.dice.choice(cases) if cases else None

    def _form(self, *kinds: str) -> Form | None:
        case = self._case()
        found = [form for form in case.forms if form.kind in kinds] if case else []
        return self.dice.choice(found) if found else None

    def _revision(self, stored: int, late: set[str]) -> int:
        """What there is, or now and then another one."""
        if self.fill.chance(0.93):
            return stored
        late.add("changed-meanwhile")
        return stored + self.dice.choice((1, 2)) if stored == 1 or self.fill.chance(0.5) else stored - 1

    def _person(self, case: Case) -> tuple[Person | None, str]:
        """Somebody of the case and an id they go by; None and the id of somebody who is not in it."""
        people = list(dict.fromkeys(person for form in case.referrals for person in form.people))
        if self.fill.chance(0.06):
            others = [one for one in self.world.cases if one is not case and one.referrals]
            if not others:
                return None, OTHER_PERSON
            stranger = self.dice.choice(others)
            theirs = stranger.referrals[0].people[0]
            return self._known_here(case, stranger, theirs), stranger.id_of(theirs)
        person = case.people()[0] if self.fill.chance(0.5) else self.dice.choice(people)
        return person, self.dice.choice(list(person.rows.values()))

    def _known_here(self, case: Case, other: Case, theirs: Person) -> Person | None:
        """Somebody of the case who is a person of the other one, where the two were joined and kana and birth date say so."""
        if other not in self.world.group(case) or not (theirs.kana and theirs.birth):
            return None
        people = (person for form in case.referrals for person in form.people)
        return next((one for one in people if (one.kana, one.birth) == (theirs.kana, theirs.birth)), None)

    # referrals -----------------------------------------------------------------------------------------------------------

    def submit(self) -> Try | None:
        """A referral: into a new case, a known one, one that has ended, one that is not the sender's to see."""
        running = [one for one in self.world.cases if not one.ended and one.joined_into is None]
        known = self.dice.choice(self.world.cases) if self.world.cases and self.fill.chance(0.6) else None
        if known is None and len(running) >= MOST_OPEN_CASES:
            return None
        staff = self._who(roles=REFERS, likely=1)
        number = known.number if known else self.dice.choice(("", "", "", "C1999-00001"))
        form = self.fill.referral(number)
        head = (known.joined_into or known) if known else None
        into = head if head is not None and not head.ended else None
        found = Try(action="submit", staff=staff, case=into, kind="referral", form=form)
        if not acts(self.world, staff):
            found.must = {"contract-ended"}
        elif number and (known is None or not reaches(self.world, staff, known)):
            found.late = {"invalid-form"}
        found.done = lambda answer, identity: self._submitted(answer, identity, staff, form, into)
        return found

    def _submitted(
        self, answer: dict[str, Any], identity: str, staff: Staff, content: dict[str, Any], into: Case | None
    ) -> None:
        case = into
        if case is None:
            case = Case(number=answer["case_number"])
            assert case.number not in {one.number for one in self.world.cases}
            self.world.cases.append(case)
        assert answer["case_number"] == case.number
        names = [content["person"]["name"], *(line["name"] for line in content["household"])]
        people = []
        for position, name in enumerate(names):
            person = _known(case, name) or Person(name, *PEOPLE[name][1:], rows={})
            person.rows[identity] = f"{identity}.{position}"
            people.append(person)
        case.forms.append(
            Form(id=identity, kind="referral", agency=staff.agency, content=content, case=case, people=people,
                 number=answer["referral_number"])
        )  # fmt: skip
        case.keep_known()
        said = Consent(id=identity, person=people[0], **_consent_facts(content["consent"]))
        case.consents.append(said)
        if said.status == "refused":
            self.world.refused(case, said)
        if content.get("protection"):
            self._protect_with(case, identity, people[0], set(content["protection"]))

    def _protect_with(self, case: Case, identity: str, person: Person, fields: set[str]) -> None:
        case.protections.append(Dated(id=identity, person=person, fields=fields, since=self.world.day))

    def _end_earlier(self, case: Case, said: Consent) -> None:
        """The person's newest word counts."""
        for one in case.consents:
            earlier = one.given_on is not None and said.given_on is not None and one.given_on <= said.given_on
            if one.person is said.person and one is not said and earlier:
                self.world.end(one)

    def reply(self) -> Try | None:
        """受理 or 差戻し."""
        referral = self._form("referral")
        if referral is None:
            return None
        staff, late = self._who(agency=self.world.provider), set[str]()
        must = against(self.world, "reply", staff, referral.case, referral)
        content, revision = self.fill.reply(), self._revision(referral.revision, late)
        sight = sight_of(self.world, staff, None, referral)
        # Where it reads on another basis that opens as much or longer, that one may be on record
        may = {"not-asked-to-reply"} if sight and sight.bases - {"provider", "consent", "sitting"} else set[str]()

        def done(answer: dict[str, Any], _: str) -> None:
            assert referral.case is not None
            assert sight is not None
            self._recorded("reply", staff, content, referral.case, answer).about = referral
            referral.replied.add(staff.agency)
            if sight.bases & {"provider", "sitting"}:
                referral.state = content["decision"]
                referral.case.revision += 1 if content.get("lead_agency") else 0

        return Try(
            may=may, action="reply", staff=staff, case=referral.case, target=referral.number, kind="reply", form=content,
            revision=revision, must=must, late=late, done=done,
        )  # fmt: skip

    def _recorded(self, kind: str, staff: Staff, content: dict[str, Any], case: Case, answer: dict[str, Any]) -> Form:
        form = Form(
            id=answer["id"], kind=kind, agency=staff.agency, content=content, case=case, state="live",
            number=answer["number"], people=case.people(),
        )  # fmt: skip
        case.forms.append(form)
        return form

    def take_back(self) -> Try | None:
        """取下げ or 誤送付; not too often."""
        referral = self._form("referral")
        if referral is None or self.fill.chance(0.5):
            return None
        kind, late = self.dice.choice(("withdrawn", "misdirected")), set[str]()
        staff = self._who(agency=referral.agency)
        action = "recall_referral" if kind == "misdirected" else "withdraw_referral"
        must = against(self.world, action, staff, referral.case, referral)
        revision = self._revision(referral.revision, late)

        def done(answer: dict[str, Any], _: str) -> None:
            assert referral.case is not None
            referral.state = kind
            referral.case.keep_known()
            own = next(one for one in referral.case.consents if one.id == referral.id)
            own.void = True
            self.world.end(own)

        return Try(
            action="take_back", staff=staff, case=referral.case, target=referral.number, kind="withdrawal",
            form=self.fill.taken_back(kind), revision=revision, must=must, late=late, done=done,
        )  # fmt: skip

    def correct_referral(self) -> Try | None:
        """Other words, another household, another consent, more withheld."""
        referral = self._form("referral")
        if referral is None or referral.case is None:
            return None
        case, staff, late = referral.case, self._who(agency=referral.agency, likely=0.6), set[str]()
        must = against(self.world, "correct", staff, case, referral)
        content, revision = self.fill.corrected_referral(referral.content), self._revision(referral.revision, late)
        own = next(one for one in case.consents if one.id == referral.id)
        said = _consent_facts(content["consent"])
        changed = content["consent"] != referral.content["consent"]
        if changed and own.closed:
            late.add("consent-ended")
        if self._loses_protected(case, referral, content):
            late.add("invalid-form")

        def done(answer: dict[str, Any], _: str) -> None:
            before, referral.content, referral.revision = referral.content, content, referral.revision + 1
            assert answer["revision"] == referral.revision
            self._regrouped(case, referral)
            case.keep_known()
            if changed:
                same = all(getattr(own, name) == value for name, value in said.items())
                for name, value in said.items():
                    setattr(own, name, value)
                own.revision += 1
                if own.status == "refused" and not same:
                    self.world.refused(case, own)
            self._protected_more(case, referral, before)

        return Try(
            action="correct_referral", staff=staff, case=case, target=referral.number, kind="referral",
            form=content, revision=revision, must=must, late=late, done=done,
        )  # fmt: skip

    def _loses_protected(self, case: Case, referral: Form, content: dict[str, Any]) -> bool:
        """Whether somebody who is protected would stand in the case no more."""
        names = {line["name"] for line in content["household"]}
        others = [form for form in case.referrals if form is not referral]
        gone = [one for one in referral.people[1:] if one.name not in names]
        gone = [one for one in gone if not any(one in form.people for form in others)]
        return any(one.person is person and not one.over for person in gone for one in case.protections)

    def _regrouped(self, case: Case, referral: Form) -> None:
        """Who stands in a corrected referral: whoever stood there keeps their line's id, somebody new gets a new one."""
        names = [referral.content["person"]["name"], *(line["name"] for line in referral.content["household"])]
        stood = {person.name: person for person in referral.people}
        people = []
        for position, name in enumerate(names):
            kept = stood.get(name)
            person = kept if kept is not None else _known(case, name) or Person(name, *PEOPLE[name][1:], rows={})
            person.rows.setdefault(referral.id, f"{referral.id}.{referral.revision * 100 + position}")
            people.append(person)
        referral.former = list(dict.fromkeys((*referral.former, *referral.people)))
        referral.people = people

    def _protected_more(self, case: Case, referral: Form, before: dict[str, Any]) -> None:
        """A correction withholds more, never less."""
        added = set(referral.content.get("protection", [])) - set(before.get("protection", []))
        if not added:
            return
        own = next((one for one in case.protections if one.id == referral.id), None)
        if own is None:
            self._protect_with(case, referral.id, referral.people[0], added)
        else:
            own.fields = added if own.over else own.fields | added
            own.over, own.cleared, own.until = False, set(), None


def _known(case: Case, name: str) -> Person | None:
    """Somebody of that name who stands, or stood, in the case already, where kana and birth date are known."""
    _, kana, birth = PEOPLE[name]
    people = (person for form in case.referrals for person in (*form.people, *form.former))
    return next((one for one in people if one.name == name), None) if kana and birth else None


def _consent_facts(said: dict[str, Any]) -> dict[str, Any]:
    """What a referral's own consent says, as it is on record."""
    given_on, until = said.get("given_on"), said.get("until")
    return {
        "status": said["status"],
        "agencies": set(said.get("agencies", ())),
        "given_on": dt.date.fromisoformat(given_on) if given_on else None,
        "until": dt.date.fromisoformat(until) if until else None,
    }
