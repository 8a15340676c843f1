"""README's speed tables show the stored rows."""

from experiments._speed_table import speed_table, whole_run_table


def row(variant: str, ratio: float, **more: float):
    return {"network": "mnist", "batch": 16, "variant": variant, "ratio_to_ours": ratio, **more}


def test_each_library_is_represented_by_its_fastest_variant():
    rows = [
        row("ours", 1.0, median_ms=1.234, gflops=187.6),
        row("plain", 2.5),
        row("plain-scan", 0.5),
        row("flax", 2.6),
        row("flax-split", 2.4),
        row("torch-last-1", 1.4),
        row("torch-2", 1.2),
    ]
    *_, line = speed_table(rows).splitlines()
    assert line == "| mnist, 16 | 1.23 | 2.50 | 2.40 | – | – | 1.20 | 188 |"


def test_each_network_and_batch_has_a_line():
    ours = {"median_ms": 1.0, "gflops": 10.0}
    rows = [row("ours", 1.0, **ours), {**row("ours", 1.0, **ours), "batch": 128}]
    assert [line.split(" |")[0] for line in speed_table(rows).splitlines()[2:]] == [
        "| mnist, 16", "| mnist, 128",
    ]  # fmt: skip


def test_bfloat16_has_a_line_of_its_own():
    ours = {"median_ms": 1.0, "gflops": 10.0}
    rows = [
        row("ours", 1.0, **ours),
        row("torch-2", 1.5),
        {**row("ours-bf16", 1.0, **ours), "precision": "bf16"},
        {**row("torch-bf16", 0.7), "precision": "bf16"},
    ]
    assert speed_table(rows).splitlines()[2:] == [
        "| mnist, 16 | 1.00 | – | – | – | – | 1.50 | 10 |",
        "| mnist, 16, bfloat16 | 1.00 | – | – | – | – | 0.70 | 10 |",
    ]


def test_a_whole_run_is_represented_by_its_fastest_setting():
    times = {"median_seconds_to_the_end": 9.0, "accuracy": [0.5]}
    rows = [
        {"variant": "flax-tuned", "median_seconds": 8.0, "ratio_to_ours": 2.0, **times},
        {"variant": "flax-tuned-eigen", "median_seconds": 6.0, "ratio_to_ours": 1.5, **times},
    ]
    (line,) = whole_run_table(rows).splitlines()[2:]
    assert line == "| Flax, tuned | 6.0 | 1.5 | 9.0 | 50.0 % |"


def test_a_whole_run_has_its_seconds_ratio_and_accuracies():
    rows = [
        {"variant": "torch-user", "median_seconds": 61.2, "ratio_to_ours": 3.04,
         "median_seconds_to_the_end": 62.34, "accuracy": [0.48, 0.491]},
    ]  # fmt: skip
    *_, line = whole_run_table(rows).splitlines()
    assert line == "| PyTorch, as in its tutorial | 61.2 | 3.0 | 62.3 | 48.0, 49.1 % |"
