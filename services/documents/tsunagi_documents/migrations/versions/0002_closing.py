"""The newest audience of each form, what closes documents by itself, tombstones, blocks, and the watermark."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

# Until now who may read was kept by document alone: the audience of each form is taken from there.
_AUDIENCE = """
INSERT INTO audience (form, agency, basis_kind, basis_ref, view, law, members, until, hidden, withheld)
SELECT d.form, a.agency, a.basis_kind, a.basis_ref, a.view, '',
       (SELECT json_group_array(m.member) FROM access m
        WHERE m.document_id = min(d.id) AND m.agency = a.agency AND m.basis_kind = a.basis_kind
          AND m.basis_ref = a.basis_ref AND m.member <> ''),
       max(a.until), '[]', '[]'
FROM access a JOIN documents d ON d.id = a.document_id
GROUP BY d.form, a.agency, a.basis_kind, a.basis_ref, a.view
"""
_FORMS = """
UPDATE forms SET
  case_number = coalesce((SELECT max(case_number) FROM documents d WHERE d.form = forms.form), ''),
  persons = coalesce((SELECT max(persons) FROM documents d WHERE d.form = forms.form), '[]'),
  support_meeting_only = coalesce((SELECT max(support_meeting_only) FROM documents d WHERE d.form = forms.form), 0),
  audience_at = coalesce((SELECT max(received_at) FROM documents d WHERE d.form = forms.form), 0),
  content_at = coalesce((SELECT max(received_at) FROM documents d WHERE d.form = forms.form), 0),
  provider = coalesce((SELECT max(a.agency) FROM access a JOIN documents d ON d.id = a.document_id
                       WHERE d.form = forms.form AND d.kind = 'assessment_sheet'), '')
"""


def _add_to_forms() -> None:
    text, number = sa.Text, sa.BigInteger
    for name, kind, default in (
        ("audience_at", number, "0"),
        ("content_at", number, "0"),
        ("case_number", text, "''"),
        ("persons", text, "'[]'"),
        ("support_meeting_only", sa.Integer, "0"),
        ("provider", text, "''"),
        ("summaries", sa.Integer, "1"),
    ):
        op.add_column("forms", sa.Column(name, kind, nullable=False, server_default=sa.text(default)))
    op.create_index("forms_case", "forms", ["case_number"])


def upgrade() -> None:
    _add_to_forms()
    op.create_table(
        "audience",
        sa.Column("form", sa.Text, primary_key=True),
        sa.Column("agency", sa.Text, primary_key=True),
        sa.Column("basis_kind", sa.Text, primary_key=True),
        sa.Column("basis_ref", sa.Text, primary_key=True),
        sa.Column("view", sa.Text, primary_key=True),
        sa.Column("law", sa.Text, nullable=False),
        sa.Column("members", sa.Text, nullable=False),
        sa.Column("until", sa.Text),
        sa.Column("hidden", sa.Text, nullable=False),
        sa.Column("withheld", sa.Text, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_index("audience_basis", "audience", ["basis_ref"])
    op.create_table(
        "ended",
        sa.Column("basis_ref", sa.Text, primary_key=True),
        sa.Column("agency", sa.Text, primary_key=True),
        sa.Column("person", sa.Text, nullable=False),
        sa.Column("case_number", sa.Text, nullable=False),
        sa.Column("code", sa.Text, nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_index("ended_case", "ended", ["case_number"])
    op.create_index("ended_at", "ended", ["at"])
    op.create_table(
        "protections",
        sa.Column("case_number", sa.Text, primary_key=True),
        sa.Column("revision", sa.Integer, nullable=False),
        sa.Column("withheld", sa.Text, nullable=False),
        sa.Column("cleared", sa.Text, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "withdrawn",
        sa.Column("form", sa.Text, primary_key=True),
        sa.Column("code", sa.Text, nullable=False),
        sa.Column("keep", sa.Text, nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "erased",
        sa.Column("form", sa.Text, primary_key=True),
        sa.Column("code", sa.Text, nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "tombstones",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("versions", sa.Integer, nullable=False),
        sa.Column("chain", sa.LargeBinary),
        sa.Column("erased_at", sa.BigInteger, nullable=False),
        sa.Column("code", sa.Text, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "blocks",
        sa.Column("scope", sa.Text, primary_key=True),
        sa.Column("ref", sa.Text, primary_key=True),
        sa.Column("at", sa.BigInteger, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "aliases",
        sa.Column("person", sa.Text, primary_key=True),
        sa.Column("other", sa.Text, primary_key=True),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "facts",
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("value", sa.BigInteger, nullable=False),
        sqlite_with_rowid=False,
    )
    op.execute(_AUDIENCE)
    op.execute(_FORMS)
