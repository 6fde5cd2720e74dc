"""Documents: Word and PDF into object storage, and reading them. Where to look, besides the modules every service has:

- **events in**: `arrivals` (the newest content and audience of a form), `kinds` (which documents a form draws),
  `closing` (who may read which: the one place that opens and closes), `erasing`, `blocking`; what is told of it
  leaves by `announcing`.
- **making**: `versions` (render and PDF jobs), `engine`, `pdf`, `objects`, `verify`.
- **sheets**: `sheets` (which template, which values), `sheets_referral`, `sheets_records`, `sheets_plans`, `sheets_meetings`,
  `sheets_requests`, `sheets_report`, `sheets_heading` (what they share), `sheets_withholding` (what a projection cuts),
  `sheets_wording`; templates in `word/`.
- **reading**: `reading` (the basis, at each read), `blocked` (what was cut by hand), `file_routes`, `superseded` (旧版),
  `answers`.
- **scans of signed consents**: `evidence`, `evidence_rewriting`, `evidence_routes`.
"""
