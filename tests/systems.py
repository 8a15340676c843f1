"""Systems without which a test makes no sense; elsewhere it is skipped."""

import sys

import pytest

posix = pytest.mark.skipif(sys.platform == "win32", reason="needs the signals and limits of POSIX")
linux = pytest.mark.skipif(sys.platform != "linux", reason="needs Linux's /proc or affinity")
