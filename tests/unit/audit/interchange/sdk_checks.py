"""What the SDKs of Label Studio and Argilla say of our exports. Runs in a Python of theirs, not in ours:

    python sdk_checks.py label-studio TASKS.json CONFIG.xml ANSWERS.json
    python sdk_checks.py argilla FOLDER ANSWERS.json OUT

It prints one JSON object, and ends with a traceback where an SDK refuses something.
"""

import json
import re
import sys
import threading
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import Any

ID = "00000000-0000-0000-0000-00000000000a"
NOW = {"inserted_at": "2026-01-01T00:00:00", "updated_at": "2026-01-01T00:00:00"}
PERSON = {"id": ID, "username": "owner", "role": "owner", "first_name": "Owner", **NOW}


def check_label_studio(tasks_path: str, config_path: str, answers_path: str) -> dict[str, Any]:
    """Let the SDK validate the interface, every task, every prediction, and annotations on them."""
    module = import_module("label_studio_sdk.label_interface")
    interface = module.LabelInterface(Path(config_path).read_text("utf-8"))
    interface.validate()
    tasks = json.loads(Path(tasks_path).read_text("utf-8"))
    predictions = annotations = 0
    for task in tasks:
        # With predictions in it, `validate_task` of 2.1 calls `validate_prediction` without any.
        assert interface.validate_task({"data": task["data"]}) is True, task
        for prediction in task.get("predictions", []):
            problems = interface.validate_prediction(prediction, return_errors=True)
            assert problems == [], problems
            predictions += 1
    for task in json.loads(Path(answers_path).read_text("utf-8")):
        for annotation in task["annotations"]:
            assert interface.validate_annotation(annotation) is True, annotation
            annotations += 1
    return {
        "label-studio-sdk": version("label-studio-sdk"),
        "tasks": len(tasks),
        "predictions": predictions,
        "annotations": annotations,
    }


class Server(BaseHTTPRequestHandler):
    """As much of Argilla's API as its client needs to take in a folder and to hand it out again."""

    protocol_version = "HTTP/1.1"
    kept: dict[str, list[dict[str, Any]]]
    answers: dict[str, list[dict[str, Any]]]

    def answer(self) -> None:
        path = self.path.split("?")[0]
        length = int(self.headers.get("content-length") or 0)
        sent = json.loads(self.rfile.read(length) or b"{}")
        data = json.dumps(self.told(path, sent)).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    do_GET = do_POST = do_PUT = do_PATCH = answer

    def told(self, path: str, sent: dict[str, Any]) -> dict[str, Any]:
        kind = path.rsplit("/", 1)[1]
        if path == "/api/v1/me":
            return PERSON
        if kind == "workspaces":
            return {"items": [{"id": ID, "name": "here", **NOW}]}
        if path == "/api/v1/me/datasets":
            return {"items": []}
        if kind == "bulk":
            return {"items": [self.keep("records", self.record(item)) for item in sent["items"]]}
        if kind in ("fields", "questions", "metadata-properties", "vectors-settings", "records"):
            if self.command == "POST":
                return self.keep(kind, {**sent, "id": str(uuid.uuid4()), "dataset_id": ID, **NOW})
            started = re.search(r"offset=([1-9]\d*)", self.path)
            return {"items": [] if started else self.kept.get(kind, [])}
        return {"name": "here", "status": "ready", "workspace_id": ID, **sent, "id": ID, **NOW}

    def keep(self, kind: str, item: dict[str, Any]) -> dict[str, Any]:
        self.kept.setdefault(kind, []).append(item)
        return item

    def record(self, sent: dict[str, Any]) -> dict[str, Any]:
        responses = [
            {
                "id": str(uuid.uuid4()),
                "user_id": told["user_id"],
                "status": told["status"],
                "values": {question: {"value": value} for question, value in told["values"].items()},
            }
            for told in self.answers.get(sent["external_id"], [])
        ]
        return {**sent, "id": str(uuid.uuid4()), "status": "pending", "responses": responses, **NOW}

    def log_message(self, format: str, *args: Any) -> None:
        pass


def check_argilla(folder: str, answers_path: str, out: str) -> dict[str, Any]:
    """Let the SDK read the folder into a server, and write what the server has then in every way it knows."""
    rg = import_module("argilla")
    Server.kept, Server.answers = {}, json.loads(Path(answers_path).read_text("utf-8"))
    server = ThreadingHTTPServer(("127.0.0.1", 0), Server)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    client = rg.Argilla(api_url=f"http://127.0.0.1:{server.server_port}", api_key="none")
    settings = rg.Settings.from_json(f"{folder}/.argilla/settings.json")
    settings.validate()
    dataset = rg.Dataset.from_disk(folder, workspace="here", client=client)
    target = Path(out)
    target.mkdir()
    (target / "disk").mkdir()
    dataset.to_disk(str(target / "disk"))
    (target / "flat.json").write_text(json.dumps(dataset.records.to_list(flatten=True)))
    (target / "server.json").write_text(json.dumps(Server.kept["records"]))
    server.shutdown()
    return {
        "argilla": version("argilla"),
        "fields": [field.name for field in settings.fields],
        "questions": [question.name for question in settings.questions],
        "records": len(Server.kept["records"]),
        "suggestions": sum(len(record["suggestions"]) for record in Server.kept["records"]),
    }


if __name__ == "__main__":
    checks = {"label-studio": check_label_studio, "argilla": check_argilla}
    print(json.dumps(checks[sys.argv[1]](*sys.argv[2:])))
