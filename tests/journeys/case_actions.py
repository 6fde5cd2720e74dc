"""What people try with a case beyond its referrals: consents, records, protections, parts, grounds, and its end."""

from __future__ import annotations

import datetime as dt
from typing import Any

from tests.journeys.case_forms import DAY
from tests.journeys.case_gates import Staff, against
from tests.journeys.case_model import Case, Consent, Dated, Form, Person
from tests.journeys.case_walk import Try, Walk

RECORDS = {"assessment": "assess", "contact": "log_contact", "evaluation": "evaluate"}


class CaseWalk(Walk):
    """The whole walk."""

    # consents ------------------------------------------------------------------------------------------------------------

    def give_consent(self) -> Try | None:
        """A 同意書 of somebody in the case, or of somebody who is not."""
        case = self._case()
        if case is None:
            return None
        person, identity = self._person(case)
        staff, content = self._who(agency=self.world.provider, likely=0.35), self.fill.consent(identity)
        must = against(self.world, "give_consent", staff, case)
        late = set[str]() if person else {"invalid-form"}

        def done(answer: dict[str, Any], _: str) -> None:
            assert person is not None
            self._recorded("consent", staff, content, case, answer)
            said = Consent(id=answer["id"], person=person, recorded_on=self.world.day, **self._facts(content))
            case.consents.append(said)
            if said.status == "given":
                self._end_earlier(case, said)
            elif said.status == "refused":
                self.world.refused(case, said)

        return Try(
            action="give_consent", staff=staff, case=case, target=case.number, kind="consent", form=content,
            must=must, late=late, done=done,
        )  # fmt: skip

    def _facts(self, content: dict[str, Any]) -> dict[str, Any]:
        """What a 同意書 says, with the agencies of its lists as they were that day."""
        given_on = dt.date.fromisoformat(content["given_on"]) if content.get("given_on") else None
        excluded = set(content.get("excluded_agencies", ()))
        listed = {
            agency
            for row in self.world.profile.agency_lists
            if row.id in content.get("lists", ()) and given_on and row.starts <= given_on <= (row.until or given_on)
            for agency in row.agencies
        }
        return {
            "status": content["status"],
            "agencies": ({*content.get("agencies", ())} | listed) - excluded,
            "excluded": excluded,
            "given_on": given_on,
            "until": dt.date.fromisoformat(content["until"]) if content.get("until") else None,
            "covers_successor": content.get("covers_successor", False),
        }

    def _consent(self) -> tuple[Case, Consent] | None:
        case = self._case()
        return (case, self.dice.choice(case.consents)) if case is not None and case.consents else None

    def correct_consent(self) -> Try | None:
        """Other agencies, another day, or that there was no consent at all."""
        form = self._form("consent")
        if form is None or form.case is None:
            return None
        case, late, staff = form.case, set[str](), self._who(agency=form.agency, likely=0.6)
        own = next(one for one in case.consents if one.id == form.id)
        same = case.stands(own.person) and self.fill.chance(0.9)
        person, identity = (own.person, form.content["person"]) if same else self._person(case)
        revision, content = self._revision(form.revision, late), self.fill.consent(identity)
        if own.closed:
            late.add("consent-ended")
        if person is not own.person or (same and identity not in own.person.rows.values()):
            late.add("invalid-form")

        def done(_: dict[str, Any], __: str) -> None:
            form.content, form.revision, own.revision = content, form.revision + 1, own.revision + 1
            own.recorded_on = self.world.day
            for name, value in self._facts(content).items():
                setattr(own, name, value)

        return Try(
            action="correct_record", staff=staff, case=case, target=form.id, kind="consent", form=content,
            revision=revision, late=late, must=against(self.world, "correct", staff, case, form), done=done,
        )  # fmt: skip

    def withdraw_consent(self) -> Try | None:
        """Of the whole or in part; a referral's own consent as well."""
        found = self._consent()
        if found is None:
            return None
        case, own = found
        staff, late = self._who(agency=self.world.provider, likely=0.35), set[str]()
        content, revision = self.fill.withdrawal(own.agencies - own.cut), self._revision(own.revision, late)
        day = dt.date.fromisoformat(content["withdrawn_on"])
        gone = set(content.get("agencies", ()))
        if own.status != "given" or own.closed:
            late.add("consent-ended")
        elif (own.given_on and day < own.given_on) or not gone <= own.agencies - own.cut:
            late.add("invalid-form")

        def done(_: dict[str, Any], __: str) -> None:
            own.revision += 1
            own.cut |= gone
            if content.get("whole"):
                own.withdrawn_on, own.closed = day, True

        return Try(
            action="withdraw_consent", staff=staff, case=case, target=own.id, kind="consent_withdrawal",
            form=content, late=late, revision=revision, must=against(self.world, "withdraw_consent", staff, case),
            done=done,
        )  # fmt: skip

    def extend_consent(self) -> Try | None:
        """For longer, to more agencies; not to those it was withdrawn for, excludes, or spoke of under another contractor."""
        found = self._consent()
        if found is None:
            return None
        case, own = found
        staff, late = self._who(agency=self.world.provider, likely=0.35), set[str]()
        content, revision = self.fill.extension(), self._revision(own.revision, late)
        until = dt.date.fromisoformat(content["until"]) if content["until"] else None
        if own.status != "given" or own.closed:
            late.add("consent-ended")
        elif self._wrongly_extended(own, until, content["agencies"]):
            late.add("invalid-form")
        paper = next((form for form in case.forms if form.name == f"consent/{own.id}"), None)

        def done(_: dict[str, Any], __: str) -> None:
            own.revision, own.until = own.revision + 1, until or own.until
            own.agencies |= set(content["agencies"])
            if paper is not None:
                paper.revision += 1

        return Try(
            action="extend_consent", staff=staff, case=case, target=own.id, kind="consent_extension", form=content,
            late=late, revision=revision, must=against(self.world, "extend_consent", staff, case), done=done,
        )  # fmt: skip

    def _wrongly_extended(self, own: Consent, until: dt.date | None, agencies: list[str]) -> bool:
        if until is not None and (own.until is None or until <= own.until):
            return True
        last = until or own.until
        return any(
            agency in own.cut | own.excluded
            or (last is not None and last < self.world.day)
            or not (own.covers_successor or self.world.same_runner(agency, own.given_on or self.world.day))
            for agency in agencies
        )

    # records -------------------------------------------------------------------------------------------------------------

    def record(self) -> Try | None:
        """An assessment, a contact or an evaluation."""
        case, kind = self._case(), self.dice.choice(("assessment", "assessment", "contact", "evaluation"))
        if case is None:
            return None
        staff, content = self._worker(case), self.fill.record(kind)
        must = against(self.world, RECORDS[kind], staff, case)

        def done(answer: dict[str, Any], _: str) -> None:
            self._recorded(kind, staff, content, case, answer)

        return Try(
            action=kind, staff=staff, case=case, target=case.number, kind=kind, form=content, must=must, done=done
        )

    def _worker(self, case: Case) -> Staff:
        allocated = [one for one in self.staff if self.world.allocated(case, one.agency)]
        if allocated and self.fill.chance(0.4):
            return self.dice.choice(allocated)
        return self._who(agency=self.world.provider, likely=0.35)

    def correct_record(self) -> Try | None:
        """Of the writer's own; what a reply decided stays decided."""
        form = self._form("assessment", "contact", "evaluation", "reply")
        if form is None or form.case is None:
            return None
        staff, late = self._who(agency=form.agency, likely=0.6), set[str]()
        must = against(self.world, "correct", staff, form.case, form)
        revision = self._revision(form.revision, late)
        content = self.fill.reply() if form.kind == "reply" else self.fill.record(form.kind)
        if form.kind == "reply" and content["decision"] != form.content["decision"]:
            late.add("invalid-form")

        def done(answer: dict[str, Any], _: str) -> None:
            form.content, form.revision = content, form.revision + 1
            assert answer["revision"] == form.revision

        return Try(
            action="correct_record", staff=staff, case=form.case, target=form.id, kind=form.kind, form=content,
            revision=revision, must=must, late=late, done=done,
        )  # fmt: skip

    def pledge(self) -> Try | None:
        """守秘義務誓約, which belongs to no case; seldom."""
        if self.fill.chance(0.8):
            return None
        staff = self.dice.choice(self.staff)
        content = self.fill.pledge(staff.agency)

        def done(answer: dict[str, Any], _: str) -> None:
            form = Form(id=answer["id"], kind="pledge", agency=staff.agency, content=content, number=answer["number"])
            self.world.pledges.append(form)

        must = against(self.world, "pledge", staff, None)
        return Try(action="pledge", staff=staff, kind="pledge", form=content, must=must, done=done)

    # what is set on a case -------------------------------------------------------------------------------------------------

    def protect(self) -> Try | None:
        """住所等の秘匿."""
        case = self._case()
        if case is None:
            return None
        person, identity = self._person(case)
        late = set[str]() if person else {"invalid-form"}
        staff, content = self._coordinator(), self.fill.protection(identity)
        revision = self._revision(case.revision, late)

        def done(answer: dict[str, Any], _: str) -> None:
            self._touched(case, answer)
            self._dated(case.protections, answer, content, person=person)

        return Try(
            action="protect", staff=staff, case=case, target=case.number, kind="protection", form=content,
            revision=revision, late=late, must=against(self.world, "protect", staff, case), done=done,
        )  # fmt: skip

    def _touched(self, case: Case, answer: dict[str, Any]) -> None:
        case.revision += 1
        assert answer["revision"] == case.revision

    def _dated(
        self, rows: list[Dated], answer: dict[str, Any], content: dict[str, Any], *, person: Person | None = None
    ) -> None:
        since, until = content.get("since"), content.get("until")
        rows.append(
            Dated(
                id=answer["id"], agency=content.get("agency", ""), kind=content.get("kind", ""), person=person,
                fields=set(content.get("fields", ())), cleared=set(content.get("cleared", ())),
                since=dt.date.fromisoformat(since) if since else self.world.day - DAY,
                until=dt.date.fromisoformat(until) if until else None,
            )
        )  # fmt: skip

    def _end_of(self, action: str, name: str, rows_of: str) -> Try | None:
        """Somebody ends a protection or an allocation."""
        case = self._case()
        rows: list[Dated] = getattr(case, rows_of) if case else []
        if case is None or not rows:
            return None
        one, staff = self.dice.choice(rows), self._coordinator()

        def done(answer: dict[str, Any], _: str) -> None:
            one.over = True
            self._touched(case, answer)

        must, late = against(self.world, name, staff, case), {"already-ended"} if one.over else set[str]()
        return Try(action=action, staff=staff, case=case, target=one.id, must=must, late=late, done=done)

    def lift_protection(self) -> Try | None:
        """解除."""
        return self._end_of("lift_protection", "lift_protection", "protections")

    def allocate(self) -> Try | None:
        """役割分担."""
        case, late = self._case(), set[str]()
        if case is None:
            return None
        staff, content, revision = self._coordinator(), self.fill.allocation(), self._revision(case.revision, late)

        def done(answer: dict[str, Any], _: str) -> None:
            self._touched(case, answer)
            self._dated(case.allocations, answer, content)

        return Try(
            action="allocate", staff=staff, case=case, target=case.number, kind="allocation", form=content,
            revision=revision, late=late, must=against(self.world, "allocate", staff, case), done=done,
        )  # fmt: skip

    def end_allocation(self) -> Try | None:
        """The part ends."""
        return self._end_of("end_allocation", "allocate", "allocations")

    def record_ground(self) -> Try | None:
        """A basis other than consent; not too often."""
        case = self._case()
        if case is None or len(case.grounds) > 2:
            return None
        staff, content = self._coordinator(), self.fill.ground()

        def done(answer: dict[str, Any], _: str) -> None:
            self._dated(case.grounds, answer, content)

        return Try(
            action="record_ground", staff=staff, case=case, target=case.number, kind="ground", form=content,
            must=against(self.world, "record_ground", staff, case), done=done,
        )  # fmt: skip

    def review_ground(self) -> Try | None:
        """The responsible section has looked at it."""
        case = self._case()
        if case is None or not case.grounds:
            return None
        one, staff = self.dice.choice(case.grounds), self._who(agency=self.world.section)

        def done(_: dict[str, Any], __: str) -> None:
            one.reviewed = True

        must = against(self.world, "review_ground", staff, case)
        late = {"already-reviewed"} if one.reviewed else set[str]()
        return Try(action="review_ground", staff=staff, case=case, target=one.id, must=must, late=late, done=done)

    def end_ground(self) -> Try | None:
        """It is taken back, or ends early."""
        case = self._case()
        if case is None or not case.grounds:
            return None
        one, staff = self.dice.choice(case.grounds), self._coordinator()

        def done(_: dict[str, Any], __: str) -> None:
            one.over = True

        must = against(self.world, "end_ground", staff, case)
        late = {"already-ended"} if one.over else set[str]()
        return Try(action="end_ground", staff=staff, case=case, target=one.id, must=must, late=late, done=done)

    def set_lead(self) -> Try | None:
        """主担当: an agency, nobody, or one that there is not."""
        case, late = self._case(), set[str]()
        if case is None:
            return None
        staff, revision = self._coordinator(), self._revision(case.revision, late)
        lead = self.dice.choice(("", "nobody-at-all", *self.fill.places.agencies))
        if lead == "nobody-at-all":
            late.add("invalid-form")
        return Try(
            action="set_lead", staff=staff, case=case, target=case.number, form={"lead": lead}, revision=revision, late=late,
            must=against(self.world, "set_lead", staff, case), done=lambda answer, _: self._touched(case, answer),
        )  # fmt: skip

    def close_case(self) -> Try | None:
        """An end without a meeting; seldom."""
        case, late = self._case(), set[str]()
        if case is None or self.fill.chance(0.6):
            return None
        staff, revision = self._coordinator(), self._revision(case.revision, late)
        must = against(self.world, "close_case", staff, case)
        return Try(
            action="close_case", staff=staff, case=case, target=case.number, kind="closure",
            form=self.fill.closure(), revision=revision, must=must, late=late,
            done=lambda answer, _: self._touched(case, answer),
        )  # fmt: skip

    def join_cases(self) -> Try | None:
        """One case into another, or into itself; seldom."""
        case, into, late = self._case(), self._case(), set[str]()
        if case is None or into is None or self.fill.chance(0.7):
            return None
        staff, revision = self._coordinator(), self._revision(case.revision, late)
        if case is into:
            late.add("same-case")
        must = [against(self.world, "join_cases", staff, one) for one in (case, into)]

        def done(answer: dict[str, Any], _: str) -> None:
            self._touched(case, answer)
            into.revision += 1
            sides = [[one for one in self.world.cases if head in (one, one.joined_into)] for head in (case, into)]
            self._refusals_reach(sides[0], sides[1])
            self._refusals_reach(sides[1], sides[0])
            for one in self.world.cases:
                if one is case or one.joined_into is case:
                    one.joined_into = into

        return Try(
            action="join_cases", staff=staff, case=case, target=case.number, form={"into": into.number},
            revision=revision, must=must[0] | must[1], late=late, done=done,
        )  # fmt: skip

    def _refusals_reach(self, said_in: list[Case], kept_in: list[Case]) -> None:
        """What somebody refused in the ones ends what they agreed to before in the others."""
        refusals = [said for case in said_in for said in case.consents if said.status == "refused"]
        for said in refusals:
            for given in [one for case in kept_in for one in case.consents]:
                older = said.revision > 1 or given.id < said.id
                if older and self.world.closes_for(said.person, given.person):
                    self.world.end(given)

    def hold(self) -> Try | None:
        """廃棄の停止."""
        case = self._case()
        if case is None:
            return None
        staff = self._who(agency=self.world.section)
        must = against(self.world, "hold", staff, case)
        return Try(
            action="hold", staff=staff, case=case, target=case.number,
            form={"on": self.fill.chance(0.5), "reason": "審査のため。"}, must=must,
            done=lambda answer, _: self._touched(case, answer),
        )  # fmt: skip

    trials = (
        *(Walk.submit,) * 3, *(Walk.reply,) * 2, Walk.take_back, *(Walk.correct_referral,) * 2,
        *(give_consent,) * 3, correct_consent, *(withdraw_consent,) * 3, *(extend_consent,) * 2, *(record,) * 3,
        *(correct_record,) * 2, pledge, *(protect,) * 2, lift_protection, *(allocate,) * 2, end_allocation, record_ground,
        review_ground, end_ground, set_lead, close_case, join_cases, hold,
    )  # fmt: skip
