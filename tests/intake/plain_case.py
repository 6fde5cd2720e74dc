"""A case on plain data that people act on at random: who asks for what is drawn, the rules say whether it is done."""

from __future__ import annotations

import datetime as dt
import random
from collections.abc import Callable

import msgspec

from tests.intake.case_facts import (
    CARE,
    CHILD,
    CLINIC,
    CONTRACTED,
    DAY,
    NURSERY,
    PARENT,
    PERSON,
    PROVIDER,
    SECTION,
    TODAY,
    WRITER,
)
from tsunagi_intake import consents
from tsunagi_intake.audience import FormFacts, GroundFact, ProtectionFact, SittingFact, of_form
from tsunagi_intake.consents import ConsentFact
from tsunagi_intake.lifecycle import (
    DecisionFacts,
    DecisionPurpose,
    OtherPlan,
    PlanAction,
    PlanFacts,
    PlanState,
    new_plan,
    plan_step,
)
from tsunagi_intake.rule import Broken
from tsunagi_intake.rules import Action, Actor, CaseFacts, CaseState, Standing, case_state, permitted
from tsunagi_shared.contracts.audience import AudienceEntry, BasisKind, View
from tsunagi_shared.contracts.profile import LegalRole, Profile, Role
from tsunagi_shared.forms.assessment import Screening
from tsunagi_shared.forms.case_actions import ClosureReason
from tsunagi_shared.forms.plan import PlanKind
from tsunagi_shared.forms.referral import ConsentStatus

AGENCIES = (WRITER, PROVIDER, SECTION, CARE, NURSERY, CLINIC, CONTRACTED)
PERSONS = (PERSON, CHILD, PARENT)
FIELDS = ("address", "phone")
ROLES = tuple(role.value for role in Role)

# The arrows of the life cycle of a case; any number of them at one stroke.
ARROWS = {
    CaseState.RECEIVED: {CaseState.SCREENED},
    CaseState.SCREENED: {CaseState.ADVISED, CaseState.HANDED_OVER, CaseState.OUTREACH, CaseState.ACCEPTED},
    CaseState.OUTREACH: {CaseState.ACCEPTED, CaseState.OUTREACH_ENDED},
    CaseState.ACCEPTED: {CaseState.ASSESSED},
    CaseState.ASSESSED: {CaseState.SUPPORTED},
    CaseState.SUPPORTED: {CaseState.FOLLOWED_UP},
    CaseState.FOLLOWED_UP: {CaseState.CLOSED, CaseState.SUPPORTED},
}
ANYWHERE = {CaseState.RETURNED, CaseState.WITHDRAWN}


class Plan(msgspec.Struct):
    """A plan with what it rests on."""

    id: str
    kind: PlanKind
    state: PlanState
    previous: str
    decision: DecisionFacts = DecisionFacts()


class PlainCase:
    """One case from its first referral on."""

    def __init__(self, profile: Profile, dice: random.Random) -> None:
        self.profile, self.dice, self.day = profile, dice, TODAY
        self.records: list[FormFacts] = []
        self.consents: list[ConsentFact] = []
        self.protections: list[ProtectionFact] = []
        self.grounds: list[GroundFact] = []
        self.sittings: list[SittingFact] = []
        self.allocated: list[str] = []
        self.plans: list[Plan] = []
        self.answers: dict[str, str] = {}  # form → state
        self.replied: set[tuple[str, str]] = set()
        self.screening = self.lead = self.ended_code = self.answered = ""
        self.intake = self.assessed = self.joined = self.outreach = False
        self.count = 0
        self.refused = 0
        self.before = CaseState.RECEIVED
        self._refer(WRITER)

    # What is on record

    def forms(self) -> list[FormFacts]:
        """Every form with the facts as they stand."""
        referrals = [record for record in self.records if record.kind == "referral"]
        known = {
            agency: frozenset(person for record in referrals if record.origin == agency for person in record.persons)
            for agency in {record.origin for record in referrals}
        }
        return [
            msgspec.structs.replace(
                record,
                consents=tuple(self.consents),
                protections=tuple(self.protections),
                grounds=tuple(self.grounds),
                sittings=tuple(self.sittings),
                allocated=tuple(self.allocated),
                wrote_of=known,
            )
            for record in self.records
        ]

    def state(self) -> CaseState:
        """The state that follows."""
        referrals = [record for record in self.records if record.kind == "referral"]
        return case_state(
            CaseFacts(
                all_withdrawn=all(record.withdrawn for record in referrals),
                replied=self.answered,
                screening=self.screening,
                intake=self.intake,
                assessed=self.assessed,
                consented=consents.ever_consented(self.consents, PERSON),
                outreach=self.outreach,
                plans=tuple(plan.state for plan in self.plans),
                lead=self.lead,
                ended_code=self.ended_code,
            )
        )

    def size(self) -> tuple[int, ...]:
        """What may not grow once the case has ended."""
        given = sum(consent.status is ConsentStatus.GIVEN for consent in self.consents)
        return (len(self.records), given, len(self.allocated), len(self.grounds), len(self.plans))

    def check_states(self) -> None:
        """The case came here along the arrows; no plan is in force without its decision, nor two of a kind open."""
        now = self.state()
        assert now in self._reachable(), (self.before, now)
        self.before = now
        for plan in self.plans:
            decision = plan.decision
            if plan.state in (PlanState.ADOPTED, PlanState.SUSPENDED, PlanState.ENDED):
                assert decision.heard_under is LegalRole.LAYERED_SUPPORT_MEETING
                assert decision.decided_on is not None
                assert decision.decided_on <= self.day
            if plan.state is PlanState.ADOPTED:
                assert decision.agreed_on is not None
                assert decision.municipal_on is not None
            if plan.state is PlanState.PROVISIONAL:
                assert plan.kind is PlanKind.OUTREACH
        for kind in PlanKind:
            open_ = [plan for plan in self.plans if plan.kind is kind and plan.state.open]
            assert len(open_) <= 1 or {plan.id for plan in open_[:-1]} == {open_[-1].previous}

    def _reachable(self) -> set[CaseState]:
        found, waiting = {self.before}, [self.before]
        while waiting:
            here = waiting.pop()
            fresh = ARROWS.get(here, set()) - found
            if not here.ended:
                fresh |= ANYWHERE - found
            found |= fresh
            waiting += fresh
        if self.before.ended:
            return {self.before, CaseState.WITHDRAWN}  # what was ended may still be recalled
        return found | {state for state in CaseState if state.ended}

    # What people try

    def step(self) -> None:
        """One person tries one thing, or days pass."""
        trial = self.dice.choice(_TRIALS)
        ended, size = self.before.ended or self.joined, self.size()
        trial(self)
        if ended:
            assert self.size() == size

    def _try(self, action: Action, form: FormFacts | None = None) -> Actor | None:
        """Somebody drawn at random asks for it: who it is, or None where the rules refuse."""
        agency, roles = self.dice.choice(AGENCIES), frozenset(self.dice.sample(ROLES, self.dice.randint(1, 2)))
        if self.dice.random() < 0.4:  # else most of what is tried is refused
            agency, roles = self.profile.roles.multi_agency_provider, frozenset({Role.COORDINATOR.value})
        live = self.profile.contract_live(agency, self.day)
        actor = Actor(user=f"user-of-{agency}", agency=agency, roles=roles, contract_live=live)
        entry = self._entry(agency, form)
        standing = Standing(
            view=entry.view if entry else None,
            basis=entry.basis.kind if entry else None,
            is_writer=form is not None and form.origin == agency,
            is_provider=agency == self.profile.roles.multi_agency_provider,
            is_section=agency == self.profile.municipality.responsible_section,
            is_allocated=agency in self.allocated,
            case_state=self.state(),
            joined=self.joined,
            form_state=self.answers[form.form] if form else "",
            has_replied=form is not None and (form.form, agency) in self.replied,
        )
        broken = permitted(action, actor, standing)
        if broken is not None:
            self.refused += 1
            return None
        assert live
        assert entry is not None
        return actor

    def _entry(self, agency: str, form: FormFacts | None) -> AudienceEntry | None:
        wanted = [facts for facts in self.forms() if form is None or facts.form == form.form]
        found = [entry for facts in wanted for entry in of_form(facts, self.profile, self.day).entries]
        mine = [entry for entry in found if entry.agency == agency and entry.live_on(self.day)]
        return min(mine, key=lambda entry: entry.view is not View.FULL, default=None)

    def _agencies(self) -> tuple[str, ...]:
        return tuple(self.dice.sample(AGENCIES, self.dice.randint(0, 4)))

    def _date(self) -> dt.date:
        return self.day + self.dice.randint(-1, 3) * DAY

    def _maybe(self, day: dt.date) -> dt.date | None:
        return day if self.dice.random() < 0.5 else None

    def _next(self) -> str:
        self.count += 1
        return str(self.count)

    def _write(self, kind: str, origin: str, persons: tuple[str, ...], answers: str = "") -> None:
        identity = f"{kind}/{self._next()}"
        self.records.append(
            FormFacts(form=identity, kind=kind, origin=origin, destinations=self._agencies(), persons=persons,
                      consents=(), protections=(), grounds=(), answers=answers)
        )  # fmt: skip
        self.answers[identity] = "submitted"

    def _refer(self, origin: str) -> None:
        others = tuple(self.dice.sample(PERSONS[1:], self.dice.randint(0, 2)))
        self._write("referral", origin, (PERSON, *others))

    def _record(self, kind: str, action: Action) -> bool:
        actor = self._try(action)
        if actor is not None and len(self.records) < 12:
            self._write(kind, actor.agency, PERSONS)
        return actor is not None

    def refer(self) -> None:
        """Another referral into the same case: by an agency that reads it, while it runs."""
        actor = self._try(Action.LOG_CONTACT)
        if actor is not None and len(self.records) < 12:
            self._refer(actor.agency)

    def give_consent(self) -> None:
        """Of anybody, to anybody, in any status."""
        if self._try(Action.GIVE_CONSENT) is None or len(self.consents) > 8:
            return
        given_on = min(self._date(), self.day)
        status = ConsentStatus.GIVEN if self.dice.random() < 0.8 else ConsentStatus.REFUSED
        person = PERSON if self.dice.random() < 0.5 else self.dice.choice(PERSONS)
        excluded = frozenset(self._agencies()[:1]) if self.dice.random() < 0.2 else frozenset()
        self.consents.append(
            ConsentFact(id=self._next(), person=person, status=status, agencies=frozenset(self._agencies()),
                        given_on=given_on if status is ConsentStatus.GIVEN else None, until=self._maybe(self._date()),
                        covers_successor=self.dice.random() < 0.2, excluded=excluded)
        )  # fmt: skip

    def withdraw_consent(self) -> None:
        """As a whole or for some."""
        if self.consents and self._try(Action.WITHDRAW_CONSENT):
            place = self.dice.randrange(len(self.consents))
            fact = self.consents[place]
            if self.dice.random() < 0.5:
                self.consents[place] = msgspec.structs.replace(fact, withdrawn_on=self.day)
            else:
                gone = fact.withdrawn_agencies | set(self._agencies()[:1])
                self.consents[place] = msgspec.structs.replace(fact, withdrawn_agencies=gone)

    def extend_consent(self) -> None:
        """To more agencies, for longer or for less long."""
        if self.consents and self._try(Action.EXTEND_CONSENT):
            place = self.dice.randrange(len(self.consents))
            fact = self.consents[place]
            self.consents[place] = msgspec.structs.replace(
                fact, agencies=fact.agencies | set(self._agencies()), until=self._maybe(self._date())
            )

    def protect(self) -> None:
        """From a day, until a day, some cleared."""
        if self._try(Action.PROTECT) and len(self.protections) < 4:
            since = self._date()
            fields = tuple(self.dice.sample(FIELDS, self.dice.randint(1, 2)))
            self.protections.append(
                ProtectionFact(id=self._next(), person=self.dice.choice(PERSONS), fields=fields,
                               cleared=frozenset(self._agencies()[:2]), since=since,
                               until=self._maybe(since + self.dice.randint(0, 3) * DAY))
            )  # fmt: skip

    def lift(self) -> None:
        """One protection goes."""
        if self.protections and self._try(Action.LIFT_PROTECTION):
            self.protections.pop(self.dice.randrange(len(self.protections)))

    def allocate(self) -> None:
        """An agency more, or one less."""
        if self._try(Action.ALLOCATE):
            agency = self.dice.choice(AGENCIES)
            if agency in self.allocated:
                self.allocated.remove(agency)
            else:
                self.allocated.append(agency)

    def ground(self) -> None:
        """A basis other than consent."""
        if self._try(Action.RECORD_GROUND) and len(self.grounds) < 2:
            kind = self.dice.choice((BasisKind.LEGAL_DUTY, BasisKind.EMERGENCY))
            until = self._maybe(self._date())
            self.grounds.append(
                GroundFact(id=self._next(), agency=self.dice.choice(AGENCIES), kind=kind, law="law", until=until)
            )

    def convene(self) -> None:
        """A 支援会議 hears the case; its members' right ends on a day."""
        if len(self.sittings) < 2 and not self.before.ended and not self.joined:
            members = ("user-a",) if self.dice.random() < 0.5 else ()
            agency = self.dice.choice(AGENCIES)
            self.sittings.append(SittingFact(ref=self._next(), agency=agency, members=members, until=self._date()))

    def assess(self) -> None:
        """An intake sheet or an assessment, with or without a screening result."""
        if self._record("assessment", Action.ASSESS):
            self.intake = True
            self.assessed |= self.dice.random() < 0.5
            result = self.dice.choice(
                (None, *Screening, *(Screening.CONTINUED,) * 4, *(Screening.CONSENT_PENDING,) * 2)
            )
            ends = result in (Screening.ADVISED, Screening.HANDED_OVER)
            settled = self.screening and result is Screening.SUSPENDED
            if result is not None and not settled and not (ends and self.before in ARROWS.keys() - _SCREENING):
                self.screening = result.value

    def evaluate(self) -> None:
        """評価シート."""
        self._record("evaluation", Action.EVALUATE)

    def log(self) -> None:
        """支援経過記録, or a consent form as a record."""
        self._record(self.dice.choice(("contact", "consent")), Action.LOG_CONTACT)

    def _referral(self) -> FormFacts:
        return self.dice.choice([record for record in self.records if record.kind == "referral"])

    def reply(self) -> None:
        """受理 or 差戻し; only the provider's (or the 支援会議's) says what becomes of the case."""
        form = self._referral()
        actor = self._try(Action.REPLY, form)
        if actor is None:
            return
        self.replied.add((form.form, actor.agency))
        entry = self._entry(actor.agency, form)
        assert entry is not None
        assert entry.basis.kind in (BasisKind.PROVIDER, BasisKind.CONSENT, BasisKind.SITTING)
        if entry.basis.kind is not BasisKind.CONSENT:
            assert self.answers[form.form] == "submitted"
            decision = "returned" if self.dice.random() < 0.05 else "accepted"
            self.answers[form.form] = self.answered = decision
        self._write("reply", actor.agency, PERSONS, form.origin)

    def take_back(self) -> None:
        """取下げ or 誤送付."""
        if self.dice.random() < 0.8:
            return
        form = self._referral()
        recall = self.dice.random() < 0.5
        if self._try(Action.RECALL_REFERRAL if recall else Action.WITHDRAW_REFERRAL, form):
            assert not form.withdrawn
            code = "misdirected" if recall else "withdrawn"
            self.answers[form.form] = code
            place = self.records.index(form)
            self.records[place] = msgspec.structs.replace(form, withdrawn=code)

    def set_lead(self) -> None:
        """主担当."""
        if self._try(Action.SET_LEAD):
            self.lead = self.dice.choice(AGENCIES)

    def close(self) -> None:
        """Now and then somebody closes the case, or joins it to another."""
        if self.dice.random() < 0.9:
            return
        if self._try(Action.CLOSE_CASE):
            assert not any(plan.state is PlanState.ADOPTED for plan in self.plans)
            self.ended_code = self.dice.choice(list(ClosureReason)).value
        elif self._try(Action.JOIN_CASES) and self.dice.random() < 0.3:
            self.joined = True

    def draw_up(self) -> None:
        """A new plan, or a 再プラン."""
        if self.before.ended or self.joined or len(self.plans) > 6:
            return
        kind = self.dice.choice(list(PlanKind))
        previous = self.dice.choice(["", *(plan.id for plan in self.plans)])
        others = tuple(OtherPlan(plan.id, plan.kind, plan.state) for plan in self.plans)
        if new_plan(kind, previous, others) is None:
            self.plans.append(Plan(self._next(), kind, PlanState.DRAFT, previous))

    def move_plan(self) -> None:
        """Any step of any plan, with a decision that may lack anything."""
        if not self.plans or self.before.ended or self.joined:
            return
        plan = self.dice.choice(self.plans)
        action = self.dice.choice(list(PlanAction))
        decision = self._decision()
        if self.dice.random() < 0.7 and action.value in {purpose.value for purpose in DecisionPurpose}:
            replan = action is PlanAction.ADOPT and plan.previous
            purpose = (
                DecisionPurpose.REPLAN if replan else next(one for one in DecisionPurpose if one.value == action.value)
            )
            decision = msgspec.structs.replace(decision, purpose=purpose)
        facts = PlanFacts(
            kind=plan.kind, day=self.day, consented=consents.consented(self.consents, PERSON, self.day),
            replan=bool(plan.previous), confirmed_under=self.dice.choice((LegalRole.SUPPORT_MEETING, None)),
            successor=next((one.state for one in self.plans if one.previous == plan.id), None), decision=decision,
        )  # fmt: skip
        found = plan_step(plan.state, action, facts)
        if isinstance(found, Broken):
            self.refused += 1
            return
        if action is PlanAction.ADOPT:
            assert consents.consented(self.consents, PERSON, self.day)
        if action in (PlanAction.ADOPT, PlanAction.END, PlanAction.SUSPEND):
            plan.decision = decision
        plan.state = found
        self.outreach |= found is PlanState.PROVISIONAL
        if action is PlanAction.ADOPT and plan.previous:
            old = next(one for one in self.plans if one.id == plan.previous)
            follow = plan_step(old.state, PlanAction.SUPERSEDE, msgspec.structs.replace(facts, successor=found))
            old.state = follow if isinstance(follow, PlanState) else old.state

    def _decision(self) -> DecisionFacts:
        whole = self.dice.random() < 0.6
        return DecisionFacts(
            purpose=self.dice.choice(list(DecisionPurpose)),
            heard_under=LegalRole.LAYERED_SUPPORT_MEETING if whole else self.dice.choice((LegalRole.SUPPORT_MEETING, None)),
            decided_on=self.day if whole else self._maybe(self._date()),
            agreed_on=self.day if whole else self._maybe(self._date()),
            municipal_on=self.day if whole else self._maybe(self._date()),
        )  # fmt: skip

    def pass_days(self) -> None:
        """Time goes on."""
        self.day += self.dice.randint(0, 2) * DAY


_SCREENING = {CaseState.RECEIVED, CaseState.SCREENED}
_TRIALS: tuple[Callable[[PlainCase], None], ...] = (
    *(PlainCase.give_consent,) * 4, PlainCase.withdraw_consent, *(PlainCase.extend_consent,) * 2,
    *(PlainCase.allocate,) * 3, PlainCase.ground, PlainCase.convene, *(PlainCase.protect,) * 2, PlainCase.lift,
    *(PlainCase.assess,) * 4, PlainCase.evaluate, PlainCase.log, *(PlainCase.reply,) * 2, PlainCase.take_back,
    PlainCase.set_lead, PlainCase.close, PlainCase.refer, *(PlainCase.draw_up,) * 3, *(PlainCase.move_plan,) * 12,
    PlainCase.pass_days,
)  # fmt: skip
