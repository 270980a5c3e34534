"""examples/Dockerfile: what it copies is there, and what it starts writes where it may."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

from sandbox import Server
from tests.script import ROOT, environment

DOCKERFILE = (ROOT / "examples" / "Dockerfile").read_text()


def test_the_image_starts_without_a_home_and_writes_below_one_folder(
    server: Server, postgres: str, tmp_path: Path
) -> None:
    app, data = tmp_path / "app", tmp_path / "data"
    for source, target in re.findall(r"^COPY (\S+) (\S+)$", DOCKERFILE, re.MULTILINE):
        place = app / source if target == "." else app / target
        place.parent.mkdir(parents=True, exist_ok=True)
        copy = shutil.copytree if (ROOT / source).is_dir() else shutil.copy
        copy(ROOT / source, place)
    before = sorted(app.rglob("*"))
    (settings,) = re.findall(r"^ENV (.*)$", DOCKERFILE, re.MULTILINE)
    image = dict(each.split("=") for each in settings.split())
    assert image["DLT_DATA_DIR"] == "/tmp/dlt"
    env = {
        **environment(server),
        **image,
        "DLT_DATA_DIR": str(data / "dlt"),
        "HOME": str(tmp_path / "no_home"),
        "DESTINATION__POSTGRES__CREDENTIALS": postgres,
        # the image has compiled its modules
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    (start,) = re.findall(r"^ENTRYPOINT \[(.*)\]$", DOCKERFILE, re.MULTILINE)
    command = [sys.executable, *re.findall(r'"([^"]+)"', start)[1:]]
    for more in (["--resources", "clients,roles"], ["verify", "--resources", "clients,roles"]):
        done = subprocess.run(
            [*command, *more, "--dataset", "container"],
            cwd=app, env=env, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
    assert sorted(app.rglob("*")) == before
    assert not (tmp_path / "no_home").exists()
