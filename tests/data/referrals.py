"""Referrals of plainly invented people, for tests, the demo and the bench."""

from __future__ import annotations

import copy
from typing import Any

# Characters that get lost in careless systems: U+9AD9, U+FA11, U+20BB7, an IVS (Moji_Joho), U+FA10.
RARE_NAME = "髙﨑　𠮷邉󠄏子"


def referral(**changes: Any) -> dict[str, Any]:
    """A referral with consent, as JSON; `changes` replace fields of the top level."""
    form: dict[str, Any] = {
        "destinations": ["sample-care", "hardship-support"],
        "urgency": "soon",
        "contact_phone": "042-000-0101",
        "consulted_on": "2026-04-01",
        "client_kind": "family",
        "client_name": "見本　花子",
        "person": {
            "name": "見本　太郎",
            "kana": "みほん　たろう",
            "sex": "male",
            "birth_date": "昭和30年4月1日",
            "postal_code": "１９７－００００",
            "address": "見本県見本市見本町0-0-0",
            "phone": "０４２－０００－０００１",
        },
        "household": [
            {"name": "見本　花子", "relationship": "妻", "age": 68, "note": "持病あり"},
            {"name": "見本　一郎", "relationship": "長男", "age": 41, "note": "仕事をしていない"},
        ],
        "household_size": 3,
        "troubles": ["care", "withdrawal", "income"],
        "main_trouble": "withdrawal",
        "consultation": "妻の介護の負担が増え、長男は十年ほど家から出ていない。\n年金だけでは生活費が足りなくなってきた。",
        "chief_complaint": "自分が倒れたあとの妻と長男の暮らしが心配だ。",
        "reason": "介護と生活困窮と、ひきこもりの相談を、いっしょに考えてほしい。",
        "considerations": "平日の午前中に連絡してほしい。",
        "involved_agencies": "見本診療所（かかりつけ）",
        "actions_taken": "窓口で一時間ほど話を聞いた。",
        "safety_notes": "特になし",
        "consent": {
            "status": "given",
            "given_on": "2026-04-01",
            "method": "written",
            "heard_by": "見本　窓子",
            "agencies": ["sample-care", "hardship-support"],
        },
    }
    return {**copy.deepcopy(form), **changes}


def without_consent(**changes: Any) -> dict[str, Any]:
    """The same, before the person was asked."""
    return referral(consent={"status": "not_asked"}, **changes)
