"""What people read when a field is refused: which field, what is wrong, how to put it right. Never the value."""

from __future__ import annotations

from tsunagi_shared.forms.fields import Field, Kind

_CHOSEN = frozenset({Kind.CHOICE, Kind.CHOICES, Kind.AGENCY, Kind.AGENCIES, Kind.FLAG})

_MESSAGES = {
    "unknown-field": "「{label}」に、扱えない項目名が含まれています。項目名を確かめてください。",
    "wrong-type": "「{label}」の形式が正しくありません。様式の説明に合わせて入力し直してください。",
    "too-long": "「{label}」は{limit}文字以内で入力してください。",
    "too-many": "「{label}」は{limit}件までにしてください。",
    "not-a-date": "「{label}」は日付として読み取れません。「令和8年4月1日」のように入力してください。",
    "impossible-date": "「{label}」は暦にない日付です。年月日を確かめてください。",
    "not-a-time": "「{label}」は時刻として読み取れません。「13:30」又は「13時30分」のように入力してください。",
    "outside-era": "「{label}」は、その元号の期間にない日付です。元号と年を確かめるか、西暦で入力してください。",
    "future-date": "「{label}」には、今日までの日付を入力してください。",
    "past-date": "「{label}」には、今日以後の日付を入力してください。",
    "wrong-code": "「{label}」に、選択肢にないものが含まれています。一覧から選び直してください。",
    "control-character": "「{label}」に使えない文字（タブなどの制御文字）があります。取り除いてください。",
    "line-break": "「{label}」には改行を入れられません。1行で入力してください。",
    "not-kana": "「{label}」は、ひらがな又はカタカナで入力してください。",
    "not-a-number": "「{label}」は、数字で入力してください。",
    "out-of-range": "「{label}」は、{lowest}から{limit}までの数で入力してください。",
    "not-a-phone": "「{label}」は、市外局番から数字とハイフンで入力してください。例：042-551-1511",
    "not-a-postal-code": "「{label}」は、7桁の数字で入力してください。例：197-0011",
}


def message_of(code: str, field: Field, label: str) -> str:
    """The sentence for a code; `label` is the title with what surrounds it (本人：氏名). KeyError: unknown code."""
    if code == "required":
        asked = "選んでください" if field.kind in _CHOSEN else "入力してください"
        return f"「{label}」を{asked}。"
    return _MESSAGES[code].format(label=label, limit=field.limit, lowest=field.lowest)
