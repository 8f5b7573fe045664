# SPDX-License-Identifier: GPL-2.0-or-later
"""vnrsd --listen: what anybody on the host may ask the API over loopback TCP, and what not."""
import json
import socket
import subprocess

import pytest

from conftest import BIN, Daemon, Lab, example


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as s:
        return s.getsockname()[1]


@pytest.fixture(scope="module")
def api(tmp_path_factory):
    """(daemon, port) with a lab."""
    port = free_port()
    base = tmp_path_factory.mktemp("tcp")
    base.chmod(0o755)
    daemon = Daemon(base / "run").start("--listen", f"127.0.0.1:{port}")
    lab = Lab(daemon, example("minimal.vnrs.yml", "api-tcp"), "api-tcp", base)
    try:
        lab.apply()
        yield daemon, port
        lab.destroy()
    finally:
        daemon.stop()
    log = daemon.logged()
    assert "AddressSanitizer" not in log and "runtime error:" not in log, log[-6000:]


def ask(port, path, *args, host="127.0.0.1", user=None):
    p = subprocess.run(["curl", "-s", "-g", "-w", "\n%{http_code}", *args, f"http://{host}:{port}{path}"], capture_output=True, text=True,
                       timeout=30, user=user)
    body, _, status = p.stdout.rpartition("\n")
    return int(status), body


def test_everybody_may_read(api):
    daemon, port = api
    status, body = ask(port, "/v1/labs/api-tcp/status", user="nobody")
    assert status == 200 and json.loads(body)["ready"] is True
    status, body = ask(port, "/metrics", user="nobody", host="localhost")
    assert status == 200 and 'vnrs_lab_ready{lab="api-tcp"} 1' in body


@pytest.mark.parametrize("path, args", [("/v1/labs/api-tcp", ["-X", "DELETE"]), ("/v1/labs", ["-d", '{"file": "x", "source": "name: x"}']),
                                        ("/v1/labs/api-tcp/link?nic=a&state=down", ["-X", "POST"]),
                                        ("/v1/labs/api-tcp/capture?nic=a", []), ("/v1/labs/api-tcp/flows", [])])
def test_nobody_may_change_or_watch_packets(api, path, args):
    daemon, port = api
    status, body = ask(port, path, *args)
    assert status == 403 and json.loads(body)["error"]["id"] == "read-only"
    assert [lab["name"] for lab in daemon.json("list")] == ["api-tcp"]


def test_a_page_of_the_web_may_not(api):
    daemon, port = api
    status, body = ask(port, "/v1/labs", "-H", "Host: lab.example.com")
    assert status == 403 and json.loads(body)["error"]["id"] == "bad-host"
    assert ask(port, "/v1/labs", "-H", f"Host: [::1]:{port}")[0] == 200


def test_it_comes_back_with_the_controller(api):
    daemon, port = api
    for pid in daemon.children("--controller"):
        subprocess.run(["kill", "-9", str(pid)], check=True)
    status = subprocess.run(["curl", "-s", "-f", "--retry", "60", "--retry-all-errors", "--retry-delay", "1", "-o", "/dev/null",
                             f"http://127.0.0.1:{port}/v1/labs/api-tcp/status"], timeout=120).returncode
    assert status == 0


@pytest.mark.parametrize("where", ["0.0.0.0:9180", "10.0.0.1:9180", "127.0.0.1", "127.0.0.1:0", "127.0.0.1:65536", "[::2]:9180", "::1:9180",
                                   "localhost:9180", "127.0.0.1:9180x", "[::1]9180", ":9180", "[]:1"])
def test_only_loopback(tmp_path, where):
    p = subprocess.run([BIN / "vnrsd", "--run-dir", tmp_path / "run", "--listen", where], capture_output=True, text=True, timeout=30)
    assert p.returncode == 2 and "--listen is a loopback address" in p.stderr and not (tmp_path / "run").exists()


def test_a_port_that_is_taken(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as s:
        p = subprocess.run([BIN / "vnrsd", "--run-dir", tmp_path / "run", "--listen", f"127.0.0.1:{s.getsockname()[1]}"],
                           capture_output=True, text=True, timeout=30)
    assert p.returncode == 1 and "in use" in p.stderr
