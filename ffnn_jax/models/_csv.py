"""Predictions as a table in CSV."""

import io
from collections.abc import Sequence
from csv import writer

from ffnn_jax.models._predict import Prediction


def predictions_csv(predictions: Sequence[Prediction]) -> str:
    """One row for each prediction, with as many labels and probabilities as the longest has."""
    most = max(len(prediction.top) for prediction in predictions)
    ranks = [f"{name}_{rank}" for rank in range(1, most + 1) for name in ("label", "probability")]
    text = io.StringIO()
    rows = writer(text, lineterminator="\n")
    rows.writerow(["file", "error", "box", "warning", *ranks])
    for prediction in predictions:
        cells = [cell for one in prediction.top for cell in one]
        missing = [""] * (len(ranks) - len(cells))
        box = " ".join(map(str, prediction.box or ()))
        said = prediction.error or "", box, prediction.warning or ""
        rows.writerow([prediction.file, *said, *cells, *missing])
    return text.getvalue()
