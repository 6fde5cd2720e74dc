"""A year's work for the figures: ninety plans through the functions of the service, sittings and years around it as rows."""

from __future__ import annotations

import datetime as dt
import shutil
from pathlib import Path
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy import Connection

from tests.data.forms import sample
from tests.data.intake import Intake
from tests.data.plan_work import plan
from tests.data.referrals import referral
from tests.data.services import PROFILE
from tsunagi_intake import plans, records, referrals
from tsunagi_intake.lifecycle import PlanState
from tsunagi_intake.meeting_tables import agenda_items, community_issues, meetings
from tsunagi_intake.plan_tables import plans as plan_table
from tsunagi_intake.records import Receipt, Write
from tsunagi_intake.tables import cases, consents
from tsunagi_intake.tables import records as record_table
from tsunagi_intake.tables import referrals as referral_table
from tsunagi_shared import clock
from tsunagi_shared.accounts import Principal
from tsunagi_shared.contracts.envelope import uuid7
from tsunagi_shared.contracts.profile import LegalRole
from tsunagi_shared.forms.checks import check
from tsunagi_shared.forms.kinds import FORMS
from tsunagi_shared.forms.minutes import Decision
from tsunagi_shared.forms.plan import MunicipalDecision, PlanAgreement

KINDS = ("multi_agency", "outreach", "participation")
ORIGINS = ("disability", "long-term-care", "welfare-council", "health")
PROVIDER, SECTION = "welfare-desk", "social-welfare"
# New plans and replans of a year that take effect; of the new ones that many end, and are suspended. Together 90.
NEW = {"multi_agency": 30, "outreach": 27, "participation": 20}
REPLANS = {"multi_agency": 6, "outreach": 3, "participation": 4}
ENDED = {"multi_agency": 5, "outreach": 2, "participation": 3}
SUSPENDED = {"multi_agency": 2, "outreach": 1, "participation": 2}
PROVISIONAL = 3
TARGETS = """
[[targets]]
id = "plans-participation"
name = "=参加支援のプラン"
at_least = 24
unit = "件／年"
plans = "participation"
from = 2020-04-01

[[targets]]
id = "plans-outreach"
name = "アウトリーチのプラン"
at_least = 30
unit = "件／年"
plans = "outreach"
from = 2020-04-01

[[targets]]
id = "plans-multi-agency"
name = "多機関協働のプラン"
at_least = 36
unit = "件／年"
plans = "multi_agency"
from = 2020-04-01

[[targets]]
id = "joint"
name = "協働ケース"
at_least = 6
unit = "件"
counts = "joint_cases"
from = 2020-04-01

[[targets]]
id = "consultations"
name = "相談"
at_least = 100
unit = "件"
counts = "consultations"
from = 2020-04-01

[[targets]]
id = "reviews"
name = "事例検討"
at_least = 6
unit = "件"
counts = "case_reviews"
from = 2020-04-01

[[targets]]
id = "participants"
name = "参加"
at_least = 5
unit = "人"
counts = "participants"
from = 2020-04-01

[[targets]]
id = "felt"
name = "支え合いを感じる人の割合"
at_least = 70
unit = "％"
baseline = "64.1％"
from = 2020-04-01

[[targets]]
id = "over"
name = "終わった目標"
at_least = 1
unit = "件"
from = 2020-04-01
until = 2021-03-31
"""


def profile_with_targets(folder: Path) -> Path:
    """The profile of the tests with targets of every sort."""
    shutil.copytree(PROFILE, folder)
    path = folder / "profile.toml"
    lines = [line for line in path.read_text(encoding="utf-8").splitlines() if not line.startswith("targets = []")]
    path.write_text("\n".join(lines) + "\n" + TARGETS, encoding="utf-8")
    return folder


class YearOfPlans:
    """Loads the year, each step a transaction of the service's own functions."""

    def __init__(self, intake: Intake) -> None:
        self.intake = intake
        self.profile = intake.runtime.profile
        self.today = clock.today()

    def write(self, agency: str, role: str, user: str = "mado") -> Write:
        who = Principal(user, "見本　職員", agency, frozenset({role}), via="session")
        return Write(principal=who, profile=self.profile, outbox=self.intake.runtime.outbox)

    async def load(self) -> None:
        """Ninety plans in as many cases as the most frequent kind has, then what other years and hands did."""
        for place in range(36):
            await self.intake.runtime.database.write(lambda connection, at=place: self._case(connection, at))  # type: ignore[misc]
        await self.intake.runtime.database.write(self._sittings)
        await self.intake.runtime.database.write(self._other_years)

    def _form(self, kind: str, raw: dict[str, Any]) -> Any:
        found = check(FORMS[kind].struct, raw, self.profile.codes(FORMS[kind].settings, self.today))
        assert found.form is not None, found.errors
        return found.form

    def _case(self, connection: Connection, place: int) -> None:
        routes = ("own_contact", "resident", None)
        raw = referral(household=[], household_size=1, finding_route=routes[place % 3])
        if place >= 33:
            raw["consent"] = {"status": "not_asked"}
        origin = ORIGINS[0] if place < 20 else ORIGINS[1 + place % 3] if place < 34 else "child-family-center"
        receipt = msgspec.json.decode(
            referrals.submit(connection, self.write(origin, "clerk"), self._form("referral", raw))
        )
        case = receipt["case_number"]
        provider = self.write(PROVIDER, "coordinator", "chosei")
        assessment = self._form("assessment", sample("assessment", screening="continued", handed_over_to=[]))
        records.submit(connection, provider, "assessment", case, assessment)
        contact = sample("contact", at=self.today.isoformat())
        contact["outreach_actions"] = ["letter_left", "joint_visit"] if place % 2 else []
        records.submit(connection, provider, "contact", case, self._form("contact", contact))
        for kind in KINDS:
            if place < NEW[kind]:
                self._plan(connection, case, kind, place)
        if place >= 33:
            self._provisional(connection, case)

    def _plan(self, connection: Connection, case: str, kind: str, place: int) -> None:
        """A plan that takes effect; for the first ones another in its place, for the last ones the end or a pause."""
        first = self._adopted(connection, case, kind, place)
        if place < REPLANS[kind]:
            number = connection.execute(sa.select(plan_table.c.number).where(plan_table.c.id == first)).scalar_one()
            told = {"change": "変わった。", "review": "続いている。", "changes_made": "加える。"}
            self._adopted(connection, case, kind, place, previous=number, **told)
        elif place >= NEW[kind] - ENDED[kind]:
            self._decide(connection, first, Decision.ENDED)
        elif place >= NEW[kind] - ENDED[kind] - SUSPENDED[kind]:
            self._decide(connection, first, Decision.SUSPENDED)

    def _draft(self, connection: Connection, case: str, kind: str, place: int, **changes: Any) -> str:
        raw = plan(kind, **changes)
        if place % 4 == 3:
            raw["allocations"] = raw["allocations"][:1]
        if kind == "participation" and place % 2:
            raw["resource"] = "見本の居場所"
        office = self.write(PROVIDER, "coordinator", "chosei")
        made = msgspec.json.decode(plans.draft(connection, office, case, self._form("plan", raw)), type=Receipt)
        plans.propose(connection, self._at(office, connection, made.id), made.id)
        return made.id

    def _at(self, write: Write, connection: Connection, plan_id: str) -> Write:
        row = plans.plan_row(connection, plan_id)
        return msgspec.structs.replace(write, revision=row.revision)

    def _decide(
        self, connection: Connection, plan_id: str, decision: Decision,
        under: LegalRole = LegalRole.LAYERED_SUPPORT_MEETING,
    ) -> PlanState:  # fmt: skip
        return plans.decide(
            connection, self.write(PROVIDER, "chair", "gicho"), plan_id, decision=decision, item_id="item-1",
            heard_under=under, held_on=self.today,
        )  # fmt: skip

    def _adopted(self, connection: Connection, case: str, kind: str, place: int, **changes: Any) -> str:
        made = self._draft(connection, case, kind, place, **changes)
        self._decide(connection, made, Decision.APPROVED)
        office, section = (
            self.write(PROVIDER, "coordinator", "chosei"),
            self.write(SECTION, "responsible_section", "kacho"),
        )
        plans.agree(connection, self._at(office, connection, made), made, PlanAgreement(agreed_on=self.today))
        decided = MunicipalDecision(decided_on=self.today)
        plans.municipal(connection, self._at(section, connection, made), made, decided)
        assert plans.plan_row(connection, made).state is PlanState.ADOPTED
        return made

    def _provisional(self, connection: Connection, case: str) -> None:
        made = self._draft(connection, case, "outreach", 0)
        assert self._decide(connection, made, Decision.CONFIRMED, LegalRole.SUPPORT_MEETING) is PlanState.PROVISIONAL

    def _sittings(self, connection: Connection) -> None:
        """Closed sittings of this year and one of the year before, one that was called off; their items with minutes."""
        year = clock.fiscal_year(self.today)
        days = [dt.date(year, 4, 22), dt.date(year, 6, 24), dt.date(year + 1, 3, 31), dt.date(year, 3, 31)]
        case = connection.execute(sa.select(cases.c.seq).order_by(cases.c.seq)).scalars().first()
        for place, day in enumerate((*days, days[1])):
            state = "cancelled" if place == 4 else "closed"
            bodies = ["layered-support", "support-meeting"] if place % 2 == 0 else ["layered-support"]
            meeting = f"sitting-{place}"
            connection.execute(
                meetings.insert().values(
                    id=meeting, number=f"M-{place}", bodies=msgspec.json.encode(bodies).decode(), held_on=day.isoformat(),
                    starts_at="13:30", ends_at="15:30", state=state, revision=1, closed_by="",
                )
            )  # fmt: skip
            for position, body in enumerate((*bodies, bodies[0]), 1):
                role = "support_meeting" if body == "support-meeting" else "layered_support_meeting"
                recorded = not (place == 1 and position == 2)
                self._item(connection, meeting, position, body, role, case if position < 3 else None, recorded=recorded)

    def _item(
        self, connection: Connection, meeting: str, position: int, body: str, role: str, case: int | None, *, recorded: bool
    ) -> None:  # fmt: skip
        identity = f"{meeting}-{position}"
        there = [(PROVIDER, "present"), (SECTION, "present" if position == 1 else "absent"), ("sample-care", "left")]
        presences = [
            {"agency": agency, "title": "係長", "name": "見本　委員", "state": state} for agency, state in there
        ]
        kept = {"presences": presences, "decision": "shared", "discussion": "話した。"}
        connection.execute(
            record_table.insert().values(
                id=f"minutes-{identity}", kind="minutes", number=identity, case=case, about="", revision=1,
                submitted_at=clock.now_us(), user="u", user_name="見本", agency=PROVIDER, audience_revision=0,
                support_meeting_only=0, persons="[]", state="live", form=msgspec.json.encode(kept), retention_class="case",
                legal_hold=0,
            )
        )  # fmt: skip
        connection.execute(
            agenda_items.insert().values(
                id=identity, meeting=meeting, position=position, case=case, plan="", plan_number="", plan_seen="", body=body,
                legal_role=role, occasion="sharing", minimal_reason="", papers="[]", note="",
                minutes=f"minutes-{identity}", state="recorded" if recorded else "withdrawn", revision=1,
            )
        )  # fmt: skip

    def _other_years(self, connection: Connection) -> None:
        """Some of it moves to other years, some is taken back, a case ends, consents go, issues are handed on."""
        year = clock.fiscal_year(self.today)
        before, after = f"{year}-03-31", f"{year + 1}-04-01"
        ids = connection.execute(
            sa.select(plan_table.c.id).where(plan_table.c.state == "adopted").order_by(plan_table.c.id)
        )
        first, second, *_ = ids.scalars().all()
        connection.execute(plan_table.update().where(plan_table.c.id == first).values(effective_on=before))
        connection.execute(plan_table.update().where(plan_table.c.id == second).values(effective_on=after))
        of_case = sa.select(cases.c.seq).order_by(cases.c.seq.desc())
        last, joined, old, *_ = connection.execute(of_case).scalars().all()
        connection.execute(
            cases.update().where(cases.c.seq == last).values(state="closed", ended_at=clock.midnight_us(self.today))
        )
        connection.execute(cases.update().where(cases.c.seq == joined).values(joined_into=last))
        connection.execute(
            cases.update().where(cases.c.seq == old).values(state="advised", ended_at=clock.midnight_us(dt.date(year, 4, 1)) - 1)
        )  # fmt: skip
        seqs = connection.execute(sa.select(referral_table.c.seq).order_by(referral_table.c.seq)).scalars().all()
        connection.execute(
            referral_table.update().where(referral_table.c.seq == seqs[0]).values(
                fiscal_year=year - 1, submitted_at=clock.midnight_us(dt.date(year, 3, 31))
            )
        )  # fmt: skip
        taken_back = referral_table.c.seq == seqs[1]
        connection.execute(referral_table.update().where(taken_back).values(state="misdirected"))
        given = connection.execute(sa.select(consents.c.id).order_by(consents.c.id)).scalars().all()
        connection.execute(consents.update().where(consents.c.id == given[0]).values(given_on=before))
        connection.execute(
            consents.update().where(consents.c.id == given[1]).values(withdrawn_on=self.today.isoformat())
        )
        for place in range(3):
            connection.execute(
                community_issues.insert().values(
                    id=uuid7(clock.now_us()), number=f"課題{place}", from_body="layered-support", to_body="welfare-liaison",
                    item="", kind="issue", text="集まれる場が少ない。", state="handed" if place else "received",
                    at=clock.now_us() if place < 2 else clock.midnight_us(dt.date(year, 4, 1)) - 1, answer="",
                    answered_by="",
                )
            )  # fmt: skip
