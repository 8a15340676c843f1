import csv
import io
from pathlib import Path

from ffnn_jax.models import Prediction, predictions_csv


def test_each_prediction_is_a_row_and_what_is_missing_is_empty():
    bad = Prediction(Path("a, b.png"), error="not a picture")
    unsure = Prediction(Path("c.png"), (("three", 0.5), ("cat, big", 0.25)), box=(1, 2, 3, 4))
    head, *rows = csv.reader(io.StringIO(predictions_csv([bad, unsure])))
    ranks = ["label_1", "probability_1", "label_2", "probability_2"]
    assert head == ["file", "error", "box", "warning", *ranks]
    assert rows == [
        ["a, b.png", "not a picture", "", "", "", "", "", ""],
        ["c.png", "", "1 2 3 4", str(unsure.warning), "three", "0.5", "cat, big", "0.25"],
    ]
    assert predictions_csv([unsure]).count("\n") == 2
