"""The base installation: the mathematics and its verification, without the packages of a run.

What base does not depend on is hidden from a new process and from those that it starts, by a
``sitecustomize.py`` on its path.
"""

import ast
import json
import os
import re
import subprocess
import sys
import tomllib
from importlib.metadata import PackageNotFoundError, packages_distributions, requires
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from ffnn_jax.config import UserError, require_run
from ffnn_jax.config._extras import RUN

ROOT = Path(__file__).parents[1]
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
PROJECT = PYPROJECT["project"]
BASE, EXTRAS = PROJECT["dependencies"], PROJECT["optional-dependencies"]
OWNERS = packages_distributions()  # the distributions of each importable name
MOST = 8
RULES = """
import jax
from ffnn_jax.verify import Rule


def double(x):
    return x + x


@jax.custom_vjp
def twice(x):
    return double(x)


@jax.custom_vjp
def wrong(x):
    return double(x)


twice.defvjp(lambda x: (double(x), None), lambda _, dz: (2 * dz,))
wrong.defvjp(lambda x: (double(x), None), lambda _, dz: (3 * dz,))
rule = Rule(wrong, double, "N")
"""


def tree(requirements: list[str]) -> set[str]:
    """The distributions that these requirements install here, with all that they require."""
    found, waiting = set(), [Requirement(word) for word in requirements]
    while waiting:
        requirement = waiting.pop()
        name = canonicalize_name(requirement.name)
        if name in found or not (requirement.marker is None or requirement.marker.evaluate()):
            continue
        found.add(name)
        try:
            waiting += [
                Requirement(word) for word in requires(name) or () if "extra ==" not in word
            ]
        except PackageNotFoundError:
            assert requirement.name in EXTRAS  # an extra of another package
    return found


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with rules, whose processes see what base installs and no more."""
    folder, installed = tmp_path_factory.mktemp("base"), tree(BASE)
    hidden = [
        module
        for module, names in OWNERS.items()
        if not {canonicalize_name(name) for name in names} & {*installed, "ffnn-jax"}
    ]
    assert {*RUN, "pandas", "pytest"} <= set(hidden)
    hide = f"import sys\nsys.modules.update(dict.fromkeys({hidden}))\n"
    (folder / "sitecustomize.py").write_text(hide, encoding="utf-8")
    (folder / "rules.py").write_text(RULES, encoding="utf-8")
    return folder


def python(base: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Runs Python in the folder, without the tests' cache, whose size jax limits with filelock."""
    kept = {name: value for name, value in os.environ.items() if "COMPILATION_CACHE" not in name}
    environment = kept | {"PYTHONPATH": os.pathsep.join([str(base), str(ROOT), *sys.path])}
    return subprocess.run(
        [sys.executable, *words],
        cwd=base, env=environment, capture_output=True, text=True, timeout=300,
    )  # fmt: skip


def test_base_and_extras_are_few():
    assert len(BASE) <= MOST
    assert len(EXTRAS) <= MOST


def test_every_package_of_base_is_imported_by_the_package():
    files = (ROOT / "ffnn_jax").rglob("*.py")
    nodes = [node for file in files for node in ast.walk(ast.parse(file.read_text("utf-8")))]
    names = {node.module for node in nodes if isinstance(node, ast.ImportFrom) and node.module}
    names |= {name.name for node in nodes if isinstance(node, ast.Import) for name in node.names}
    imported = {name.partition(".")[0] for name in names}
    others = {"jaxlib", "chex"}  # jax imports the one; tests of layers compare trees with the other
    assert {Requirement(word).name for word in BASE} - imported == others


def test_what_a_run_needs_is_in_its_extra():
    listed = tree(EXTRAS["run"])
    assert {canonicalize_name(OWNERS[name][0]) for name in RUN} <= listed


def test_the_contract_of_the_base_forbids_every_package_of_the_extra():
    contracts = {one["name"]: one for one in PYPROJECT["tool"]["importlinter"]["contracts"]}
    forbidden = contracts["The base needs no package of the extra run"]["forbidden_modules"]
    extra = {canonicalize_name(Requirement(word).name) for word in EXTRAS["run"]}
    assert {canonicalize_name(OWNERS[name][0]) for name in forbidden} == extra


def test_layers_networks_and_training_steps_work(base: Path):
    code = """
import jax, jax.numpy as jnp, optax
import ffnn_jax.catalogue, ffnn_jax.training
from ffnn_jax.layers import softmax_cross_entropy
from ffnn_jax.network import Network
from ffnn_jax.nn import Dense, ReLU
from ffnn_jax.optim import momentum

x, y = jnp.ones((2, 3)), jnp.array([0, 1])
network = Network((Dense(4), ReLU(), Dense(2)), (3,))
params, state = network.init(jax.random.key(0))
loss = lambda params: softmax_cross_entropy(network.apply(params, state, x)[0], y).mean()
before, gradients = jax.value_and_grad(loss)(params)
optimiser = momentum(0.1)
updates, _ = optimiser.update(gradients, optimiser.init(params), params)
assert loss(optax.apply_updates(params, updates)) < before
print(network.summary())
"""
    done = python(base, "-c", code)
    assert done.stderr == ""
    assert "ReLU" in done.stdout


def test_a_rule_and_a_file_of_rules_are_verified(base: Path):
    words = ["--reference", "rules:double", "--shapes", "N"]
    done = python(base, "-m", "ffnn_jax", "verify", "rules:twice", *words)
    assert done.returncode == 0, done.stderr
    assert "rules:twice: all checks hold" in done.stdout
    done = python(base, "-m", "ffnn_jax", "verify", "rules.py", "--json", "-")
    assert done.returncode == 1, done.stderr
    assert json.loads(done.stdout)["rules"]["wrong"]["passed"] is False


def test_the_planted_faults_are_listed(base: Path):
    done = python(base, "-m", "ffnn_jax", "verify", "--list-faults")
    assert done.returncode == 0, done.stderr
    assert "dense: " in done.stdout


@pytest.mark.parametrize(
    "words",
    ["train", "train --dry-run", "predict . 3.png", "evaluate .", "export .", "page .", "summary",
     "sweep mnist", "doctor", "data list", "data prepare mnist",
     "verify rules.py --figure error.png"],
)  # fmt: skip
def test_a_command_that_needs_the_extra_says_how_to_install_it(base: Path, words: str):
    done = python(base, "-m", "ffnn_jax", *words.split())
    what = "--figure" if "--figure" in words else words.split()[0]
    assert done.returncode == 2
    assert done.stdout == ""
    assert re.fullmatch(
        rf'ffnn-jax: {what} needs \w+, .*: python -m pip install "ffnn-jax\[run\]"\n', done.stderr
    )


@pytest.mark.parametrize("words", ["--version", "--help", "train --help"])
def test_help_and_version_need_nothing_more(base: Path, words: str):
    done = python(base, "-m", "ffnn_jax", *words.split())
    assert done.returncode == 0, done.stderr
    assert "ffnn-jax" in done.stdout


def test_one_missing_package_is_named(monkeypatch: pytest.MonkeyPatch):
    require_run("train")
    monkeypatch.setitem(sys.modules, "jinja2", None)
    with pytest.raises(UserError, match=r"^train needs jinja2, which is not installed: "):
        require_run("train")
    monkeypatch.setitem(sys.modules, "psutil", None)
    with pytest.raises(UserError, match=r"^train needs psutil, which is not installed: "):
        require_run("train")


def test_windows_is_told_of_the_package_that_has_no_build(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "array_record", None)
    with pytest.raises(UserError, match="pip install"):
        require_run("train")
    monkeypatch.setattr(sys, "platform", "win32")
    with pytest.raises(UserError, match=r"^train needs array_record, which has no build for Win"):
        require_run("train")


@pytest.mark.slow
def test_a_fresh_environment_verifies_every_layer(tmp_path: Path):
    subprocess.run([sys.executable, "-m", "venv", tmp_path / "venv"], check=True)
    command = str(tmp_path / "venv" / ("Scripts" if os.name == "nt" else "bin") / "ffnn-jax")
    python = str(Path(command).with_name("python"))
    subprocess.run([python, "-m", "pip", "install", "--quiet", str(ROOT)], check=True)
    (tmp_path / "rules.py").write_text(RULES, encoding="utf-8")
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}

    def call(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [command, *words], cwd=tmp_path, env=environment, capture_output=True, text=True
        )  # fmt: skip

    assert "everything passes" in call("verify").stdout
    assert call("verify", "rules.py").returncode == 1
    refused = call("train")
    assert refused.returncode == 2
    assert 'pip install "ffnn-jax[run]"' in refused.stderr
