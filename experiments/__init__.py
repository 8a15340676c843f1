"""One module per table or figure of the report; run one with ``python -m experiments.NAME``."""
