"""Notify: agencies are told, and their receipt is known. Where to look, besides the modules every service has:

`deliveries` (a row for each version, agency and channel), `endings` (access that ended, versions replaced),
`receipts` (opened, received, misdelivered), `directory` (who is reached how), `requests` (what people and
programs send); the channels are in `channels/`.
"""
