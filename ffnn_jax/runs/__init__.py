"""A complete run: from settings to trained and tested models, and to the folder of its results."""

from ffnn_jax._errors import StopRequest
from ffnn_jax.runs._checkpoints import (
    CHECKPOINT_INTERVAL,
    Checkpoint,
    CheckpointManager,
    last_checkpoint,
    resumed_settings,
)
from ffnn_jax.runs._compute import Plan, adapt_to_dataset, compute, plan, run_plan
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
from ffnn_jax.runs._folder import (
    dry_run_folder,
    locked,
    new_run_folder,
    write_config,
    write_page,
    write_run,
)
from ffnn_jax.runs._result import RunResult, most_confident_errors, result_to_json
from ffnn_jax.runs._tuning import Tuning, tune

__all__ = [
    "CHECKPOINT_INTERVAL", "Checkpoint", "CheckpointManager", "Finding", "Plan", "RunResult",
    "StopRequest", "Tuning", "adapt_to_dataset", "compute", "device", "dry_run_folder",
    "enable_compilation_cache", "examine", "forms_here", "last_checkpoint", "locked",
    "most_confident_errors", "new_run_folder", "plan", "require_ready", "result_to_json",
    "resumed_settings", "run_plan", "timed_forms_path", "tune", "versions", "write_config",
    "write_demo", "write_page", "write_run",
]  # fmt: skip
