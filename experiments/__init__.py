"""One file for each table or figure of the report: ``python -m experiments.NAME``."""
