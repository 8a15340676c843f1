"""Sweeps: many seeds of many settings, spread over cores or a Dask cluster, stored as they end."""

from ffnn_jax.runs.sweeps._engine import run_alone
from ffnn_jax.runs.sweeps._one_seed import record_of, run_seed, train_seed
from ffnn_jax.runs.sweeps._records import Record, append, read_records, seeds_of
from ffnn_jax.runs.sweeps._summary import HEADINGS, summary, table_rows
from ffnn_jax.runs.sweeps._sweep import sweep

__all__ = [
    "HEADINGS", "Record", "append", "read_records", "record_of", "run_alone", "run_seed",
    "seeds_of", "summary", "sweep", "table_rows", "train_seed",
]  # fmt: skip
