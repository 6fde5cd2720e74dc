"""Rows of plans and minutes: shown in words, and disclosed as what they are, not as lines of the household."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import msgspec
import pytest

from tests.data.forms import sample
from tsunagi_intake.disclosure_sheets import About, parts_of
from tsunagi_intake.form_view import lines_of
from tsunagi_shared.contracts.profile import Profile, load_profile
from tsunagi_shared.forms.checks import check
from tsunagi_shared.forms.codes import Codes
from tsunagi_shared.forms.kinds import FORMS

DAY = dt.date(2026, 11, 23)


@pytest.fixture(scope="module")
def fussa() -> Profile:
    return load_profile(Path(__file__).parents[2] / "deploy" / "profiles" / "fussa")


def codes_of(profile: Profile, kind: str) -> Codes:
    return profile.codes(FORMS[kind].settings, DAY)


def form_of(profile: Profile, kind: str) -> msgspec.Struct:
    checked = check(FORMS[kind].struct, sample(kind), codes_of(profile, kind))
    assert checked.form is not None
    return checked.form


def test_a_row_is_shown_in_words(fussa: Profile) -> None:
    """Agencies by their names, codes by their labels, days in 和暦: no id reaches the page."""
    shown = {
        kind: {
            line.title: line.value
            for line in lines_of(fussa, kind, msgspec.json.decode(msgspec.json.encode(form_of(fussa, kind))), {})
        }
        for kind in ("plan", "minutes", "agenda_item")
    }
    assert shown["plan"]["役割分担"].split("\n") == [
        "見本介護サービス事業所　見本　介子　週二回の訪問介護と、見守り。　週２回　令和8年10月31日",
        "生活困窮者自立相談支援機関　家計の見直しの相談。",
    ]
    assert shown["minutes"]["出席者"].split("\n")[1] == "見本介護サービス事業所　相談員　見本　介子　この議題の間は退席"
    assert shown["minutes"]["決定"] == "修正承認"
    assert shown["agenda_item"]["資料"] == "R2026-00001\nC2026-00001-02"
    assert shown["agenda_item"]["法的位置付け"] == "重層的支援会議"


@pytest.mark.parametrize("is_subject", [True, False])
def test_rows_that_are_not_the_household_are_disclosed(fussa: Profile, is_subject: bool) -> None:
    """Who does what is told to whoever the plan is about; nothing of it is taken for another member of the household."""
    about = About(is_subject=is_subject)
    for kind, heading in (("plan", "役割分担"), ("minutes", "出席者")):
        parts = {part.heading: part for part in parts_of(form_of(fussa, kind), codes_of(fussa, kind), about)}
        lines = [(line.label, line.value) for line in parts[heading].lines]
        assert ("機関", "見本介護サービス事業所") in lines
        assert not [label for label, _ in lines if "世帯" in label]
