"""What people do with plans over HTTP: short for tests that need a case with plans in it."""

from __future__ import annotations

import datetime as dt
from typing import Any

import msgspec

from tests.data.case_work import DESTINATION, PROVIDER, Desk, consent_of, send
from tests.data.intake import Caller, Intake
from tsunagi_intake import plans
from tsunagi_intake.lifecycle import PlanState
from tsunagi_intake.plan_tables import plans as table
from tsunagi_intake.records import Write
from tsunagi_intake.tables import audience, cases, persons
from tsunagi_shared import clock
from tsunagi_shared.accounts import Principal
from tsunagi_shared.contracts.profile import LegalRole
from tsunagi_shared.forms.minutes import Decision

# In the consent of the sample referral, besides the destination; and an agency that is not
SUPPORT, UNNAMED = "hardship-support", "welfare-council"
LAYERED, CLOSED = LegalRole.LAYERED_SUPPORT_MEETING, LegalRole.SUPPORT_MEETING


def plan(kind: str = "multi_agency", **changes: Any) -> dict[str, Any]:
    """A plan of that kind, which replaces none and nobody agreed to yet."""
    made = clock.today()
    common: dict[str, Any] = {
        "kind": kind, "made_on": made.isoformat(), "issues": "介護と就労", "goal": "三人で暮らしつづける",
        "policy": "役割を分けて支える",
        "starts": made.isoformat(), "until": (made + dt.timedelta(days=180)).isoformat(),
        "monitoring_on": (made + dt.timedelta(days=90)).isoformat(), "lead_agency": PROVIDER,
        "allocations": [
            {"agency": DESTINATION, "in_charge": "見本　介助", "part": "週2回の訪問", "frequency": "週2回"},
            {"agency": SUPPORT, "part": "家計の相談"},
            {"agency": UNNAMED, "part": "居場所へのお誘い"},
        ],
    }  # fmt: skip
    own: dict[str, dict[str, Any]] = {
        "multi_agency": {},
        "participation": {"needs": "日中の居場所", "issues": ""},
        "outreach": {
            "found_by": "own_contact", "contact_state": "family", "methods": ["letter", "visit"], "end_condition": "関係の安定",
        },
    }  # fmt: skip
    return {**common, **own[kind], **changes}


async def decided(
    intake: Intake, plan_id: str, decision: Decision, *, under: LegalRole = LAYERED, **how: Any
) -> PlanState:
    """The decision of a meeting, as the closing of its minutes brings it. Refusal."""
    who = Principal("gicho", "見本　議長", PROVIDER, frozenset({"chair"}), via="session")
    write = Write(principal=who, profile=intake.runtime.profile, outbox=intake.runtime.outbox)
    how = {"held_on": clock.today(), "item_id": "item-1", "body": "", **how}
    return await intake.runtime.database.write(
        lambda connection: plans.decide(connection, write, plan_id, decision=decision, heard_under=under, **how)
    )


class Work:
    """A case in which plans are made."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self.intake = desk.intake

    async def draft(self, kind: str = "multi_agency", *, by: Caller | None = None, **changes: Any) -> str:
        """A plan that was just drawn up; its id."""
        answer = await self.desk.send(by or self.desk.coordinator, "plans", plan(kind, **changes))
        assert answer.status_code == 201, answer.text
        return str(answer.json()["id"])

    async def row(self, plan_id: str) -> dict[str, Any]:
        """The plan as it stands."""
        return next(row for row in await self.intake.rows(table) if row["id"] == plan_id)

    async def post(self, caller: Caller, plan_id: str, path: str, form: Any = None) -> Any:
        """Post to something of the plan, on its present revision."""
        revision = (await self.row(plan_id))["revision"]
        return await send(caller, f"/plans/{plan_id}/{path}", form, revision=revision)

    async def proposed(self, kind: str = "multi_agency", **changes: Any) -> str:
        """A plan that was put before a meeting."""
        plan_id = await self.draft(kind, **changes)
        answer = await self.post(self.desk.coordinator, plan_id, "proposal")
        assert answer.status_code == 201, answer.text
        return plan_id

    async def agree(self, plan_id: str) -> Any:
        """The person agrees today."""
        return await self.post(self.desk.coordinator, plan_id, "agreement", {"agreed_on": clock.today().isoformat()})

    async def municipal(self, plan_id: str) -> Any:
        """The municipality decides today."""
        form = {"decided_on": clock.today().isoformat()}
        return await self.post(self.desk.section, plan_id, "municipal-decision", form)

    async def step(self, plan_id: str, step: str) -> Any:
        """A step by hand."""
        return await self.post(self.desk.coordinator, plan_id, "steps", {"step": step})

    async def adopted(self, kind: str = "multi_agency", **changes: Any) -> str:
        """A plan with its three dates."""
        plan_id = await self.proposed(kind, **changes)
        await decided(self.intake, plan_id, Decision.APPROVED)
        await self.agree(plan_id)
        answer = await self.municipal(plan_id)
        assert answer.json()["code"] == "adopted", answer.text
        return plan_id

    async def consent(self) -> None:
        """The person consents today."""
        person = next(row["same_as"] for row in await self.intake.rows(persons) if row["position"] == 0)
        form = consent_of(person, given_on=clock.today().isoformat(), explained_on=clock.today().isoformat())
        answer = await self.desk.send(self.desk.mado, "consents", form)
        assert answer.status_code == 201, answer.text

    async def heard(self, event_type: str, data: Any) -> list[Any]:
        """The data of each event of a type that waits."""
        waiting = await self.intake.events()
        return [msgspec.json.decode(event.data, type=data) for event in waiting if event.type == event_type]

    async def seen(self, plan_id: str) -> dict[str, tuple[str, str]]:
        """By agency, view and basis on the plan."""
        rows = await self.intake.rows(audience)
        return {row["agency"]: (row["view"], row["basis_kind"]) for row in rows if row["form"] == f"plan/{plan_id}"}

    async def case(self) -> dict[str, Any]:
        """The case."""
        return (await self.intake.rows(cases))[0]


def refused(answer: Any) -> tuple[int, str]:
    """How it was refused."""
    return answer.status_code, answer.json()["code"]
