"""``ffnn-jax export``."""

import sys

from tests.cli.conftest import code_of


def test_export_writes_a_program_beside_the_model_and_prints_its_error(model_alone, capsys):
    folder = model_alone.parent
    assert code_of("export", folder) == 0
    output = capsys.readouterr().out
    assert output.startswith(f"{folder / 'model.stablehlo'}: ")
    assert "for cpu, cuda, tpu\nprobabilities differ from the model's by at most" in output
    assert code_of("export", folder, "--out", folder / "no" / "x") == 2


def test_export_does_not_replace_the_model_itself(model_alone, capsys):
    model = model_alone.read_bytes()
    assert code_of("export", model_alone.parent, "--out", model_alone) == 2
    assert "out must not be the model itself" in capsys.readouterr().err
    assert model_alone.read_bytes() == model


def test_onnx_is_written_beside_the_model_and_its_error_printed(model_alone, capsys, monkeypatch):
    folder = model_alone.parent
    assert code_of("export", folder, "--onnx") == 0
    first, second = capsys.readouterr().out.splitlines()
    assert first.startswith(f"{folder / 'model.onnx'}: ") and first.endswith(" kB of opset 17")
    assert second.startswith("probabilities differ from the model's by at most ")
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    assert code_of("export", folder, "--onnx", "--out", folder / "other.onnx") == 0
    assert capsys.readouterr().out.endswith("\nnot run, as onnxruntime is not installed\n")
    assert (folder / "other.onnx").read_bytes() == (folder / "model.onnx").read_bytes()


def test_onnx_is_refused_in_one_line_before_jax_is_needed(model_alone, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "ffnn_jax.models", None)
    assert code_of("export", model_alone, "--onnx", "--demo") == 2
    assert "--onnx and --demo write two files" in capsys.readouterr().err
    monkeypatch.setitem(sys.modules, "onnx", None)
    assert code_of("export", model_alone, "--onnx") == 2
    command = 'python -m pip install "ffnn-jax[onnx]"'
    expected = f"ffnn-jax: export --onnx needs onnx, which is not installed: {command}\n"
    assert capsys.readouterr().err == expected
    assert list(model_alone.parent.iterdir()) == [model_alone]


def test_demo_writes_a_page_beside_the_model_and_prints_its_size(model_alone, capsys):
    folder = model_alone.parent
    assert code_of("export", folder, "--demo") == 0
    page = folder / "demo.html"
    assert capsys.readouterr().out == f"{page}: {page.stat().st_size / 1024:,.0f} kB\n"
    assert "Fully connected" in page.read_text()
    assert code_of("export", folder, "--demo", "--out", folder / "other.html", "--model", 0) == 0
    assert (folder / "other.html").read_text() != page.read_text()


def test_demo_rejects_a_name_that_is_no_page_s_before_jax_is_needed(
    model_alone, capsys, monkeypatch
):
    monkeypatch.setitem(sys.modules, "ffnn_jax.runs", None)
    for name in ("demo.stablehlo", "demo"):
        assert code_of("export", model_alone, "--demo", "--out", model_alone.with_name(name)) == 2
        error = capsys.readouterr().err
        assert error.startswith("ffnn-jax: out must end in .html with --demo, got ")
        assert error.endswith(f"{name}'\n")
    assert list(model_alone.parent.iterdir()) == [model_alone]


def test_demo_rejects_a_run_without_a_model(tmp_path, capsys):
    assert code_of("export", tmp_path, "--demo") == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_demo_rejects_a_folder_that_does_not_exist(model_alone, capsys):
    out = model_alone.parent / "no" / "demo.html"
    assert code_of("export", model_alone, "--demo", "--out", out) == 2
    assert "cannot be written: no folder" in capsys.readouterr().err
