"""A plan as stories take it from its draft to its end: short, over HTTP, always on its present revision."""

from __future__ import annotations

import datetime as dt
from typing import Any

from deploy.local.visitor import Answer
from tests.scenarios.story import Story

_OWN: dict[str, dict[str, Any]] = {
    "multi_agency": {"issues": "介護の負担と家計と、長男の孤立が重なっている。"},
    "participation": {
        "needs": "日中に人と過ごせる場がない。",
        "wished_form": "畑の手伝いなら行ってみたい。",
        "resource": "見本農園の手伝い（週1回）",
        "person_follow_up": "はじめの1か月は、行き帰りに声をかける。",
        "host_follow_up": "受入先に、月に1度たずねる。",
    },
    "outreach": {
        "found_by": "own_contact",
        "contact_state": "family",
        "methods": ["letter", "visit", "family_support"],
        "visits": "第2・第4木曜の午後に訪ねる。会えないときは手紙を置く。",
        "end_condition": "本人と定期的に話せるようになったとき。",
    },
}


def part(agency: str, words: str, **changes: Any) -> dict[str, Any]:
    """A row of the 役割分担."""
    return {"agency": agency, "part": words, "frequency": "月2回", **changes}


class CasePlan:
    """One plan, drawn up by `user`."""

    def __init__(self, story: Story, user: str, identity: str, number: str) -> None:
        self.story = story
        self.user = user
        self.id = identity
        self.number = number

    @classmethod
    async def drawn_up(
        cls, story: Story, user: str, case: str, kind: str, *rows: dict[str, Any], proposed: bool = True, **changes: Any
    ) -> CasePlan:
        """A plan that was drawn up today and, unless told otherwise, put before a meeting."""
        made = (await cls.attempt(story, user, case, kind, *rows, **changes)).made()
        plan = cls(story, user, made["id"], made["number"])
        if proposed:
            (await plan.post(user, "proposal")).made()
        return plan

    @staticmethod
    async def attempt(story: Story, user: str, case: str, kind: str, *rows: dict[str, Any], **changes: Any) -> Answer:
        """The same, whatever the answer is."""
        today = story.stack.clock.today()
        form: dict[str, Any] = {
            "kind": kind,
            "made_on": today.isoformat(),
            "goal": "三人で、いまの家で暮らしつづける。",
            "policy": "できることは家族が続け、足りないところを分担して支える。",
            "allocations": list(rows),
            "lead_agency": rows[0]["agency"] if rows else "",
            "starts": today.isoformat(),
            "until": (today + dt.timedelta(days=180)).isoformat(),
            "monitoring_on": (today + dt.timedelta(days=90)).isoformat(),
            **_OWN[kind],
            **changes,
        }
        return await (await story.who(user)).post("intake", f"/cases/{case}/plans", form)

    async def page(self, user: str = "") -> dict[str, Any]:
        """The plan as a reader sees it."""
        found: dict[str, Any] = (
            await (await self.story.who(user or self.user)).get("intake", f"/plans/{self.id}")
        ).made()
        return found

    async def post(self, user: str, path: str, body: Any = None) -> Answer:
        """Post to something of the plan."""
        revision = (await self.page())["revision"]
        return await (await self.story.who(user)).post(
            "intake", f"/plans/{self.id}/{path}?revision={revision}", body or {}
        )

    async def step(self, step: str, user: str = "") -> Answer:
        """A step by hand."""
        return await self.post(user or self.user, "steps", {"step": step})

    async def agree(self, user: str = "") -> Answer:
        """The person agrees today."""
        day = self.story.stack.clock.today().isoformat()
        return await self.post(user or self.user, "agreement", {"agreed_on": day, "note": "自宅で説明し、署名を得た。"})

    async def decided_by_municipality(self, user: str = "kacho") -> Answer:
        """支援決定 today."""
        day = self.story.stack.clock.today().isoformat()
        return await self.post(user, "municipal-decision", {"decided_on": day, "note": "決裁番号　見本第1号"})

    async def must_be(self, state: str, words: str) -> None:
        """A check of the story."""
        self.story.must((await self.page())["state"] == state, words)

    async def sheet(self, user: str = "", *, title: str = "プラン") -> dict[str, Any]:
        """Wait for the plan's own sheet, once it is called so: 「プラン（案）」 until it is decided upon."""
        page = await self.page()
        return await self.story.gets(
            user or self.user, "plan", "full", case=page["case_number"], title=title, number=page["record_number"]
        )
