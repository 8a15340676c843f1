"""Layers as text: what is written is read back the same, and says what Python says."""

import dataclasses

import pytest

from ffnn_jax.config import PRESETS, UserError, layers_from_text, layers_to_text
from ffnn_jax.nn import (
    LAYERS,
    AdaptiveAvgPool,
    BatchNorm,
    Conv,
    Dense,
    Dropout,
    GELUTanh,
    GroupNorm,
    Layer,
    MaxPool,
    Pad,
    ReLU,
    Residual,
    Scale,
    Upsample,
)

REQUIRED = {
    "Dense": (3,), "Conv": (4, 3), "Conv1D": (4, 3), "ConvTranspose": (4, 3),
    "AdaptiveAvgPool": ((2, 3),), "Sequential": ((ReLU(), Dense(3)),), "Residual": ((ReLU(),),),
}  # fmt: skip


@dataclasses.dataclass(frozen=True)
class Odd(Layer):
    """A layer of one's own whose fields hold everything that a layer's may."""

    words: tuple[str, ...] = ()
    word: str = ""
    other: str = ""
    nothing: int | None = 4
    far: float = 1.0
    pairs: tuple[tuple[int, float], ...] = ()
    inner: tuple[Layer, ...] = ()


ODD = Odd(("relu", "none", "ä,)"), "inf", "free", None, -1e-300, ((1, 0.1), (-2, 1e300)), (ReLU(),))


@pytest.mark.parametrize("preset", PRESETS)
def test_every_presets_network_is_read_back_the_same(preset: str):
    layers = PRESETS[preset].layers
    again = layers_from_text(layers_to_text(layers))
    assert again == layers
    assert repr(again) == repr(layers)


@pytest.mark.parametrize("name", LAYERS)
def test_every_layer_goes_by_its_name_in_small_letters(name: str):
    layer = LAYERS[name](*REQUIRED.get(name, ()))
    text = layers_to_text([layer])
    assert text.split()[0] == name.lower()
    assert layers_from_text(text) == layers_from_text(text.upper().replace("NONE", "none"))
    assert repr(layers_from_text(text)) == repr((layer,))


@pytest.mark.parametrize(
    "layer",
    [
        Odd(),
        ODD,
        Odd(("3", "", 'a "b"'), "true", "x-y", far=1),
        dataclasses.replace(ODD, far=float("inf")),
    ],
)
def test_a_layer_of_ones_own_is_read_back_whatever_its_fields(layer: Odd):
    text = layers_to_text([layer, Residual((layer,), (Dense(2),))])
    assert text.startswith(f"{__name__}:Odd")
    again, nested = layers_from_text(text)
    assert repr(again) == repr(layer)
    assert repr(nested) == repr(Residual((layer,), (Dense(2),)))


def test_text_is_short_and_python_says_the_same():
    layers = (
        Conv(32, 5, stride=2, bias=False), BatchNorm(0.6), MaxPool(3), Scale(0.5, trained=False),
        Residual((Conv(8, 3), ReLU()), (Conv(8, 1),)), Dense(10),
    )  # fmt: skip
    text = (
        "conv 32 5 stride=2 bias=false, batchnorm 0.6, maxpool 3, scale 0.5 trained=false, "
        "residual (conv 8 3, relu) shortcut=(conv 8 1), dense 10"
    )
    assert layers_to_text(layers) == text
    assert layers_from_text(text) == layers


@pytest.mark.parametrize(
    ("text", "layers"),
    [
        ("Conv 32 5 VALID 2,\n  GELUTanh ,", (Conv(32, 5, "VALID", 2), GELUTanh())),
        ("pad ((1, 0), (2, 3)) value = -1.5", (Pad(((1, 0), (2, 3)), -1.5),)),
        ("adaptiveavgpool (7,5), groupnorm groups=4", (AdaptiveAvgPool((7, 5)), GroupNorm(4))),
        ('upsample 2 "bilinear"', (Upsample(2, "bilinear"),)),
        (
            "residual(relu)(dense 3 flatten=False)",
            (Residual((ReLU(),), (Dense(3, flatten=False),)),),
        ),
        ("residual (relu) ()", (Residual((ReLU(),), ()),)),
        ("dropout 1e-1", (Dropout(0.1),)),
    ],
)
def test_what_a_person_may_write_is_understood(text: str, layers: tuple[Layer, ...]):
    assert layers_from_text(text) == layers


def test_layers_nested_without_end_are_rejected():
    with pytest.raises(UserError, match=r"^here: nested too deeply$"):
        layers_from_text("residual (" * 3000, "here")
