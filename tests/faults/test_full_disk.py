"""A full disk ends a run with one line that names the file, and loses nothing saved."""

import pytest

from tests.faults.conftest import TRAIN, Place, trials

FULL = [
    ("full at a checkpoint", "5", "checkpoints/step-0000000400.npz"),
    ("full while the best is copied", "1", "checkpoints/best.npz"),
    ("full at the metrics", "2", "metrics.jsonl"),
    ("full at a figure", "2", ".svg"),
]


@pytest.mark.faults("a full disk at a checkpoint, the metrics, a figure")
@pytest.mark.parametrize(("fault", "number", "file"), trials(FULL, 0))
def test_a_full_disk_gives_one_line_and_the_run_resumes(place: Place, fault, number, file):
    name = fault.replace(" ", "-")
    code, _, errors = place.finished(*TRAIN, "--run-dir", name, injected=(fault, number))
    assert code == 1
    assert errors.startswith(f"ffnn-jax: [Errno 28] {name}/")
    assert errors.endswith(f"{file} cannot be written: No space left on device\n")
    assert errors.count("\n") == 1
    assert not list((place.folder / name / "checkpoints").glob(".*"))
    place.assert_resumes_to_the_same_bits(name)
