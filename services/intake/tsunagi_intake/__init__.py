"""Intake: forms, cases, consents, and the audience of each form."""
