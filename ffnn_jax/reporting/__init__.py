"""Metrics, tables and figures of a run, from its numbers alone; nothing is trained here."""

from ffnn_jax.reporting._comparison_page import (
    comparison_page,
    facts_rows,
    findings,
    run_facts,
    settings_rows,
)
from ffnn_jax.reporting._contact_sheet import draw_contact_sheet
from ffnn_jax.reporting._demo_page import demo_page
from ffnn_jax.reporting._figures import (
    draw_confusion,
    draw_curves,
    draw_filters,
    draw_misclassified,
    draw_precision_recall,
    draw_predictions,
    draw_runs,
    draw_tuning,
    draw_verification,
    save_figure,
)
from ffnn_jax.reporting._metrics import accuracy, confusion_matrix, f1, precision, recall
from ffnn_jax.reporting._run_page import run_fragment, run_page, spread_in_percent
from ffnn_jax.reporting._tables import precision_recall_table, print_table

__all__ = [
    "accuracy", "comparison_page", "confusion_matrix", "demo_page", "draw_confusion",
    "draw_contact_sheet", "draw_curves", "draw_filters", "draw_misclassified",
    "draw_precision_recall", "draw_predictions", "draw_runs", "draw_tuning", "draw_verification",
    "f1", "facts_rows", "findings", "precision", "precision_recall_table", "print_table", "recall",
    "run_facts", "run_fragment", "run_page", "save_figure", "settings_rows", "spread_in_percent",
]  # fmt: skip
