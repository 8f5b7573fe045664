# SPDX-License-Identifier: GPL-2.0-or-later
"""How long tests wait. A deadline is what ends a test that would wait for ever, and no measure of speed: what is there
after a second on a machine of one's own is waited for much longer where four tests, a compiler and a sanitizer share two
processors. So every deadline is multiplied; more where the processor is emulated."""
import os

PATIENCE = float(os.environ.get("VNRS_TEST_PATIENCE", 3))
