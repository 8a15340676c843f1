"""A complete run: from settings to trained and tested models, and to the folder of its results."""

from ffnn_jax._errors import StopRequest
from ffnn_jax.runs._agreement import agreed_folder, checkpoints
from ffnn_jax.runs._checkpoints import (
    CHECKPOINT_INTERVAL,
    Checkpoint,
    CheckpointManager,
    last_checkpoint,
    resumed_settings,
)
from ffnn_jax.runs._comparison import (
    ImageTest,
    Pair,
    SeedTest,
    compare_runs,
    comparison_to_json,
)
from ffnn_jax.runs._compute import Plan, adapt_to_dataset, compute, plan, run_plan, splits_of
from ffnn_jax.runs._demo import write_demo
from ffnn_jax.runs._environment import (
    device,
    enable_compilation_cache,
    forms_here,
    require_ready,
    timed_forms_path,
    versions,
)
from ffnn_jax.runs._examination import Finding, examine
from ffnn_jax.runs._fit import fit
from ffnn_jax.runs._folder import (
    dry_run_folder,
    locked,
    new_run_folder,
    write_config,
    write_page,
    write_run,
)
from ffnn_jax.runs._hosts import among_hosts, locked_by_first, together, writes
from ffnn_jax.runs._progress import ProgressDisplay, print_run_header
from ffnn_jax.runs._read import changed_images, read_dataset
from ffnn_jax.runs._result import RunResult, most_confident_errors, result_to_json
from ffnn_jax.runs._saved import SavedRun, read_runs
from ffnn_jax.runs._statistics import LEVEL, Spread, holm, mcnemar_p, paired_p, spread
from ffnn_jax.runs._tuning import Tuning, tune
from ffnn_jax.runs.sweeps import sweep

__all__ = [
    "CHECKPOINT_INTERVAL", "LEVEL", "Checkpoint", "CheckpointManager", "Finding", "ImageTest",
    "Pair", "Plan", "ProgressDisplay", "RunResult", "SavedRun", "SeedTest", "Spread", "StopRequest",
    "Tuning", "adapt_to_dataset", "agreed_folder", "among_hosts", "changed_images", "checkpoints",
    "compare_runs", "comparison_to_json", "compute", "device", "dry_run_folder",
    "enable_compilation_cache", "examine", "fit", "forms_here", "holm", "last_checkpoint", "locked",
    "locked_by_first", "mcnemar_p", "most_confident_errors", "new_run_folder", "paired_p", "plan",
    "print_run_header", "read_dataset", "read_runs", "require_ready", "result_to_json",
    "resumed_settings", "run_plan", "splits_of", "spread", "sweep", "timed_forms_path", "together",
    "tune", "versions", "write_config", "write_demo", "write_page", "write_run", "writes",
]  # fmt: skip
