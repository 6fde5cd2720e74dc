"""Numbers without gaps, allocated in the transaction of the row that uses them: none is lost, none is given twice."""

from __future__ import annotations

import sqlalchemy as sa
import sqlalchemy.dialects.sqlite
from sqlalchemy import Connection

from tsunagi_intake.tables import numbers
from tsunagi_shared.contracts.profile import NumberKind, Profile
from tsunagi_shared.database import Statement

_NEXT = Statement(
    sa.dialects.sqlite.insert(numbers)
    .values(kind=sa.bindparam("kind"), fiscal_year=sa.bindparam("fiscal_year"), last=1)
    .on_conflict_do_update(index_elements=["kind", "fiscal_year"], set_={"last": numbers.c.last + 1})
    .returning(numbers.c.last)
)


_NEXT_TWO = Statement(
    sa.dialects.sqlite.insert(numbers)
    .values(
        [
            {"kind": sa.bindparam("first"), "fiscal_year": sa.bindparam("first_year"), "last": 1},
            {"kind": sa.bindparam("second"), "fiscal_year": sa.bindparam("second_year"), "last": 1},
        ]
    )
    .on_conflict_do_update(index_elements=["kind", "fiscal_year"], set_={"last": numbers.c.last + 1})
    .returning(numbers.c.kind, numbers.c.last)
)


def following(connection: Connection, series: str, fiscal_year: int = 0) -> int:
    """The next of a series of whole numbers, from 1; each 年度 has its own, 0 stands for one that runs through."""
    row = _NEXT.first(connection, kind=series, fiscal_year=fiscal_year)
    assert row is not None
    return int(row[0])


def next_number(connection: Connection, profile: Profile, kind: NumberKind, fiscal_year: int) -> str:
    """The next receipt or case number of the 年度, written as the profile says."""
    return profile.number(kind, fiscal_year, following(connection, kind, fiscal_year))


def next_numbers(connection: Connection, profile: Profile, fiscal_year: int) -> tuple[str, str]:
    """The next receipt number and the next case number, at one stroke."""
    cursor = _NEXT_TWO.run(connection, first="referral", first_year=fiscal_year, second="case", second_year=fiscal_year)
    last: dict[str, int] = dict(cursor.fetchall())
    cursor.close()
    referral, case = last["referral"], last["case"]
    return profile.number("referral", fiscal_year, referral), profile.number("case", fiscal_year, case)


def record_number(connection: Connection, case: int, case_number: str) -> str:
    """文書番号 of a further form of a case: the case's number and the next number within it, e.g. C2026-00012-03."""
    return f"{case_number}-{following(connection, f'record/{case}'):02d}"


def pledge_number(connection: Connection, fiscal_year: int) -> str:
    """文書番号 of a 守秘義務誓約書, which belongs to no case, e.g. 誓約2026-0003."""
    return f"誓約{fiscal_year}-{following(connection, 'pledge', fiscal_year):04d}"
