"""What deploys Tonearm: each file is parsed by the program that reads it, where that is here."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

yaml = pytest.importorskip("yaml")

ROOT = Path(__file__).resolve().parents[1]
CONTAINERFILE = (ROOT / "Containerfile").read_text(encoding="utf-8")


def parsed(name):
    return yaml.safe_load((ROOT / "deploy" / name).read_text(encoding="utf-8"))


def last_stage():
    return CONTAINERFILE[CONTAINERFILE.rindex("\nFROM ") :]


def test_the_image_runs_as_a_user_and_is_checked():
    stage = last_stage()
    assert re.search(r"(?m)^USER (?!root)\w+$", stage)
    assert "HEALTHCHECK" in stage
    # What is copied exists, and nothing else of the checkout comes along.
    for line in re.findall(r"(?m)^COPY (?!--from)(.*) \S+$", CONTAINERFILE):
        assert all((ROOT / name).exists() for name in line.split()), line
    extras = set(re.search(r"ARG EXTRAS=(\S+)", CONTAINERFILE)[1].split(","))
    known = re.findall(r"(?m)^(\w+) = \[", (ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert extras <= set(known)


def test_commands_of_the_compose_file_are_tonearms(tonearm):
    from tonearm.cli.app import app

    commands = {command.name: command for command in app.registered_commands}
    services = parsed("compose.yaml")["services"]
    command = services["watch"]["command"]
    assert command[0] in commands
    helped = tonearm("scan", "--help").out
    assert all(word in helped for word in command if word.startswith("--"))
    ports = services["page"]["ports"]
    assert ports == ["127.0.0.1:8137:8137"], "others reach the page only if somebody says so"
    declared = set(parsed("compose.yaml")["volumes"])
    used = {v.partition(":")[0] for s in services.values() for v in s["volumes"]}
    assert {name for name in used if not name.startswith("$")} <= declared


def test_ray_takes_the_cluster_file():
    pytest.importorskip("ray")
    pytest.importorskip("boto3")
    from ray.autoscaler._private.util import prepare_config, validate_config

    prepared = prepare_config(parsed("ray-aws.yaml"))
    validate_config(prepared)
    types = prepared["available_node_types"]
    assert types["head"]["resources"]["CPU"] == 0, "what coordinates the others must not work too"
    with pytest.raises(ValueError, match="head_node_type"):
        validate_config({**prepared, "head_node_type": "no such type"})


def test_ray_takes_the_cluster_of_the_kubernetes_job():
    pytest.importorskip("ray")
    from ray.autoscaler._private.kuberay import autoscaling_config
    from ray.autoscaler._private.util import validate_config

    job = parsed("kuberay.yaml")
    assert (job["apiVersion"], job["kind"]) == ("ray.io/v1", "RayJob")
    cluster = {"metadata": {"name": "x", "namespace": "x"}, "spec": job["spec"]["rayClusterSpec"]}
    found = autoscaling_config._derive_autoscaling_config_from_ray_cr(cluster)
    validate_config(found)
    assert found["available_node_types"]["cores"]["resources"]["CPU"] == 8
    assert found["available_node_types"]["headgroup"]["resources"]["CPU"] == 0
    for group in (cluster["spec"]["headGroupSpec"], *cluster["spec"]["workerGroupSpecs"]):
        (container,) = group["template"]["spec"]["containers"]
        assert container["securityContext"]["runAsNonRoot"]
    pinned = re.search(r"(?m)^ray==(\S+)$", (ROOT / "constraints.txt").read_text("utf-8"))[1]
    assert cluster["spec"]["rayVersion"] == pinned


def test_the_health_check_asks_the_server(monkeypatch, capsys):
    pytest.importorskip("fastapi")
    import http.server
    import threading

    from tonearm.serve import health

    codes = iter([200, 401, 503])
    asked = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append((self.path, self.headers["Authorization"]))
            self.send_response(next(codes))
            self.end_headers()

        def log_message(self, *_):
            pass

    with http.server.HTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{server.server_port}/api/v1/health"
        monkeypatch.setenv("TONEARM_TOKEN", "secret")
        # 401: it is there, with another token.
        assert [health.main(address) for _ in range(3)] == [0, 0, 1]
        server.shutdown()
    assert asked[0] == ("/api/v1/health", "Bearer secret")
    assert health.main(address) == 1
    assert "no answer" in capsys.readouterr().err
