"""What is examined before a run; the command doctor prints it."""

from ffnn_jax.runs import _examination


def test_a_folder_that_cannot_be_written_is_a_finding(tmp_path):
    finding = _examination._writable("runs", tmp_path / "none")
    assert finding.found.startswith(f"{tmp_path / 'none'}: ")
    assert finding.remedy == "choose another folder"


def test_a_full_disk_is_a_finding(tmp_path, monkeypatch):
    usage = type("Usage", (), {"free": 1 << 20})
    monkeypatch.setattr(_examination.shutil, "disk_usage", lambda folder: usage)
    assert _examination._writable("runs", tmp_path).remedy == "free 2 GiB"


def test_a_cache_that_is_a_file_is_a_finding(tmp_path, monkeypatch):
    (tmp_path / "cache").write_text("")
    monkeypatch.setattr(_examination, "enable_compilation_cache", lambda: tmp_path / "cache")
    assert "JAX_COMPILATION_CACHE_DIR" in _examination._cache().remedy


def test_a_wrong_gradient_is_a_finding(monkeypatch):
    monkeypatch.setattr(_examination, "dense", lambda x, w, b: (2 * x) @ w + b[None, :])
    assert _examination._gradient().remedy == "reinstall jax for the device"
