import numpy as np
import pytest

from experiments._claims import (
    CLAIMS,
    Claim,
    answers,
    cells,
    comparisons,
    dominating,
    other_reading,
    verdict,
)
from experiments.table_3 import ROWS


def rows_of(shifts: dict[str, float], seeds: int = 20, noise: float = 0.01) -> dict:
    generator = np.random.default_rng(0)
    common = generator.normal(0.5, 0.05, seeds)  # a seed is good or bad in every row
    accuracies = {
        row: (common + shifts.get(row, 0) + generator.normal(0, noise, seeds)).tolist()
        for row in ROWS
    }
    return {
        row: {
            "seeds": list(range(seeds)),
            "test_accuracy": values,
            "train_accuracy": [one + 0.1 for one in values],
            "validation_accuracy": (np.array(values) + generator.normal(0, noise, seeds)).tolist(),
        }
        for row, values in accuracies.items()
    }


def test_only_real_differences_are_decided():
    found = comparisons(rows_of({"2": -0.03, "6b": 0.05, "7": 0.05}))
    verdicts = {claim.name: verdict(claim, one) for claim, one in found.items()}
    assert verdicts["2 - 0"] == verdicts["6b - 0"] == verdicts["7 - 0"] == "holds"
    assert verdicts["1 - 0"] == verdicts["3 - 0"] == verdicts["4 - 3, gap"] == "not decided"


def test_a_wrong_claim_is_refuted():
    found = comparisons(rows_of({"2": 0.05, "1": 0.05}))
    verdicts = {claim.name: verdict(claim, one) for claim, one in found.items()}
    assert verdicts["2 - 0"] == "the opposite holds"
    assert verdicts["1 - 0"] == "refuted: there is a difference"


def test_cells_show_points_n_p_and_the_detectable_difference():
    one = {
        "difference": 0.004, "low": -0.005, "high": 0.013, "n": 20, "adjusted": 0.31,
        "verdict": "not decided", "smallest": 0.0123,
    }  # fmt: skip
    assert cells(one) == (
        "| +0.4 [-0.5, +1.3] | 20 | 0.31 | not decided; 1.2 points would have been detected |"
    )
    assert cells({**one, "verdict": "holds"}).endswith("| holds |")


def test_seeds_missing_from_one_row_are_ignored():
    rows = rows_of({"3": 0.1}, seeds=6)
    for name in ("seeds", "test_accuracy", "train_accuracy", "validation_accuracy"):
        rows["3"][name] = rows["3"][name][:4]
    claim = Claim("c", "", "3", "0", 1)
    (found,) = comparisons(rows, (claim,)).values()
    assert found.n == 4
    differences = np.subtract(rows["3"]["test_accuracy"], rows["0"]["test_accuracy"][:4])
    assert found.difference == pytest.approx(np.mean(differences))


def test_a_gap_is_training_minus_validation_accuracy():
    rows = rows_of({})
    rows["7"]["train_accuracy"] = [one + 0.1 for one in rows["7"]["train_accuracy"]]
    found = comparisons(rows)
    gap = next(one for claim, one in found.items() if claim.name == "7 - 0, gap")
    assert gap.difference == pytest.approx(0.1, abs=0.02)
    assert gap.decided


def test_every_claim_has_a_name_of_its_own_and_rows_that_there_are():
    assert len({claim.name for claim in CLAIMS}) == len(CLAIMS)
    assert {row for claim in CLAIMS for row in (claim.first, claim.second)} == set(ROWS)


def test_another_reading_answers_only_claims_about_its_rows():
    rows = rows_of({"4": 0.05})
    rows["4-width-16"] = {name: values[:10] for name, values in rows_of({"4": -0.05})["4"].items()}
    found = other_reading(rows, {"4": "4-width-16"})
    compared = [(one["first"], one["second"], one["gap"]) for one, _ in found]
    assert compared == [("4", "0", False), ("4", "3", False), ("5", "4", False), ("4", "3", True)]
    assert all(before["n"] == after["n"] == 10 for before, after in found)
    before, after = found[0]
    assert (before["verdict"], after["verdict"]) == ("holds", "the opposite holds")
    assert after["first"] == "4-width-16"


def test_both_readings_are_corrected_for_the_same_number_of_claims():
    rows = rows_of({"7": 0.02})
    rows["7-steps"] = rows["7"]
    for before, after in other_reading(rows, {"7": "7-steps"}):
        assert before["adjusted"] == after["adjusted"]
    alone = answers(rows, tuple(claim for claim in CLAIMS if "7" in (claim.first, claim.second)))
    assert [one["adjusted"] for one in alone] == [
        before["adjusted"] for before, _ in other_reading(rows, {"7": "7-steps"})
    ]


def test_a_row_that_is_better_at_no_higher_cost_dominates():
    rows = {
        name: {"test_accuracy": [accuracy], "parameters": cost}
        for name, accuracy, cost in (("a", 0.5, 3), ("b", 0.6, 3), ("c", 0.6, 4), ("d", 0.4, 1))
    }
    assert dominating(rows, "a", "parameters") == ["b"]
    assert dominating(rows, "b", "parameters") == []
