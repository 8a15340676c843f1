"""The settings of a run: a frozen dataclass, validated on creation, that converts to JSON."""

import ctypes
import dataclasses
import re
from collections.abc import Callable, Iterable
from typing import Any

from ffnn_jax._base_config import from_fields, is_count, is_number
from ffnn_jax._errors import UserError, suggestion
from ffnn_jax.config import _json
from ffnn_jax.config._augmentations import Augmentation
from ffnn_jax.config._validation import DRAWN_2001, Validation
from ffnn_jax.nn import Layer

NORMALISATIONS = ("mean", "channel-mean", "channel-mean-sd")
FORMS = ("im2col", "rows", "pairs", "native")
_CLASS_OF_FORMS = (
    r"(narrow )?(forward|images|kernels) (1|4|9|more) (1|4|16|24|more)-(1|4|16|24|more)"
)
_OTHER_FORMS = {"micro-batch": r"[1-9]\d{0,5}", "accelerator": "im2col"}
_CLASSES = 'classes such as "forward 9 4-16", or "micro-batch" with a number of images'
_KNOWN = {
    "normalisation": NORMALISATIONS,
    "schedule": ("constant", "triangular", "piecewise-linear"),
    "optimizer": ("momentum", "nesterov", "muon"),
    "views": ("one", "mirrored", "six"),
    "precision": ("float32", "bf16"),
    "sampling": ("independent", "epochs", "epochs-partial"),
}

_TYPES: dict[Any, tuple[Any, str]] = {
    int: (int, "an integer"),
    float: (int | float, "a number"),
    str: (str, "text"),
}
_MAX_SEEDS = 10_000
_MAX_SIZE = 4096
_SMALLEST_FLOAT, _LARGEST_FLOAT = 1.2e-38, 3.4e38
_LARGEST = 2**31 - 1
_RATE_POINTS = (
    "(share, factor) pairs, in a settings file, for piecewise-linear alone, shares increasing from "
    "0 to 1, factors >= 0"
)
_GROUP_STEPS = f"(group, steps) pairs, each group once, steps from 0 to {_LARGEST}"
_GROUP_RATES = "(group, factor) pairs, each group once, factors at least 0"


@dataclasses.dataclass(frozen=True)
class Settings:
    """Everything that decides what a run computes.

    Attributes:
        preset: name of the preset or the file that the settings started from.
        dataset: name of the data set in tensorflow-datasets, or path of one's own files.
        layers: layers of the network between the input and the softmax loss.
        pixel_scale: factor that multiplies pixels 0..255 before normalisation.
        normalisation: subtracts the training images' mean over all channels ("mean") or of each
            channel ("channel-mean"), or also divides by each channel's standard deviation
            ("channel-mean-sd").
        augmentations: random changes to the normalised training images, applied in order.
        train_images: number of training images to train and validate on: the first in the order
            of the original files where the data set records it, otherwise in its own order; all
            of them by default, or if there are fewer.
        size: one's own pictures are cropped to their middle square and scaled to size x size; by
            default they have one size.
        skip_damaged: whether pictures of one's own that cannot be read are left out.
        validation: validation images taken from the training set, where the data set has no
            validation split of its own.
        sampling: each batch is drawn from all training images ("independent"), or an epoch is a
            permutation of them, determined by (seed, epoch): its last, partial batch is dropped
            ("epochs") or kept ("epochs-partial").
        steps: number of parameter updates.
        batch_size: images per update.
        learning_rate: alpha of (25).
        schedule: the learning rate is constant ("constant"), rises to ``learning_rate`` in a
            fifth of the steps and falls to 0 in the rest ("triangular"), or follows
            ``rate_points`` ("piecewise-linear").
        rate_points: (share of the steps, factor of the learning rate) pairs, shares increasing.
        optimizer: (24) and (25) ("momentum"), (nesterov.1)-(nesterov.3) ("nesterov"), or (muon.4)
            for kernels and Nesterov's momentum for the rest ("muon").
        momentum: mu of (24) or (nesterov.2).
        weight_decay: lambda of (25) or (nesterov.1); not for what Muon trains.
        muon_rate: Muon's learning rate at factor 1 of the schedule.
        group_rates: (group, factor) pairs: the factor multiplies the learning rate of the
            group's parameters, but with Nesterov's momentum not their decay.
        group_steps: (group, steps) pairs: the group's parameters are trained that long.
        label_smoothing: epsilon of (softmax.2) in the training loss.
        lookahead: k of (lookahead.1), in steps; 0 for none.
        views: what is classified of an image at the end: itself ("one"), also mirrored
            ("mirrored"), or both shifted diagonally, too ("six").
        precision: in training, layers store activations in float32, or in bfloat16 ("bf16": half
            the memory, and native products on a GPU or TPU). Sums, parameters, loss and update
            are in float32 either way, and so is all inference.
        forms: (class, form) pairs: how convolutions of each class are computed on a CPU, and
            the most images at a time ("micro-batch"), as ``runs.forms_here`` names them; by
            default the fastest known for the processor. Results differ in rounding alone.
        validation_interval: updates between two validations.
        validation_batches: batches of validation images per validation.
        seed: seed of the split, the initialisation, the batches and their augmentation.
        seeds: number of runs trained together, with seeds seed, seed + 1, ...

    Raises:
        UserError: a value has the wrong type or is out of range.
    """

    preset: str
    dataset: str
    layers: tuple[Layer, ...]
    pixel_scale: float = 1 / 255
    normalisation: str = "channel-mean"
    augmentations: tuple[Augmentation, ...] = ()
    train_images: int | None = None
    size: int | None = None
    skip_damaged: bool = False
    validation: Validation = DRAWN_2001
    sampling: str = "independent"
    steps: int = 3000
    batch_size: int = 16
    learning_rate: float = 0.1
    schedule: str = "constant"
    rate_points: tuple[tuple[float, float], ...] = ()
    optimizer: str = "momentum"
    momentum: float = 0.9
    weight_decay: float = 0.005
    muon_rate: float = 0.24
    group_rates: tuple[tuple[str, float], ...] = ()
    group_steps: tuple[tuple[str, int], ...] = ()
    label_smoothing: float = 0.0
    lookahead: int = 0
    views: str = "one"
    precision: str = "float32"
    forms: tuple[tuple[str, str], ...] | None = None
    validation_interval: int = 100
    validation_batches: int = 10
    seed: int = 0
    seeds: int = 1

    def __post_init__(self) -> None:
        """Rejects values of the wrong type or out of range."""
        for field in dataclasses.fields(self):
            if field.type in _TYPES:
                value, (allowed, description) = getattr(self, field.name), _TYPES[field.type]
                fits = isinstance(value, allowed) and not isinstance(value, bool)
                self._require(field.name, fits, description)
        for field in ("learning_rate", "muon_rate", "pixel_scale"):
            in_range = _SMALLEST_FLOAT <= getattr(self, field) <= _LARGEST_FLOAT
            self._require(field, in_range, f"from {_SMALLEST_FLOAT} to {_LARGEST_FLOAT}")
        below_one = 0 <= self.momentum < 1 and ctypes.c_float(self.momentum).value < 1
        self._require("momentum", below_one, "at least 0 and, in float32, below 1")
        self._require("weight_decay", 0 <= self.weight_decay < _LARGEST_FLOAT, "at least 0, finite")
        self._require("label_smoothing", 0 <= self.label_smoothing < 1, "at least 0 and below 1")
        self._require("lookahead", 0 <= self.lookahead <= _LARGEST, f"from 0 to {_LARGEST}")
        self._require("rate_points", self._has_rate_points(), _RATE_POINTS)
        steps = self._has_pairs(
            "group_steps", lambda g, n: isinstance(g, str) and is_count(n, 0) and n <= _LARGEST
        )
        self._require("group_steps", steps, _GROUP_STEPS)
        self._require("seed", 0 <= self.seed <= _LARGEST, f"from 0 to {_LARGEST}")
        most = min(_MAX_SEEDS, _LARGEST - self.seed + 1)
        reason = "" if most == _MAX_SEEDS else f", since the first seed is {self.seed}"
        self._require("seeds", 1 <= self.seeds <= most, f"from 1 to {most}{reason}")
        for field in ("steps", "batch_size", "validation_interval", "validation_batches"):
            in_range = 1 <= getattr(self, field) <= _LARGEST
            self._require(field, in_range, f"from 1 to {_LARGEST}")
        for field, most in (("train_images", _LARGEST), ("size", _MAX_SIZE)):
            count = 1 if getattr(self, field) is None else getattr(self, field)
            in_range = type(count) is int and 1 <= count <= most
            self._require(field, in_range, f"an integer from 1 to {most}")
        self._require("skip_damaged", isinstance(self.skip_damaged, bool), "true or false")
        validation = isinstance(self.validation, Validation)
        self._require("validation", validation, "a Validation, as in Validation('drawn', 2001)")
        rates = self._has_pairs("group_rates", lambda g, n: isinstance(g, str) and _is_amount(n))
        self._require("group_rates", rates, _GROUP_RATES)
        forms = self.forms is None or self._has_pairs("forms", _is_form)
        self._require("forms", forms, f"(class, form) pairs, form {', '.join(FORMS)}; {_CLASSES}")
        layers = self._is_tuple_of("layers", Layer) and bool(self.layers)
        self._require("layers", layers, "a tuple of at least one layer")
        augmentations = self._is_tuple_of("augmentations", Augmentation)
        self._require("augmentations", augmentations, "a tuple of augmentations")
        for field, known in _KNOWN.items():
            value, allowed = getattr(self, field), f"one of {', '.join(known)}"
            self._require(field, value in known, allowed, suggestion(value, known))

    def to_json(self) -> dict[str, Any]:
        """Converts the settings to JSON types; the inverse is ``from_json``."""
        return vars(self) | {
            "layers": _json.layers_to_json(self.layers),
            "augmentations": _json.augmentations_to_json(self.augmentations),
            "validation": str(self.validation),
            "rate_points": [list(point) for point in self.rate_points],
            "group_rates": dict(self.group_rates),
            "group_steps": dict(self.group_steps),
            "forms": None if self.forms is None else dict(self.forms),
        }

    @classmethod
    def from_json(
        cls, fields: dict[str, Any], layers: Iterable[type[Layer]] = (),
        augmentations: Iterable[type[Augmentation]] = (),
    ) -> "Settings":  # fmt: skip
        """Reads what ``to_json`` wrote; what it wrote before ``forms`` had none, and keeps none.

        ``layers`` and ``augmentations`` are the types of custom ones.

        Raises:
            UserError: a key or a type is unknown, one is missing, or a value is rejected.
        """
        fields = {"forms": {}} | dict(fields)
        config = fields.get("augmentations", [])
        converted: dict[str, Any] = {
            "layers": _json.layers_from_json(fields.get("layers", []), layers),
            "augmentations": _json.augmentations_from_json(config, augmentations),
        }
        if "validation" in fields:
            converted["validation"] = Validation.parse(fields["validation"])
        if isinstance(points := fields.get("rate_points"), list):
            converted["rate_points"] = tuple(tuple(p) if isinstance(p, list) else p for p in points)
        for name in ("group_rates", "group_steps", "forms"):
            if isinstance(fields.get(name), dict):
                converted[name] = tuple(fields[name].items())
        return from_fields(cls, "settings", fields | converted)

    def _has_rate_points(self) -> bool:
        points = self.rate_points
        if not self._has_pairs("rate_points", lambda x, y: _is_amount(x) and _is_amount(y)):
            return False
        increase = list(points) == sorted(points) and (not points or points[-1][0] <= 1)
        return increase and bool(points) == (self.schedule == "piecewise-linear")

    def _has_pairs(self, field: str, fits: Callable[[Any, Any], bool]) -> bool:
        """Whether the field is a tuple of pairs that fit, each with another first item."""
        pairs = getattr(self, field)
        if not self._is_tuple_of(field, tuple) or any(len(pair) != 2 for pair in pairs):
            return False
        return all(fits(*pair) for pair in pairs) and len(dict(pairs)) == len(pairs)

    def _is_tuple_of(self, field: str, kind: Any) -> bool:
        """Whether the field is a tuple of this kind."""
        value = getattr(self, field)
        return isinstance(value, tuple) and all(isinstance(item, kind) for item in value)

    def _require(self, field: str, holds: bool, allowed: str, near: str = "") -> None:
        if not holds:
            name, value = field.replace("_", "-"), getattr(self, field)
            raise UserError(f"{name} must be {allowed}, got {value!r}{near}")


def _is_amount(value: Any) -> bool:
    return is_number(value) and 0 <= value < _LARGEST_FLOAT


def _is_form(name: object, form: Any) -> bool:
    if not (isinstance(name, str) and isinstance(form, str)):
        return False
    if name in _OTHER_FORMS:
        return re.fullmatch(_OTHER_FORMS[name], form) is not None
    return form in FORMS and re.fullmatch(_CLASS_OF_FORMS, name) is not None
