"""The forms that people fill in at random: valid on the day, about a few plainly invented people."""

from __future__ import annotations

import datetime as dt
import random
from typing import Any

import msgspec

from tests.data.forms import sample
from tests.data.referrals import referral

DAY = dt.timedelta(days=1)
ADDRESS, PHONE = "見本県見本市見本町9-9-9", "042-000-0999"
# By name: what they are to 本人, kana and birth date. Who has both is known again in another form; who has none never is.
PEOPLE = {
    "見本　太郎": ("本人", "みほんたろう", "1955-04-01"),
    "見本　花子": ("妻", "みほんはなこ", "1958-05-05"),
    "見本　一郎": ("長男", "みほんいちろう", "1985-06-06"),
    "見本　次子": ("長女", "みほんつぎこ", ""),
    "見本　三太": ("孫", "", ""),
}
SUBJECTS = ("見本　太郎", "見本　太郎", "見本　太郎", "見本　花子", "見本　次子")
SCREENINGS = ("continued", "continued", "consent_pending", "suspended", None, None, None, "advised", "handed_over")


class Places(msgspec.Struct, frozen=True):
    """Which agencies a municipality's people choose among, and what of the profile else their forms name."""

    agencies: tuple[str, ...]
    lists: tuple[str, ...]
    law: str
    body: str


class Filler:
    """Fills in forms on the day it is told."""

    def __init__(self, dice: random.Random, places: Places, day: dt.date) -> None:
        self.dice, self.places, self.day = dice, places, day

    def some(self, most: int, *, least: int = 0) -> list[str]:
        """A few agencies."""
        return self.dice.sample(self.places.agencies, self.dice.randint(least, most))

    def chance(self, share: float) -> bool:
        """True that often."""
        return self.dice.random() < share

    def past(self) -> dt.date:
        """Today or a few days ago."""
        return self.day - self.dice.choice((0, 0, 1, 5)) * DAY

    def until(self) -> str | None:
        """A last day soon, or none."""
        return (self.day + self.dice.randint(0, 4) * DAY).isoformat() if self.chance(0.4) else None

    def referral(self, case_number: str = "") -> dict[str, Any]:
        """A referral of a few people, whether they were asked or not."""
        subject = self.dice.choice(SUBJECTS)
        others = [name for name in PEOPLE if name != subject]
        household = [household_line(name) for name in self.dice.sample(others, self.dice.randint(0, 3))]
        kept = {"protection": [self.field()], "protection_kind": "own_wish"} if self.chance(0.1) else {}
        _, kana, birth = PEOPLE[subject]
        person = {"name": subject, "kana": kana, "address": ADDRESS, "phone": PHONE}
        return referral(
            destinations=self.some(3, least=1), case_number=case_number, consulted_on=self.day.isoformat(), household=household,
            household_size=None, person=person | ({"birth_date": birth} if birth else {}), consent=self.said(), **kept,
        )  # fmt: skip

    def field(self) -> str:
        """What is to be withheld."""
        return self.dice.choice(("address", "phone"))

    def said(self) -> dict[str, Any]:
        """What the person said when the referral was written."""
        if self.chance(0.35):
            return {"status": self.dice.choice(("not_asked", "asking", "refused", "unable"))}
        return {
            "status": "given", "given_on": self.past().isoformat(), "method": "written", "agencies": self.some(3, least=1),
            "until": self.until(),
        }  # fmt: skip

    def consent(self, person: str) -> dict[str, Any]:
        """A 同意書, or that there is none."""
        form: dict[str, Any] = {"person": person, "signer": "person"}
        if self.chance(0.15):
            status = self.dice.choice(("refused", "refused", "asking"))
            return form | {"status": status, "excluded_agencies": self.some(1)}
        agencies = self.some(3, least=1)
        excluded = [agency for agency in self.some(1) if agency not in agencies] if self.chance(0.3) else []
        lists = [self.dice.choice(self.places.lists)] if self.places.lists and self.chance(0.2) else []
        return form | {
            "status": "given", "given_on": self.past().isoformat(), "method": "written", "purpose": "支援のため。",
            "scope": ["consultation", "assessment"], "agencies": agencies, "excluded_agencies": excluded, "lists": lists,
            "until": self.until(), "covers_successor": self.chance(0.3),
        }  # fmt: skip

    def withdrawal(self, agencies: set[str]) -> dict[str, Any]:
        """Of the whole, or of some of these agencies (now and then of others)."""
        if not agencies or self.chance(0.35):
            return {"withdrawn_on": self.past().isoformat(), "whole": True}
        gone = self.dice.sample(sorted(agencies), 1) if self.chance(0.9) else self.some(1, least=1)
        return {"withdrawn_on": self.day.isoformat(), "agencies": gone}

    def extension(self) -> dict[str, Any]:
        """For longer, to more agencies, or both."""
        until = (self.day + self.dice.randint(0, 8) * DAY).isoformat() if self.chance(0.6) else None
        agencies = self.some(1, least=0 if until else 1)
        return {"until": until, "agencies": agencies, "given_on": self.day.isoformat(), "method": "written"}

    def record(self, kind: str) -> dict[str, Any]:
        """An assessment, a contact or an evaluation."""
        if kind == "contact":
            return sample(kind, at=self.day.isoformat(), outreach_actions=[], content=f"{ADDRESS}を訪ねた。")
        if kind == "evaluation":
            lead = self.dice.choice(self.places.agencies)
            return sample(kind, evaluated_on=self.day.isoformat(), lead_agency=lead, wishes=f"電話は{PHONE}へ。")
        screening = self.dice.choice(SCREENINGS)
        form = sample(kind, received_on=self.day.isoformat(), stage=self.dice.choice(("intake", "assessment")))
        form |= {"handed_over_to": [], "screening": screening, "housing": f"{ADDRESS}の持家。"}
        return form | ({"handed_over_to": self.some(1, least=1)} if screening == "handed_over" else {})

    def reply(self) -> dict[str, Any]:
        """受理, or 差戻し."""
        if self.chance(0.15):
            return {"decision": "returned", "reason": "担当の窓口が違うため。"}
        lead = self.dice.choice(self.places.agencies) if self.chance(0.5) else ""
        return {"decision": "accepted", "reason": "お受けします。", "lead_agency": lead}

    def taken_back(self, kind: str) -> dict[str, Any]:
        """取下げ or 誤送付."""
        return {"kind": kind, "reason": "選び間違い。", "noticed_on": self.day.isoformat()}

    def protection(self, person: str) -> dict[str, Any]:
        """From a day around today, until a day or for good."""
        since = self.day + self.dice.choice((-2, 0, 0, 0, 1, 2)) * DAY
        until = (max(since, self.day) + self.dice.randint(0, 3) * DAY).isoformat() if self.chance(0.4) else None
        return {
            "person": person, "kind": "own_wish", "fields": [self.field()], "cleared": self.some(2), "since": since.isoformat(),
            "until": until,
        }  # fmt: skip

    def allocation(self) -> dict[str, Any]:
        """A part for an agency."""
        since = self.day + self.dice.choice((-1, 0, 0, 0, 1)) * DAY
        until = (max(since, self.day) + self.dice.randint(0, 5) * DAY).isoformat() if self.chance(0.3) else None
        agency = self.dice.choice(self.places.agencies)
        return {"agency": agency, "part": "訪問", "since": since.isoformat(), "until": until}

    def ground(self) -> dict[str, Any]:
        """通告等, or 緊急."""
        kind = self.dice.choice(("legal_duty", "emergency"))
        agency = self.dice.choice(self.places.agencies)
        form = {"agency": agency, "kind": kind, "reason": "安全の確認。", "decided_by": "見本　係長"}
        until = self.until() or (None if kind == "legal_duty" else (self.day + 3 * DAY).isoformat())
        return form | {"law": self.places.law if kind == "legal_duty" else "", "until": until}

    def closure(self) -> dict[str, Any]:
        """An end without a meeting."""
        return {"reason": self.dice.choice(("advised", "handed_over", "outreach_ended", "returned"))}

    def pledge(self, agency: str) -> dict[str, Any]:
        """守秘義務誓約."""
        return sample("pledge", agency=agency, body=self.places.body, given_on=self.day.isoformat())

    def corrected_referral(self, before: dict[str, Any]) -> dict[str, Any]:
        """The same with another household, another consent, more withheld, or only other words."""
        form = {**before, "case_number": "", "reason": f"つなぎ直し{self.dice.randint(1, 99)}"}
        change = self.dice.choice(("words", "household", "household", "consent", "protection"))
        if change == "consent":
            form["consent"] = self.said()
        elif change == "protection":
            form |= {"protection": sorted({*before.get("protection", []), self.field()}), "protection_kind": "own_wish"}
        elif change == "household":
            form["household"] = self._other_household(before)
        return form

    def _other_household(self, before: dict[str, Any]) -> list[dict[str, Any]]:
        lines = list(before["household"])
        there = {line["name"] for line in lines} | {before["person"]["name"]}
        if lines and self.chance(0.5):
            lines.pop(self.dice.randrange(len(lines)))
        absent = [name for name in PEOPLE if name not in there]
        if absent and self.chance(0.5):
            lines.append(household_line(self.dice.choice(absent)))
        self.dice.shuffle(lines)
        return lines


def household_line(name: str) -> dict[str, Any]:
    """One line of the household."""
    relationship, kana, birth = PEOPLE[name]
    line = {"name": name, "relationship": "夫" if relationship == "本人" else relationship, "kana": kana}
    return line | ({"birth_date": birth} if birth else {})
