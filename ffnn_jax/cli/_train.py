"""``ffnn-jax train``."""

import dataclasses
import os
import sys
from pathlib import Path
from typing import Annotated, Any

import tyro

from ffnn_jax import _watch
from ffnn_jax._address import Address, read_address
from ffnn_jax._signals import exit_on_signals, run_with_signals
from ffnn_jax.cli._options import (
    INTEGER,
    Devices,
    Flag,
    Layers,
    PresetName,
    Size,
    SkipDamaged,
    number,
    option,
    shown,
)  # fmt: skip
from ffnn_jax.config import NamedSettings, UserError, named_settings, preset, require_grain


def _preset_default(setting: str) -> Any:
    """Shows that an option defaults to the preset's value, with quickstart as the example."""
    value = getattr(preset("quickstart"), setting)
    of_quickstart = f"{value or 'none'}" if isinstance(value, tuple) else f"{value}"
    return shown(None, f"(default: the preset's; quickstart: {of_quickstart})")


_RESUMABLE = (
    "resume", "steps", "streaming", "no_cache", "checkpoint_every", "debug_nans", "devices",
    "distributed",
)  # fmt: skip
_NUMBER = number(float, "a number", "F")
_VALIDATION = option(1, "KIND:N", lambda words: words[0])
_NAME = option(1, "NAME", lambda words: words[0])
_WORDS = option("*", "[WORD ...]", tuple)


@dataclasses.dataclass(frozen=True)
class Train:
    """Train a preset's network, or that of a settings file, test it, and write a run folder.

    Presets: quickstart (the report's MNIST network on 5,000 digits that are installed with the
    package; takes under a minute), course (smaller, for chapters of your own: see ffnn-jax course),
    mnist (quickstart's on all of MNIST), the models of the report's Table 3, cifar10-0 to
    cifar10-5, cifar10-6a, cifar10-6b, cifar10-7 and cifar10-final, the ladder from there to 96 %:
    cifar10-minute, cifar10-coffee, cifar10-93, cifar10-94 and cifar10-96, and mnist-99 (for 99.5 %
    of MNIST).

    With a data set other than the preset's, the last dense layer gets one output per class, and at
    most a fifth of the training images are used for validation.

    Augmentations: flip (left-right), alternating-flip (each image in every other epoch), crop:4 (a
    random crop after padding by 4 reflected pixels) and cutout:8 (a hidden 8 x 8 square); 4 and 8
    are the defaults.

    A settings file, whose name ends in .toml, is like the settings.toml that a run leaves, which
    repeats it (so does the run's folder): options override it.

    Example: ffnn-jax train quickstart --steps 1000 --seeds 4
    """

    preset: PresetName = "quickstart"
    """Network, data set and schedule: a preset, a settings file, or the folder of a run."""

    dataset: Annotated[str | None, _NAME, _preset_default("dataset")] = None
    """Another data set: its name in tensorflow-datasets, as in fashion_mnist, or the path of your
    own: a folder with a sub-folder of pictures a class, an .npz, a .csv, a folder of IDX files."""

    size: Size = None

    skip_damaged: SkipDamaged = False

    validation: Annotated[str | None, _VALIDATION, _preset_default("validation")] = None
    """Training images held out if the set has no validation split: drawn:500, last:500 or none."""

    sampling: Annotated[str | None, _NAME, _preset_default("sampling")] = None
    """Batches: independent, epochs, or epochs-partial (keeps each epoch's smaller last batch)."""

    layers: Layers = None
    """Layers by name with their arguments, as in "conv 32 5, batchnorm, relu, maxpool 2, dense 10";
    nested ones in parentheses, as in "residual (conv 16 3, relu)"; your own as MODULE:CLASS."""

    steps: Annotated[int | None, INTEGER, _preset_default("steps")] = None
    """Number of parameter updates, at least 1, as in 5000."""

    batch_size: Annotated[int | None, INTEGER, _preset_default("batch_size")] = None
    """Images per update, from 1 to the number of training images, as in 64."""

    learning_rate: Annotated[float | None, _NUMBER, _preset_default("learning_rate")] = None
    """Learning rate alpha of equation (25), above 0, as in 0.05."""

    schedule: Annotated[str | None, _NAME, _preset_default("schedule")] = None
    """Learning rate over time: constant, triangular (up for a fifth of the steps, then to 0), or
    piecewise-linear (as the preset's rate points say)."""

    momentum: Annotated[float | None, _NUMBER, _preset_default("momentum")] = None
    """Momentum mu of equation (24), at least 0 and below 1, as in 0.95."""

    weight_decay: Annotated[float | None, _NUMBER, _preset_default("weight_decay")] = None
    """Weight decay lambda of equation (25), at least 0, as in 0.001."""

    precision: Annotated[str | None, _NAME, _preset_default("precision")] = None
    """Precision of the layers in training: float32, or bf16 (sums and parameters in float32)."""

    normalisation: Annotated[str | None, _NAME, _preset_default("normalisation")] = None
    """Input normalisation by mean, channel-mean, or channel-mean-sd (mean and deviation)."""

    augment: Annotated[tuple[str, ...] | None, _WORDS, _preset_default("augmentations")] = None
    """Augmentations of training images, as in flip crop:4 cutout:8; none if no word follows."""

    seed: Annotated[int | None, INTEGER, _preset_default("seed")] = None
    """Seed of split, initialisation, batches and augmentation; from 0 to 2147483647, as in 7."""

    seeds: Annotated[int | None, INTEGER, _preset_default("seeds")] = None
    """Networks to train together, with seeds SEED, SEED + 1, ...; from 1 to 10000, as in 20."""

    streaming: Annotated[
        tyro.conf.FlagCreatePairsOff[bool],
        shown(None, "(default: if over half the device's memory)"),
    ] = False
    """Keep the images on the host and prefetch each batch."""

    devices: Devices = 1

    no_cache: Flag = False
    """Recompile, and keep no compiled programs in the user's cache folder."""

    checkpoint_every: Annotated[
        int | None, INTEGER, shown(None, "(default: 1000, or the resumed run's)")
    ] = None
    """Steps between checkpoints in the run's folder, at least 1, as in 500."""

    resume: Annotated[Path | None, shown("RUN", "(optional)")] = None
    """Resume the run in this folder as if it had never stopped; only --steps may change."""

    debug_nans: Flag = False
    """If a number is not finite, also report the operation that produced it."""

    dry_run: Flag = False
    """Run one step of one seed end to end, from the data to the page; nothing is kept."""

    run_dir: Annotated[Path | None, shown("DIR", "(default: runs/PRESET-NUMBER)")] = None
    """Folder for the results, which must not exist yet, as in runs/first."""

    distributed: Annotated[str | None, _NAME, shown("ADDRESS", "(default: one process)")] = None
    """Train in several processes: HOST:PORT of process 0, their COUNT and this one's INDEX, from 0,
    as in node1:1234,2,0; or auto, to ask SLURM, Kubernetes, Open MPI, Cloud TPU, or JAX_PROCESS_ID,
    JAX_NUM_PROCESSES and JAX_COORDINATOR_ADDRESS."""

    def __call__(self) -> int:
        """Runs the command; jax is imported only once the settings are known to be valid."""
        if self.checkpoint_every is not None and self.checkpoint_every < 1:
            raise UserError(f"checkpoint-every must be at least 1, got {self.checkpoint_every}")
        if self.resume is not None:
            self._require_resumable(self.resume)
        named = self.named_settings()
        if self.run_dir is not None and os.path.lexists(self.run_dir.expanduser()):
            raise UserError(f"run-dir must not exist yet, {self.run_dir} does")
        address = read_address(self.distributed, named.settings.seeds)
        if address is not None and not _watch.is_watched():
            return _watch.watch(sys.argv[1:])
        with exit_on_signals():  # Python may lose an interrupt during an import
            if self.streaming:
                require_grain()
            self._run(named, address)
        return 0

    def _run(self, named: NamedSettings, address: Address | None) -> None:
        import ffnn_jax.cli._train_run as train_run
        from ffnn_jax.runs import among_hosts, enable_compilation_cache

        if not self.no_cache:
            enable_compilation_cache()
        options = train_run.RunOptions(
            self.streaming or None, self.checkpoint_every, self.debug_nans, self.devices, address,
            explicit=named.given, run_dir=self.run_dir and self.run_dir.expanduser(),
        )  # fmt: skip
        stop = options.stop
        _use_chapters()
        do = train_run.dry_run_and_print if self.dry_run else train_run.run_and_print
        resume = train_run.resume_and_print, self.resume, self.steps
        what = (do, named.settings) if self.resume is None else resume
        run_with_signals(stop, among_hosts, address, *what, options)

    def _require_resumable(self, folder: Path) -> None:
        """Rejects options that cannot change on resume, and folders without checkpoints."""
        defaults = Train()
        for name, value in vars(self).items():
            if name not in _RESUMABLE and value != getattr(defaults, name):
                dashed = name.replace("_", "-")
                raise UserError(f"{dashed}: a resumed run keeps its own; only --steps may change")
        if not (folder / "checkpoints").is_dir():
            where = "on this host" if self.distributed else "there"
            raise UserError(f"{folder}: not a run that can be resumed (no checkpoints {where})")

    def named_settings(self) -> NamedSettings:
        """The settings of the preset, file or run, overridden by the options given."""
        return named_settings(self.preset, vars(self) | {"augmentations": self.augment})


def _use_chapters() -> None:
    """In the folder of a course, its chapters take the place of the package's."""
    from ffnn_jax import course

    if course.course_chapters(Path()):
        chapters = ", ".join(course.use_chapters())
        print(f"with your chapters in this folder: {chapters}", file=sys.stderr)
