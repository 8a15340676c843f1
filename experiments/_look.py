"""What a figure shows of a run's best member: its filters, its most confident mistakes."""

from typing import Any

import numpy as np

from ffnn_jax.runs import Outcome, most_confident_mistakes


def look_at_best(outcome: Outcome) -> dict[str, Any]:
    """First-layer filters and 16 misclassified images, as JSON's own types."""
    rows, test = most_confident_mistakes(outcome, outcome.best), outcome.splits.test
    return {
        "filters": np.asarray(outcome.models[outcome.best].params["conv_2"]["w"]).tolist(),
        "mistakes": {
            "images": test.images[rows].tolist(),
            "true": test.labels[rows].tolist(),
            "predicted": outcome.test_predicted[outcome.best][rows].tolist(),
        },
    }
