"""The forms: one definition each, from which checks, pages, schemas and documents come."""
