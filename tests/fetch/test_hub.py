"""Downloading from the hub, through its ordinary client, from a hub of this test's own on this machine."""

import hashlib
import json
import os
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from diffsign.records.manifest import load_manifest

COMMIT = "fedcba9876543210fedcba9876543210fedcba98"


@pytest.fixture
def hub():
    """A hub that has repositories by name: what ``hub.folders`` names; ``hub.asked`` are the files fetched."""

    class Handler(BaseHTTPRequestHandler):
        def do_HEAD(self):
            self.answer(body=False)

        def do_GET(self):
            self.answer(body=True)

        def log_message(self, *_):
            pass

        def answer(self, body):
            parts = self.path.split("?")[0].strip("/").split("/")
            name = "/".join(parts[2:4] if parts[0] == "api" else parts[:2])
            folder = self.server.folders.get(name)
            if folder is None:
                return self.reply(404, b"{}", {"X-Error-Code": "RepoNotFound"}, body)
            if parts[0] == "api":
                files = [path for path in sorted(folder.rglob("*")) if path.is_file()]
                siblings = [{"rfilename": str(path.relative_to(folder))} for path in files]
                if parts[4] == "tree":
                    found = [
                        {"type": "file", "path": s["rfilename"], "size": f.stat().st_size, "oid": COMMIT}
                        for s, f in zip(siblings, files, strict=True)
                    ]
                else:
                    found = {"id": name, "sha": COMMIT, "siblings": siblings, "tags": [], "private": False}
                return self.reply(200, json.dumps(found).encode(), {"Content-Type": "application/json"}, body)
            path = folder.joinpath(*parts[4:])
            if not path.is_file():
                return self.reply(404, b"", {"X-Error-Code": "EntryNotFound"}, body)
            content = path.read_bytes()
            if body:
                self.server.asked.append(str(path.relative_to(folder)))
            etag = hashlib.sha256(content).hexdigest()
            return self.reply(200, content, {"ETag": f'"{etag}"', "X-Repo-Commit": COMMIT}, body)

        def reply(self, status, content, headers, body):
            self.send_response(status)
            for key, value in headers.items():
                self.send_header(key, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            if body:
                self.wfile.write(content)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.folders, server.asked = {}, []
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()


def fetch(hub, home, out, definition, **environment):
    """Run ``diffsign fetch`` against the hub, in a process of its own: the client reads its address when imported."""
    address = f"http://127.0.0.1:{hub.server_address[1]}"
    proxies = dict.fromkeys(("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"), "")
    environment = {"HF_ENDPOINT": address, "HF_HOME": str(home), "HF_HUB_DISABLE_XET": "1"} | proxies | environment
    return subprocess.run(
        [sys.executable, "-m", "diffsign", "fetch", "tiny", str(out), f"--definition={json.dumps(definition)}"],
        env=os.environ | environment,
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=False,
    )


def definition(**base):
    encoder = {"id": "someone/adapters", "subfolder": "image_encoder"}
    return {
        "base": {"id": "someone/tiny", **base},
        "controlnets": {"pose": {"id": "someone/pose"}},
        "ip_adapter": {"id": "someone/adapters", "file": "adapters/plain.bin", "image_encoder": encoder},
        "presets": {"paper": {"steps": 2}},
    }


def test_what_is_needed_is_downloaded_once(sd, hub, tmp_path):
    hub.folders = {"someone/tiny": sd.folder / "base", "someone/pose": sd.folder / "pose"}
    hub.folders["someone/adapters"] = sd.folder
    first = fetch(hub, tmp_path / "hf", tmp_path / "m.json", definition(variant="fp16"))
    assert first.returncode == 0, first.stderr
    manifest = load_manifest(tmp_path / "m.json")
    assert manifest.base.commit == COMMIT and manifest.controlnets["pose"].commit == COMMIT
    # there are no fp16 files here, so the plain ones came; and of the adapters just the one that is named
    assert "unet/diffusion_pytorch_model.safetensors" in hub.asked
    assert "adapters/plain.bin" in hub.asked and "adapters/plus.bin" not in hub.asked
    assert not any(name.startswith("canny/") for name in hub.asked)
    count = len(hub.asked)
    pinned = definition(revision=COMMIT)
    again = fetch(hub, tmp_path / "hf", tmp_path / "again.json", pinned, HF_HUB_OFFLINE="1")
    assert again.returncode == 0 and len(hub.asked) == count, again.stderr


def test_what_the_hub_does_not_have_is_said(sd, hub, tmp_path):
    hub.folders = {"someone/tiny": sd.folder / "base", "someone/adapters": sd.folder}
    done = fetch(hub, tmp_path / "hf", tmp_path / "m.json", definition())
    assert done.returncode == 1 and "Traceback" not in done.stderr
    assert "the ControlNet for pose 'someone/pose': the hub has no such repository, or it is private" in done.stderr
    assert not (tmp_path / "m.json").exists()
