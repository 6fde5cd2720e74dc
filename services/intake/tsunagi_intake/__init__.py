"""Intake: forms, cases, consents, and the audience of each form. Where to look, besides the modules every service has:

- **rules** (pure functions over plain data): `rulebook`, `meeting_rules` and `sitting_rules` (every rule and refusal, as `rule`
  defines them), `rules` (who may do what), `consents`, `audience`, `lifecycle`,
  `occasions` (on which days a body meets).
- **writing**: `posting` (a page's or JSON's way in), `standing` (how the caller stands to it), `referrals`,
  `records` (every other form), `consent_records`, `consent_changes`, `actions`, `steering`, `joining`,
  `persons`, `numbering`, `drafts`.
- **plans**: `plans` (drawn up, the three dates, answers), `plan_decisions` (steps, what a meeting decided), `plan_effects`
  (what follows), `plan_gates` (who may), `plan_facts` and `plan_tables` (what is on record), `plan_reading`, `plan_pages`.
- **change**: `form_facts` and `known_persons` (what the rule reads), `changes` (the audience worked out anew), `publishing`,
  `republishing`, `due` and `expiry` (what time alone changes), `projections` (what the other services tell).
- **reading**: `cases`, `case_lists`, `case_lines`, `case_pages`, `case_sections`, `people`, `timeline`,
  `openings`, `record_reading`, `form_view`, `form_pages`, `form_places`, `withholding`,
  `people_in_texts`, `leak_note`.
- **meetings**: `meetings` (planned, convened), `meeting_office` (who runs them), `agenda_entries` (items and members),
  `convening` (who hears what, tried out first), `minutes_typed`, `minutes` (closed), `meeting_outcomes` (what a decision does),
  `community_issues`, `information`; read by `agenda`, `meeting_reading`, `meeting_events`, `calendar_feed`; `meeting_pages`,
  `meeting_routes`, `minutes_routes`; `meeting_tables`.
- **the year**: `year_calendar` (all bodies' dates, clashes, turns, what falls due), `year_pages`.
- **resources**: `resources` and `resource_facts` (社会資源), `matches` (what plans name), `follow_ups`, `resource_rules`,
  `resource_routes`, `resource_pages`, `resource_tables`; `outreach` (in codes, counted), `outreach_cases`;
  what becomes of 地域課題: `issue_rows`, `issue_steps`.
- **figures of a 年度**: `reports` (put together, who sees them), `report_masking`, `report_counts` (in SQL), `report_activities`,
  `report_rows`; `report_issue` and `report_events` (実績報告), `report_routes`, `report_files` (CSV, workbook), `report_charts`.
- **keeping**: `retention`, `disposals`, `disposal_pages`, `erasure`, `disclosure`, `disclosure_sheets`.
- **HTTP**: `referral_routes`, `record_routes`, `case_routes`, `form_routes`, `plan_routes`, `retention_routes`, gathered in
  `routes`.
"""
