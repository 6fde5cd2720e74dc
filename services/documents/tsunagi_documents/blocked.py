"""What somebody cut by hand, as a condition that every read looks at: a document, its case, or a person on it."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from tsunagi_documents.tables import access, aliases, blocks, documents, forms


def _block(scope: str, ref: Any) -> sa.ColumnElement[bool]:
    return sa.exists().where(blocks.c.scope == scope, blocks.c.ref == ref)


_person = sa.func.json_each(forms.c.persons).table_valued("value", name="person")


def is_person(value: Any, ref: Any) -> sa.ColumnElement[bool]:
    """Whether a person on a paper is the one meant by `ref`, by whatever id either of them goes."""
    alias = sa.exists().where(aliases.c.person == value, aliases.c.other == ref)
    return sa.or_(value == ref, alias)


# Somebody cut the document, its case, or a person on it by hand.
BLOCKED = sa.or_(
    _block("document", documents.c.id),
    _block("case", documents.c.case_number),
    sa.exists(
        sa.select(sa.literal(1))
        .select_from(forms.join(_person, sa.true()).join(blocks, is_person(_person.c.value, blocks.c.ref)))
        .where(forms.c.form == documents.c.form, blocks.c.scope == "person")
        .correlate(documents)
    ),
)
BLOCKED_ACCESS = sa.exists(
    sa.select(documents.c.id).where(documents.c.id == access.c.document_id, BLOCKED).correlate(access)
)
