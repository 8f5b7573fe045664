# SPDX-License-Identifier: GPL-2.0-or-later
"""What depends on the kernel, on the oldest one that we support: scripts/test-kernel, only where VNRS_SLOW is set."""
import os
import subprocess

import pytest

from conftest import BIN, ROOT


@pytest.mark.skipif("VNRS_SLOW" not in os.environ, reason="VNRS_SLOW is not set")
def test_on_the_oldest_kernel():
    build = os.path.relpath(BIN.parent, ROOT)
    p = subprocess.run([ROOT / "scripts/test-kernel"], env={**os.environ, "VNRS_BUILD_DIR": build}, capture_output=True, text=True)
    assert p.returncode == 0, p.stdout[-20000:] + p.stderr
