"""The report's Table 2 for any network, with shapes and floating-point operations."""

import dataclasses
import io
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from rich import box
from rich.console import Console, ConsoleOptions
from rich.table import Table

from ffnn_jax.network._costs import Cost
from ffnn_jax.network._initialisation import leaves
from ffnn_jax.nn import Conv, Dense, Layer, Shape, Tree, numbered, shapes_through

_HEADINGS = (
    "Layer", "Layer type", "Inputs", "Outputs", "Filter", "Bias", "Number of parameters",
    "Output shape", "FLOPs forward", "FLOPs backward",
)  # fmt: skip
_COSTS = ("Bytes kept", "ms forward", "ms backward")
_TEXT = (1, 4, 5, 7)
_NARROW = (0, 1, 6, 7, 8, 9)
Meter = Callable[[Layer, Shape, Tree, bool], Cost]


@dataclasses.dataclass(frozen=True)
class SummaryRow:
    """One layer: its inputs and outputs, its parameters, and its FLOPs for one image.

    A layer with nested layers has a row, followed by one row per nested layer, numbered as in 4.1,
    where their parameters and FLOPs are counted.

    A multiply-add counts as two FLOPs. Biases, comparisons and the loss, together less than 1%, are
    not counted, nor is the gradient with respect to the image, which training does not compute.
    """

    number: str
    title: str
    output_shape: tuple[int, ...]
    inputs: str = ""
    outputs: str = ""
    filter: str = ""
    bias: str = ""
    formula: str = ""
    parameters: int = 0
    forward_flops: int = 0
    backward_flops: int = 0
    cost: Cost | None = None

    def cells(self) -> tuple[str, ...]:
        """The row as text, in the order of the headings."""
        formula = f"{self.formula} = " if self.formula else ""
        count = f"{formula}{self.parameters:,}"
        shape = "×".join(map(str, self.output_shape))
        flops = [f"{n:,}" if n else "" for n in (self.forward_flops, self.backward_flops)]
        text = (self.number, self.title, self.inputs, self.outputs, self.filter, self.bias)
        return *text, count, shape, *flops

    def cost_cells(self) -> tuple[str, ...]:
        """What was measured, as text: bytes kept, milliseconds forward and backward."""
        kept, *times = self.cost or (None, None, None)
        return (f"{kept:,}" if kept else "", *(f"{t:.3f}" if t else "" for t in times))


@dataclasses.dataclass(frozen=True)
class Summary:
    """A network's rows, from the input to the softmax loss; ``print`` shows them as a table."""

    rows: tuple[SummaryRow, ...]

    @property
    def parameters(self) -> int:
        """The number of parameters of the whole network."""
        return sum(row.parameters for row in self.rows)

    @property
    def forward_flops(self) -> int:
        """FLOPs of the forward pass for one image."""
        return sum(row.forward_flops for row in self.rows)

    @property
    def backward_flops(self) -> int:
        """FLOPs of the backward pass for one image."""
        return sum(row.backward_flops for row in self.rows)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[Table]:
        """The table for a terminal; a narrow one omits columns that the formulas already show."""
        measured = [column for column, cell in enumerate(self._total.cost_cells(), 10) if cell]
        full = self._table([*range(len(_HEADINGS)), *measured])
        fits = console.measure(full, options=options.update(width=1000)).maximum
        yield full if fits <= options.max_width else self._table([*_NARROW, *measured])

    @property
    def _total(self) -> SummaryRow:
        costs = [row.cost for row in self.rows if row.cost]
        sums = [sum(n or 0 for n in numbers) for numbers in zip(*costs, strict=True)]
        return SummaryRow(
            "", "Total", (), parameters=self.parameters, forward_flops=self.forward_flops,
            backward_flops=self.backward_flops, cost=Cost(*sums) if costs else None,
        )  # fmt: skip

    def _table(self, columns: Iterable[int]) -> Table:
        table = Table(box=box.SIMPLE_HEAD, show_edge=False, show_footer=True, collapse_padding=True)
        totals = self._total.cells() + self._total.cost_cells()
        for column in columns:
            heading = (_HEADINGS + _COSTS)[column].replace(" ", "\n")
            side = "left" if column in _TEXT else "right"
            table.add_column(heading, totals[column], justify=side, no_wrap=True)
        for row in self.rows:
            cells = row.cells() + row.cost_cells()
            table.add_row(*(cells[column] for column in columns))
        return table

    def __str__(self) -> str:
        """The table as plain text."""
        text = io.StringIO()
        Console(file=text, width=160, color_system=None).print(self)
        return text.getvalue().rstrip("\n")

    def to_json(self) -> dict[str, list[Any]]:
        """Headings and rows as text."""
        return {"headings": list(_HEADINGS), "rows": [list(row.cells()) for row in self.rows]}

    def to_markdown(self) -> str:
        """The table in Markdown, as in the report: without the totals."""
        lines = [_HEADINGS, ("---",) * len(_HEADINGS), *(row.cells() for row in self.rows)]
        return "\n".join(f"| {' | '.join(cells)} |" for cells in lines) + "\n"


def summarise(
    layers: Sequence[Layer], params: Tree, input_shape: Shape, meter: Meter | None = None
) -> Summary:
    """The rows of a network, given the ``Param`` of each parameter by layer name."""
    first, last = SummaryRow("", "Input", input_shape), SummaryRow("", "Softmaxloss", ())
    return Summary((first, *_rows(layers, params, input_shape, False, meter), last))


def _rows(
    layers: Sequence[Layer], params: Tree, shape: Shape, needs_dx: bool, meter: Meter | None,
    prefix: str = "",
) -> Iterator[SummaryRow]:  # fmt: skip
    """The rows of a chain; its input needs a gradient if anything before it is trained."""
    shapes = shapes_through(layers, shape)
    for (number, name, layer), input_shape in zip(numbered(layers), shapes, strict=False):
        layer_params = params.get(name, {})
        number = f"{prefix}{number}"
        row = _row(number, layer, input_shape, layer_params, needs_dx)
        measured = meter and not layer.parts() and meter(layer, input_shape, layer_params, needs_dx)
        yield dataclasses.replace(row, cost=measured or None)
        for index, (part, inner) in enumerate(layer.parts().items()):
            inner_params, within = layer_params.get(part, {}), f"{number}.{part[0] * bool(index)}"
            yield from _rows(inner, inner_params, input_shape, needs_dx, meter, within)
        needs_dx = needs_dx or any(param.trained for _, param in leaves(layer_params))


def _row(number: str, layer: Layer, shape: Shape, params: Tree, needs_dx: bool) -> SummaryRow:
    row = SummaryRow(number, layer.title or type(layer).__name__, layer.output_shape(shape))
    if layer.parts():
        return row
    forward = 2 * layer.multiply_adds(shape)
    trained = any(param.trained for _, param in leaves(params))
    flops = {"forward_flops": forward, "backward_flops": forward * (trained + needs_dx)}
    return dataclasses.replace(row, **flops, **_parameter_cells(layer, params))


def _parameter_cells(layer: Layer, params: Tree) -> dict[str, Any]:
    """Inputs, outputs, filter, bias and the parameter count, from the shapes of the arrays."""
    count = sum(math.prod(param.shape) for _, param in leaves(params))
    if not isinstance(layer, Conv | Dense):
        return {"parameters": count}
    *window, inputs, outputs = params["w"].shape
    size = "×".join(map(str, (*window, inputs)))
    return {
        "inputs": str(inputs),
        "outputs": str(outputs),
        "filter": f"[{size}]" if window else "",
        "bias": f"[{outputs}×1]" if layer.bias else "",
        "formula": f"({size}+1){outputs}" if layer.bias else f"({size}){outputs}",
        "parameters": count,
    }
