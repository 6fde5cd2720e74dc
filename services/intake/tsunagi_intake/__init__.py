"""Intake: forms, cases, consents, and the audience of each form. Where to look, besides the modules every service has:

- **rules** (pure functions over plain data): `rulebook` and `meeting_rules` (every rule and refusal, as `rule`
  defines them), `rules` (who may do what), `consents`, `audience`, `lifecycle`.
- **writing**: `posting` (a page's or JSON's way in), `standing` (how the caller stands to it), `referrals`,
  `records` (every other form), `consent_records`, `consent_changes`, `actions`, `steering`, `joining`,
  `persons`, `numbering`, `drafts`.
- **change**: `form_facts` and `known_persons` (what the rule reads), `changes` (the audience worked out anew), `publishing`,
  `republishing`, `due` and `expiry` (what time alone changes), `projections` (what the other services tell).
- **reading**: `cases`, `case_lists`, `case_lines`, `case_pages`, `case_sections`, `people`, `timeline`,
  `openings`, `record_reading`, `form_view`, `form_pages`, `withholding`, `leak_note`.
- **keeping**: `retention`, `disposals`, `disposal_pages`, `erasure`, `disclosure`, `disclosure_sheets`.
- **HTTP**: `referral_routes`, `record_routes`, `case_routes`, `form_routes`, `retention_routes`, gathered in
  `routes`.
"""
