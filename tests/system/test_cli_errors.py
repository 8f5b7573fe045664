# SPDX-License-Identifier: GPL-2.0-or-later
"""What a user meets when something is wrong: one sentence, the right exit status, and nothing changed."""
import os
import signal
import subprocess
import threading

import pytest

from conftest import BIN, Daemon, example, leftovers, sh, until


def run(*args, env=None, user=None):
    return subprocess.run([str(BIN / "vnrs"), *map(str, args)], capture_output=True, text=True, timeout=60,
                          env={**os.environ, **(env or {})}, user=user)


def test_no_daemon(tmp_path):
    p = run("--socket", tmp_path / "none.sock", "list")
    assert p.returncode == 6
    assert "no vnrsd answers on" in p.stderr and "help:" in p.stderr and p.stdout == ""


def test_no_permission(daemon):
    sh("chmod", "a+x", daemon.run_dir.parent)
    p = run("--socket", daemon.socket, "list", user="nobody")
    assert p.returncode == 5
    assert "permission denied" in p.stderr and "help:" in p.stderr


@pytest.mark.parametrize("args", [[], ["frobnicate"], ["effective-routes"], ["next-hop"], ["-o", "xml", "list"],
                                  ["--timeout", "soon", "list"], ["list", "--no-such-option"]])
def test_usage(daemon, args):
    p = run("--socket", daemon.socket, *args)
    assert p.returncode == 2 and p.stderr


def test_the_verb_that_was_meant():
    p = run("statsu")
    assert p.returncode == 2 and "unknown verb 'statsu'" in p.stderr and "did you mean 'status'?" in p.stderr


def test_missing_file(daemon):
    p = daemon.cli("apply", "/nonexistent.vnrs.yml", check=False)
    assert p.returncode == 1 and "cannot read '/nonexistent.vnrs.yml': No such file" in p.stderr


def test_invalid_file_changes_nothing(daemon, make_lab):
    lab = make_lab(example("minimal.vnrs.yml", "err-keep"), "err-keep")
    lab.apply()
    before = lab.get("inspect"), lab.get("status")["generation"]
    text = lab.file.read_text()
    lab.file.write_text(text + "\nnonsense: 1\n")
    p = daemon.cli("apply", lab.file, check=False)
    assert p.returncode == 3
    assert "unknown key 'nonsense'" in p.stderr and f"{lab.file}:" in p.stderr and "^" in p.stderr
    assert (lab.get("inspect"), lab.get("status")["generation"]) == before


def test_all_errors_at_once(daemon, make_lab):
    lab = make_lab("name: x y\nvirtualNetworks: 7\nmachines:\n  - {nam: a}\n", "err-all")
    p = daemon.cli("validate", lab.file, check=False)
    assert p.returncode == 3 and p.stderr.count("error[V") >= 3


def test_unknown_objects_are_named(daemon, make_lab):
    lab = make_lab(example("minimal.vnrs.yml", "err-names"), "err-names")
    lab.apply()
    p = daemon.cli("effective-routes", "no-such-nic", "--lab", lab.name, check=False)
    assert p.returncode == 1 and "no-such-nic" in p.stderr
    p = daemon.cli("exec", "no-such-vm", "--lab", lab.name, "--", "true", check=False)
    assert p.returncode == 1 and "no-such-vm" in p.stderr
    p = daemon.cli("status", "no-such-lab", check=False)
    assert p.returncode == 1 and "no-such-lab" in p.stderr


def test_json_of_empty_lists(daemon):
    if daemon.json("list") == []:
        assert daemon.cli("list", "-o", "json").stdout.strip() == "[]"


def test_api_refuses_what_it_cannot_take(daemon):
    def curl(*args):
        return sh("curl", "-s", "-o", "/dev/stdout", "-w", "\n%{http_code}", "--unix-socket", daemon.socket, *args).rsplit("\n", 1)
    for args, status in ((["http://x/v1/nothing"], "404"), (["-X", "POST", "-d", "{", "http://x/v1/labs"], "400"),
                         (["-X", "POST", "-d", '{"file": 7}', "http://x/v1/labs"], "400"),
                         (["-X", "PUT", "http://x/v1/labs"], "405"),
                         (["http://x/v1/labs/none/status"], "404")):
        body, code = curl(*args)
        assert code == status, (args, code, body)
        assert '"error"' in body and '"message"' in body


def test_second_daemon_on_the_same_run_directory(daemon):
    p = subprocess.run([str(BIN / "vnrsd"), "--run-dir", str(daemon.run_dir)], capture_output=True, text=True, timeout=20)
    assert p.returncode == 1 and len(p.stderr.strip().splitlines()) <= 2
    assert daemon.cli("list").returncode == 0


def test_apply_that_fails_half_way_is_completed_by_the_next(daemon, make_lab):
    """A foreign link with a name that the lab needs: apply says so, and once it is gone the lab completes."""
    source = example("minimal.vnrs.yml", "err-half").replace("name: err-half", "name: err-half", 1)
    lab = make_lab(source, "err-half")
    # a namespace of the lab's name that is not a namespace: the agent cannot make it
    path = f"/run/netns/{lab.ns('a')}"
    os.makedirs("/run/netns", exist_ok=True)
    os.mkdir(path)
    try:
        p = daemon.cli("apply", lab.file, "--timeout", "3s", check=False)
        assert p.returncode == 4 and "'a'" in p.stderr
    finally:
        os.rmdir(path)
    lab.apply()
    until(lambda: lab.get("status")["ready"])


def test_destroy_twice_and_without_the_file(daemon, make_lab):
    lab = make_lab(example("minimal.vnrs.yml", "err-gone"), "err-gone")
    lab.apply()
    lab.file.unlink()
    assert daemon.cli("destroy", lab.name).returncode == 0
    assert leftovers(lab.name, daemon.run_dir) == []
    p = daemon.cli("destroy", lab.name)
    assert p.returncode == 0 and "nothing to remove" in p.stdout


def test_destroy_after_everything_was_killed(daemon, make_lab):
    lab = make_lab(example("minimal.vnrs.yml", "err-kill"), "err-kill")
    lab.apply()
    daemon.kill_everything()
    daemon.start()
    assert daemon.cli("destroy", lab.name).returncode == 0
    assert leftovers(lab.name, daemon.run_dir) == []


def test_foreign_objects_are_not_touched(daemon, make_lab):
    lab = make_lab(example("minimal.vnrs.yml", "err-foreign"), "err-foreign")
    lab.apply()
    lab.exec("a", "ip", "route", "add", "192.0.2.0/24", "dev", "eth0", "proto", "static", "metric", "100")
    sh("ip", "netns", "add", "vnrs-test-foreign")
    try:
        lab.exec("a", "ip", "link", "set", "eth0", "mtu", "1400")
        until(lambda: "mtu 1500" in lab.exec("a", "ip", "link", "show", "eth0"), 10, "the MTU is restored")
        assert "proto static" in lab.exec("a", "ip", "route", "show", "192.0.2.0/24")
        lab.destroy()
        assert "vnrs-test-foreign" in sh("ip", "netns", "list")
    finally:
        sh("ip", "netns", "delete", "vnrs-test-foreign")


@pytest.mark.parametrize("args,said", [(["-o", "tsv", "peer", "x"], "no table"), (["-o", "tsv", "schema"], "no table"),
                                       (["-o", "json", "exec", "a", "true"], "a format of its own"),
                                       (["-o", "yaml", "capture", "a"], "a format of its own"),
                                       (["-o", "yaml", "bgp", "dump"], "a format of its own"),
                                       (["-o", "xml", "list"], "output is table, json, yaml or tsv, not 'xml'")])
def test_a_format_that_the_verb_does_not_have(daemon, args, said):
    p = daemon.cli(*args, check=False)
    assert p.returncode == 2 and said in p.stderr and "help:" in p.stderr and p.stdout == ""


def test_output_that_cannot_be_written():
    with open("/dev/full", "w") as full:
        p = subprocess.run([str(BIN / "vnrs"), "schema"], stdout=full, stderr=subprocess.PIPE, text=True, timeout=60)
    assert p.returncode == 1 and "cannot write standard output" in p.stderr


@pytest.mark.parametrize("words,wanted", [("vnrs pe", "peerings peers peer"), ("vnrs --lab x learned-r", "learned-routes"),
                                          ("vnrs peers --so", "--socket"), ("vnrs bgp re", "refresh"),
                                          ("vnrs completion f", "fish"), ("vnrs -o y", "yaml"),
                                          ("vnrs graph --format s", "svg")])
def test_completion_in_bash(words, wanted):
    script = run("completion", "bash").stdout
    words = words.split(" ")
    if words[1] == "--lab":
        words = [words[0], "--lab=x", *words[3:]]
    got = subprocess.run(["bash", "-c", f'{script}\nCOMP_WORDS=({" ".join(words)}); COMP_CWORD={len(words) - 1}; _vnrs; '
                          'echo "${COMPREPLY[@]}"'], capture_output=True, text=True)
    assert got.stderr == "" and got.stdout.split() == wanted.split()
    assert run("completion", "tcsh").returncode == 2


def test_a_socket_that_somebody_listens_on_is_left_alone(daemon, tmp_path):
    p = subprocess.run([BIN / "vnrsd", "--run-dir", tmp_path / "run", "--socket", daemon.socket], capture_output=True, text=True,
                       timeout=60)
    assert p.returncode == 1 and f"somebody listens on '{daemon.socket}' already" in p.stderr
    assert daemon.cli("list").returncode == 0


def test_the_controller_of_a_killed_agent_is_waited_for(tmp_path):
    first = Daemon(tmp_path / "run").start()
    controller, = first.children("--controller")
    os.kill(controller, signal.SIGSTOP)  # it has not noticed yet when the next one starts
    os.kill(first.process.pid, signal.SIGKILL)
    first.process.wait()
    lingers = threading.Timer(0.2, os.kill, (controller, signal.SIGCONT))
    lingers.start()
    try:
        first.start()
    finally:
        lingers.join()
        first.stop()
