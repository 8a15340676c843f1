"""A whole run: from settings to trained and tested models, and to the folder it leaves."""

from ffnn_jax.runs._checkpoints import EVERY, Checkpoints, Ending, Saved, last_checkpoint
from ffnn_jax.runs._compiled import keep_compiled_programs
from ffnn_jax.runs._compute import carry_out, compute
from ffnn_jax.runs._environment import device, versions
from ffnn_jax.runs._folder import alone_in, new_run_folder
from ffnn_jax.runs._outcome import Outcome, most_confident_mistakes, result_of
from ffnn_jax.runs._plan import Plan, adapt_to_dataset, plan
from ffnn_jax.runs._resumed import resumed_settings
from ffnn_jax.runs._write import write_config, write_page, write_run

__all__ = [
    "EVERY",
    "Checkpoints",
    "Ending",
    "Outcome",
    "Plan",
    "Saved",
    "adapt_to_dataset",
    "alone_in",
    "carry_out",
    "compute",
    "device",
    "keep_compiled_programs",
    "last_checkpoint",
    "most_confident_mistakes",
    "new_run_folder",
    "plan",
    "result_of",
    "resumed_settings",
    "versions",
    "write_config",
    "write_page",
    "write_run",
]
