"""Runs the other scripts, and curl's documented line, where Microsoft's own names lead to the emulator.

Inside a network namespace nobody outside can prepare the cloud; so this one registers the applications, too.
"""

import json
import os
import subprocess
import sys
import urllib.request
from pathlib import Path

ADMIN = "http://127.0.0.1:8401"
HERE = Path(__file__).parent


def admin(path, body=None):
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(ADMIN + path, data, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request) as answer:
        return json.loads(answer.read())


def run(name, command):
    ended = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    lines = ended.stdout.splitlines() if ended.returncode == 0 else []
    print(json.dumps({"client": name, "code": ended.returncode, "lines": lines, "errors": ended.stderr}), flush=True)


roles = json.loads(os.environ["SORTIE_ROLES"])
application = {"displayName": "interop", "secret": "generated"}
able = admin("/directory/applications", {**application, "roles": roles})
roleless = admin("/directory/applications", application)
os.environ.update(
    SORTIE_TENANT=able["tenant"],
    SORTIE_CLIENT_ID=able["appId"],
    SORTIE_SECRET=able["secretText"],
    SORTIE_ROLELESS_CLIENT_ID=roleless["appId"],
    SORTIE_ROLELESS_SECRET=roleless["secretText"],
)
pem = Path(os.environ["SORTIE_CERTIFICATE"]).read_text(encoding="ascii")
certificate = pem[pem.index("-----BEGIN CERTIFICATE") :]
admin(f"/directory/applications/{able['appId']}/certificates", {"certificate_pem": certificate})
print(json.dumps({"client": "truth", "clientId": able["appId"], "truth": admin("/truth")}), flush=True)
for script in sys.argv[1:]:
    path = HERE.parent / script
    run(script, [sys.executable if path.suffix == ".py" else "node", str(path)])
run("curl", ["sh", str(HERE.parent / "curl.sh")])
