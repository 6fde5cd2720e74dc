"""The table of plans, on the metadata of `tables`. What a plan says stands in its record alone; here are dates and codes."""

from __future__ import annotations

import sqlalchemy as sa

from tsunagi_intake.tables import metadata

plans = sa.Table(
    "plans",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),  # of its record
    sa.Column("case", sa.Integer, sa.ForeignKey("cases.seq"), nullable=False, index=True),
    sa.Column("kind", sa.Text, nullable=False),  # PlanKind
    sa.Column("number", sa.Text, nullable=False, unique=True),
    sa.Column("state", sa.Text, nullable=False),  # lifecycle.PlanState
    sa.Column("previous", sa.Text, nullable=False),  # the plan that this 再プラン replaces, or empty
    sa.Column("round", sa.Integer, nullable=False),  # 1: 初回, n: 再プラン第n-1回
    sa.Column("provisional", sa.Integer, nullable=False),  # 1: confirmed by a 支援会議, before there was consent
    sa.Column("confirmed_on", sa.Text),
    sa.Column("proposed_at", sa.BigInteger),
    sa.Column("decided", sa.Text, nullable=False),  # DecisionPurpose of the decision that is on record: adopt | replan
    sa.Column("meeting_on", sa.Text),  # the three dates
    sa.Column("meeting_item", sa.Text, nullable=False),
    sa.Column("body", sa.Text, nullable=False),
    sa.Column("heard_under", sa.Text, nullable=False),  # LegalRole of that item
    sa.Column("agreed_on", sa.Text),
    sa.Column("municipal_on", sa.Text),
    sa.Column("effective_on", sa.Text),  # the latest of the three
    sa.Column("suspended_on", sa.Text),
    sa.Column("ended_on", sa.Text),
    sa.Column("end_code", sa.Text, nullable=False),  # ended | dropped | superseded | closed, or a MinimalReason
    sa.Column("amended_on", sa.Text),  # the day of the meeting that changed its content: nobody agreed to that earlier
    sa.Column("content", sa.Integer, nullable=False),  # the revision in which its form was last written
    sa.Column("revision", sa.Integer, nullable=False),  # of everything about it; the record has the same
    sa.Index("plans_state", "state", "case"),
    *(
        sa.Index(f"plans_{day}", day, sqlite_where=sa.text(f"{day} IS NOT NULL"))
        for day in ("confirmed_on", "suspended_on", "ended_on")
    ),
    sa.Index("plans_effective", "effective_on", sqlite_where=sa.text("effective_on IS NOT NULL")),
    sqlite_with_rowid=False,
)
