"""``ffnn-jax page``."""

from tests.cli.conftest import code_of


def test_a_folder_without_a_run_has_no_page(tmp_path, capsys):
    assert code_of("page", tmp_path) == 2
    assert "is not a finished run" in capsys.readouterr().err
