"""Every other form, consents and protection as the rules read them, the time line, lists, drafts and disposal."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def _retention() -> list[sa.Column]:
    return [
        sa.Column("retention_class", sa.Text, nullable=False),
        sa.Column("completed_on", sa.Text),
        sa.Column("legal_hold", sa.Integer, nullable=False),
    ]


def _add(table: str, *columns: sa.Column) -> None:
    for column in columns:
        op.add_column(table, column)


def upgrade() -> None:
    _more_columns()
    _persons()
    _forms()
    _rules()
    _said_before()
    _lists()
    _listed_before()
    _disposal()


def _more_columns() -> None:
    _add(
        "cases",
        sa.Column("revision", sa.Integer, nullable=False, server_default="1"),
        sa.Column("lead", sa.Text, nullable=False, server_default=""),
        sa.Column("joined_into", sa.Integer),
        sa.Column("previous", sa.Integer),
        sa.Column("ended_code", sa.Text, nullable=False, server_default=""),
        sa.Column("ended_at", sa.BigInteger),
        sa.Column("origin", sa.Text, nullable=False, server_default=""),
        sa.Column("kept_by", sa.Text, nullable=False, server_default=""),
    )
    ended = sa.text("completed_on IS NOT NULL")
    op.create_index("cases_kept", "cases", ["kept_by", "completed_on", "seq"], sqlite_where=ended)
    op.create_index("cases_year", "cases", ["fiscal_year", "seq"])
    op.create_index("cases_joined", "cases", ["joined_into"], sqlite_where=sa.text("joined_into IS NOT NULL"))
    _add("referrals", sa.Column("state", sa.Text, nullable=False, server_default="submitted"))
    _add(
        "audience",
        sa.Column("law", sa.Text, nullable=False, server_default=""),
        sa.Column("hidden", sa.Text, nullable=False, server_default="[]"),
        sa.Column("withheld", sa.Text, nullable=False, server_default="[]"),
    )
    _add(
        "documents",
        sa.Column("readers_revision", sa.Integer, nullable=False, server_default="0"),
        sa.Column("superseded", sa.Integer, nullable=False, server_default="0"),
    )
    op.create_index("ix_documents_form", "documents", ["form"])
    op.create_index("ix_deliveries_document", "deliveries", ["document"])


def _persons() -> None:
    """The household gets rows too."""
    op.rename_table("persons", "persons_before")
    op.create_table(
        "persons",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("referral", sa.Text, nullable=False),
        sa.Column("case", sa.Integer, sa.ForeignKey("cases.seq"), nullable=False, index=True),
        sa.Column("position", sa.Integer, nullable=False),
        sa.Column("search_key", sa.Text, nullable=False),
        sa.Column("birth_date", sa.Text),
        sa.Column("phone_key", sa.Text, nullable=False),
        sa.Column("same_as", sa.Text, nullable=False),
        sa.Column("taken_off", sa.Integer, nullable=False, server_default="0"),
        sqlite_with_rowid=False,
    )
    op.execute(
        'INSERT INTO persons (id, referral, "case", position, search_key, birth_date, phone_key, same_as)'
        " SELECT p.referral || '.0', p.referral, r.\"case\", 0, p.search_key, p.birth_date, '', p.referral || '.0'"
        " FROM persons_before p JOIN referrals r ON r.id = p.referral"
    )
    op.drop_table("persons_before")
    known = sa.text("birth_date IS NOT NULL")
    op.create_index("persons_match", "persons", ["search_key", "birth_date"], sqlite_where=known)
    op.create_index("persons_phone", "persons", ["phone_key"])


def _forms() -> None:
    op.create_table(
        "records",
        sa.Column("seq", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("id", sa.Text, nullable=False, unique=True),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("number", sa.Text, nullable=False),
        sa.Column("case", sa.Integer, sa.ForeignKey("cases.seq")),
        sa.Column("about", sa.Text, nullable=False),
        sa.Column("revision", sa.Integer, nullable=False),
        sa.Column("submitted_at", sa.BigInteger, nullable=False),
        sa.Column("user", sa.Text, nullable=False),
        sa.Column("user_name", sa.Text, nullable=False),
        sa.Column("agency", sa.Text, nullable=False),
        sa.Column("audience_revision", sa.Integer, nullable=False),
        sa.Column("support_meeting_only", sa.Integer, nullable=False),
        sa.Column("persons", sa.Text, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("form", sa.LargeBinary, nullable=False),
        *_retention(),
        sqlite_autoincrement=True,
    )
    op.create_index("records_case", "records", ["case", "kind", "seq"])
    op.create_table(
        "revisions",
        sa.Column("form", sa.Text, primary_key=True),
        sa.Column("revision", sa.Integer, primary_key=True),
        sa.Column("submitted_at", sa.BigInteger, nullable=False),
        sa.Column("user", sa.Text, nullable=False),
        sa.Column("user_name", sa.Text, nullable=False),
        sa.Column("agency", sa.Text, nullable=False),
        sa.Column("content", sa.LargeBinary, nullable=False),
        sqlite_with_rowid=False,
    )


def _rules() -> None:
    op.create_table(
        "consents",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("case", sa.Integer, sa.ForeignKey("cases.seq"), nullable=False, index=True),
        sa.Column("person", sa.Text, nullable=False),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("given_on", sa.Text),
        sa.Column("until", sa.Text),
        sa.Column("agencies", sa.Text, nullable=False),
        sa.Column("excluded", sa.Text, nullable=False),
        sa.Column("covers_successor", sa.Integer, nullable=False),
        sa.Column("withdrawn_on", sa.Text),
        sa.Column("withdrawn_agencies", sa.Text, nullable=False),
        sa.Column("revision", sa.Integer, nullable=False),
        sa.Column("closed", sa.Integer, nullable=False),
        sa.Column("recorded_on", sa.Text),
        sqlite_with_rowid=False,
    )
    op.create_index("consents_until", "consents", ["closed", "until"])
    op.create_table(
        "allocations",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("case", sa.Integer, sa.ForeignKey("cases.seq"), nullable=False, index=True),
        sa.Column("agency", sa.Text, nullable=False),
        sa.Column("part", sa.Text, nullable=False),
        sa.Column("since", sa.Text, nullable=False),
        sa.Column("until", sa.Text),
        sa.Column("ended_at", sa.BigInteger),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "protections",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("case", sa.Integer, sa.ForeignKey("cases.seq"), nullable=False, index=True),
        sa.Column("person", sa.Text, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("fields", sa.Text, nullable=False),
        sa.Column("cleared", sa.Text, nullable=False),
        sa.Column("since", sa.Text, nullable=False),
        sa.Column("until", sa.Text),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("set_at", sa.BigInteger, nullable=False),
        sa.Column("set_by", sa.Text, nullable=False),
        sa.Column("lifted_at", sa.BigInteger),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "grounds",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("case", sa.Integer, sa.ForeignKey("cases.seq"), nullable=False, index=True),
        sa.Column("agency", sa.Text, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("law", sa.Text, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("decided_by", sa.Text, nullable=False),
        sa.Column("set_at", sa.BigInteger, nullable=False),
        sa.Column("until", sa.Text),
        sa.Column("ended_at", sa.BigInteger),
        sa.Column("reviewed_at", sa.BigInteger),
        sa.Column("reviewed_by", sa.Text, nullable=False),
        sqlite_with_rowid=False,
    )


def _said_before() -> None:
    """The households and the consents of the referrals that are there, from which audiences are worked out from now on.

    No consent given before says that it covers the next contractor. Who is on two referrals of a case is one person.
    """
    op.execute(
        'INSERT INTO persons (id, referral, "case", position, search_key, birth_date, phone_key, same_as)'
        " SELECT r.id || '.' || (h.key + 1), r.id, r.\"case\", h.key + 1, '', json_extract(h.value, '$.birth_date'), '',"
        " r.id || '.' || (h.key + 1) FROM referrals r, json_each(CAST(r.form AS TEXT), '$.household') h"
    )
    op.execute(
        "UPDATE persons SET same_as = (SELECT o.id FROM persons o JOIN referrals r ON r.id = o.referral"
        ' WHERE o."case" = persons."case" AND o.search_key = persons.search_key AND o.birth_date = persons.birth_date'
        " ORDER BY r.seq, o.position LIMIT 1) WHERE search_key <> '' AND birth_date IS NOT NULL"
    )
    op.execute(
        'INSERT INTO consents (id, "case", person, status, given_on, until, agencies, excluded, covers_successor,'
        " withdrawn_on, withdrawn_agencies, revision, closed)"
        " SELECT r.id, r.\"case\", p.same_as, r.consent_status, json_extract(CAST(r.form AS TEXT), '$.consent.given_on'),"
        " json_extract(CAST(r.form AS TEXT), '$.consent.until'),"
        " coalesce(json_extract(CAST(r.form AS TEXT), '$.consent.agencies'), '[]'), '[]', 0, NULL, '[]', 1, 0"
        " FROM referrals r JOIN persons p ON p.id = r.id || '.0'"
    )


def _lists() -> None:
    op.create_table(
        "timeline",
        sa.Column("seq", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("case", sa.Integer, sa.ForeignKey("cases.seq"), nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("ref", sa.Text, nullable=False),
        sa.Column("code", sa.Text, nullable=False),
        sa.Column("user_name", sa.Text, nullable=False),
        sa.Column("agency", sa.Text, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_index("timeline_case", "timeline", ["case", "seq"])
    op.create_table(
        "case_lists",
        sa.Column("agency", sa.Text, primary_key=True),
        sa.Column("case", sa.Integer, sa.ForeignKey("cases.seq"), primary_key=True),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("fiscal_year", sa.Integer, nullable=False),
        sa.Column("origin", sa.Text, nullable=False, server_default=""),
        sqlite_with_rowid=False,
    )
    op.create_index("case_lists_case", "case_lists", ["case"])
    op.create_index("case_lists_state", "case_lists", ["agency", "state", "case", "fiscal_year"])
    op.create_index("case_lists_origin", "case_lists", ["agency", "origin", "state", "case", "fiscal_year"])
    op.create_table(
        "case_keys",
        sa.Column("agency", sa.Text, primary_key=True),
        sa.Column("search_key", sa.Text, primary_key=True),
        sa.Column("case", sa.Integer, primary_key=True),
        sa.Column("person", sa.Text, primary_key=True),
        sqlite_with_rowid=False,
    )
    op.create_index("case_keys_case", "case_keys", ["case", "agency"])
    op.create_table(
        "drafts",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("user", sa.Text, nullable=False),
        sa.Column("agency", sa.Text, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("about", sa.Text, nullable=False),
        sa.Column("content", sa.LargeBinary, nullable=False),
        sa.Column("saved_at", sa.BigInteger, nullable=False, index=True),
        sqlite_with_rowid=False,
    )
    op.create_index("drafts_user", "drafts", ["user", "agency", "saved_at"])


def _listed_before() -> None:
    """What was there before is on the lists and found by its kana as everything after it."""
    op.execute(
        'UPDATE cases SET origin = (SELECT r.agency FROM referrals r WHERE r."case" = cases.seq ORDER BY r.seq LIMIT 1)'
        ' WHERE EXISTS (SELECT 1 FROM referrals r WHERE r."case" = cases.seq)'
    )
    op.execute(
        'INSERT INTO case_lists (agency, "case", state, fiscal_year, origin)'
        ' SELECT DISTINCT a.agency, a."case", c.state, c.fiscal_year, c.origin'
        ' FROM audience a JOIN cases c ON c.seq = a."case"'
    )
    op.execute(
        'INSERT INTO case_keys (agency, search_key, "case", person)'
        ' SELECT DISTINCT a.agency, p.search_key, a."case", p.id'
        " FROM audience a JOIN persons p ON a.form = 'referral/' || p.referral WHERE p.search_key <> ''"
    )
    op.execute(
        'INSERT INTO timeline ("case", at, kind, ref, code, user_name, agency, state)'
        " SELECT \"case\", submitted_at, 'referral_submitted', 'referral/' || id, '', user_name, agency, 'received'"
        " FROM referrals ORDER BY seq"
    )


def _disposal() -> None:
    op.create_table(
        "disposals",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("number", sa.Text, nullable=False, unique=True),
        sa.Column("made_at", sa.BigInteger, nullable=False, index=True),
        sa.Column("made_by", sa.Text, nullable=False),
        sa.Column("made_by_name", sa.Text, nullable=False),
        sa.Column("approved_at", sa.BigInteger),
        sa.Column("approved_by", sa.Text, nullable=False),
        sa.Column("approved_by_name", sa.Text, nullable=False),
        sa.Column("refused_at", sa.BigInteger),
        sa.Column("refused_by_name", sa.Text, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
    )
    op.create_table(
        "disposal_items",
        sa.Column("disposal", sa.Text, sa.ForeignKey("disposals.id"), primary_key=True),
        sa.Column("case", sa.Integer, sa.ForeignKey("cases.seq"), primary_key=True),
        sa.Column("completed_on", sa.Text, nullable=False),
        sa.Column("retention_class", sa.Text, nullable=False),
        sa.Column("kept_until", sa.Text, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("code", sa.Text, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_index("disposal_items_case", "disposal_items", ["case", "state"])
    op.create_table(
        "tombstones",
        sa.Column("form", sa.Text, primary_key=True),
        sa.Column("case_number", sa.Text, nullable=False, index=True),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("number", sa.Text, nullable=False),
        sa.Column("erased_at", sa.BigInteger, nullable=False),
        sa.Column("erased_by", sa.Text, nullable=False),
        sa.Column("code", sa.Text, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "publications",
        sa.Column("seq", sa.Integer, primary_key=True),
        sa.Column("form", sa.Text, nullable=False, index=True),
        sa.Column("at", sa.BigInteger, nullable=False, index=True),
    )
    op.create_table(
        "facts",
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("value", sa.Text, nullable=False),
        sqlite_with_rowid=False,
    )
