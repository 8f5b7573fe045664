# SPDX-License-Identifier: GPL-2.0-or-later
"""Every scenario among the examples comes up from nothing, and its own assertions hold, on both data planes. The
scenarios are those of azure-routing.md section 8."""
import re

import pytest

from conftest import EXAMPLES, Lab, example, leftovers

# hub-spoke and route-maps have tests of their own, and the others are not labs that one host can be tested with.
ELSEWHERE = {"hub-spoke", "hub-spoke-kernel", "route-maps", "container-injector", "scale"}
SCENARIOS = sorted(f.name for f in EXAMPLES.glob("*.vnrs.yml") if f.name.split(".")[0] not in ELSEWHERE)


@pytest.mark.parametrize("dataplane", ["ebpf", "kernel"])
@pytest.mark.parametrize("file", SCENARIOS)
def test_comes_up_and_passes(daemon, tmp_path, file, dataplane):
    name = re.sub(r"\.vnrs\.yml$", "", file) + f"-{dataplane[0]}"
    lab = Lab(daemon, example(file, name, dataplane), name, tmp_path)
    try:
        lab.apply()
        result = daemon.cli("test", name, "--timeout", "40s").stdout
        assert ", 0 failed" in result and not result.endswith("0 passed, 0 failed\n")
    finally:
        lab.destroy()
    assert leftovers(name, daemon.run_dir) == []
