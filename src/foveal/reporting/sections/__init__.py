"""Sections of the report: evidence becomes texts, tables and figures, ready to set."""
