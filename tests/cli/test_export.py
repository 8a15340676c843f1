"""``ffnn-jax export``."""

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
