"""One valid form of every kind, as the JSON a client sends, on the profile of 福生市; all people are plainly invented."""

from __future__ import annotations

import copy
from typing import Any

from tests.data.referrals import referral

# A person of a case is `<referral id>.<n>`; tests with a case put their own in.
PERSON = "018f0000-0000-7000-8000-000000000001.0"

_SAMPLES: dict[str, dict[str, Any]] = {
    "referral": referral(),
    "reply": {
        "decision": "accepted",
        "reason": "介護の相談とあわせてお受けします。",
        "lead_agency": "welfare-desk",
        "next_actions": "来週、ご自宅を訪問します。",
        "contact_phone": "０４２－０００－０２０１",
    },
    "withdrawal": {
        "kind": "misdirected",
        "reason": "つなぎ先の選び間違い。",
        "noticed_on": "2026-04-03",
        "sent_to_wrong": ["sample-clinic"],
        "measures": "電話で連絡し、開かないようお願いした。",
    },
    "consent": {
        "person": PERSON,
        "status": "given",
        "signer": "family_representative",
        "signer_name": "見本　花子",
        "signer_relationship": "妻",
        "explained_by": "見本　窓子",
        "explained_on": "令和8年4月1日",
        "given_on": "令和8年4月2日",
        "method": "oral",
        "heard_by": "見本　窓子",
        "oral_record": "4月2日の午後、自宅で。「みんなで考えてもらえるなら助かる」と話された。",
        "evidence": "窓口の鍵付き書庫",
        "purpose": "介護と生活の支援を、関係機関がいっしょに考えるため。",
        "scope": ["consultation", "assessment", "plan"],
        "agencies": ["sample-care", "welfare-council"],
        "excluded_agencies": ["sample-clinic"],
        "excluded_matters": "通院先のこと",
        "meetings": ["layered_support_meeting"],
        "until": "2099-03-31",
        "covers_successor": True,
        "note": "長男のことは、長男本人に確かめる。",
    },
    "consent_withdrawal": {
        "withdrawn_on": "2026-04-10",
        "agencies": ["welfare-council"],
        "reason": "近所に知り合いがいるため。",
        "told_by": "person",
        "heard_by": "見本　窓子",
    },
    "consent_extension": {
        "until": "2099-09-30",
        "agencies": ["hardship-support"],
        "given_on": "2026-04-12",
        "method": "written",
        "heard_by": "見本　窓子",
    },
    "assessment": {
        "stage": "assessment",
        "received_on": "2026-04-01",
        "route": "own_contact",
        "visitor": "見本　花子（妻）",
        "household": "夫婦と長男の三人で暮らす。",
        "housing": "持家。二階は使っていない。",
        "health": "妻は膝が悪く、要介護1。",
        "income": "夫婦の年金だけ。\n光熱費に遅れがある。",
        "work": "長男は十年ほど働いていない。",
        "community": "町会の行事には出ていない。",
        "involved": "見本診療所",
        "wishes": "三人で暮らしつづけたい。",
        "strengths": "近所の畑を手伝っている。",
        "issues": ["poverty", "care"],
        "household_issues": ["withdrawal", "aged_parent_adult_child"],
        "main_issue": "withdrawal",
        "urgency": "soon",
        "risk": "夏の暑さで体調を崩すおそれ。",
        "summary": "介護と家計と長男の孤立が重なっている。",
        "direction": "介護の負担を減らし、長男に会える人をつくる。",
        "screening": "handed_over",
        "handed_over_to": ["hardship-support"],
        "author": "見本　窓子",
    },
    "contact": {
        "at": "2026-04-05",
        "time": "14時30分から1時間",
        "method": "visit",
        "counterpart": "長男（ドア越し）",
        "content": "返事はなかったが、足音がした。\n手紙を置いて帰った。",
        "outreach_actions": ["letter_left", "joint_visit"],
        "judgement": "こちらの声は聞いている。",
        "next_action": "来月も同じ曜日に訪ねる。",
        "recorder": "見本　訪子",
    },
    "evaluation": {
        "evaluated_on": "2026-09-30",
        "plan": "P2026-００００１",
        "achievement": "介護サービスが始まり、長男が週に一度、居場所に通うようになった。",
        "changes": ["participation", "care"],
        "changes_note": "妻の笑顔が増えた。",
        "remaining": "家計の見直しは続いている。",
        "wishes": "この調子で続けたい。",
        "outcome": "ended",
        "reason": "役割分担ができ、見通しが立ったため。",
        "follow_up": True,
        "follow_up_method": "主担当が三か月ごとに電話する。",
        "lead_agency": "welfare-council",
    },
    "pledge": {
        "agency": "sample-care",
        "title": "相談員",
        "name": "見本　介子",
        "body": "support-meeting",
        "given_on": "2026-04-01",
        "method": "written",
        "acknowledged": True,
    },
    "protection": {
        "person": PERSON,
        "kind": "violence_support",
        "fields": ["address", "phone"],
        "cleared": ["welfare-desk"],
        "since": "2026-04-20",
        "until": "2099-04-19",
        "reason": "支援措置の申し出があった。",
    },
    "allocation": {
        "agency": "sample-care",
        "part": "週二回の訪問介護と、見守り。",
        "since": "2026-04-15",
        "until": "2099-03-31",
    },
    "ground": {
        "agency": "child-family-center",
        "kind": "legal_duty",
        "law": "provision-by-municipality",
        "reason": "同居する子どもの安全を確かめるため。",
        "decided_by": "見本　係長",
        "until": "2099-03-31",
    },
    "closure": {
        "reason": "handed_over",
        "note": "介護の相談窓口が引き続き関わる。",
        "lead_agency": "long-term-care",
    },
}


def sample(kind: str, /, **changes: Any) -> dict[str, Any]:
    """A valid form of that kind with every field that goes together; `changes` replace fields of the top level.

    KeyError for an unknown kind.
    """
    return {**copy.deepcopy(_SAMPLES[kind]), **changes}
