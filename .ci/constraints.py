"""Keep pyproject's constraint list equal to what uv resolves, so that every install takes the same versions.

Usage: ``python .ci/constraints.py`` checks; ``python .ci/constraints.py --write`` renews the list.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
LIST = re.compile(r"(constraint-dependencies = \[\n).*?(\n?\])", re.DOTALL)


def resolved() -> list[str]:
    """Return every resolved distribution as ``name==version``, sorted."""
    subprocess.run(["uv", "lock", "--quiet"], cwd=ROOT, check=True)  # noqa: S607
    packages = tomllib.loads((ROOT / "uv.lock").read_text())["package"]
    return sorted(pin(package) for package in packages if package["name"] != "watchkeeper")


def pin(package: dict[str, Any]) -> str:
    """Return one package's requirement; where uv forked by Python version, with the fork's markers."""
    requirement = f"{package['name']}=={package['version']}"
    markers = " or ".join(f"({marker})" for marker in package.get("resolution-markers", []))
    return f"{requirement} ; {markers}".replace('"', "'") if markers else requirement


def main() -> int:
    """Check the list, or write it; exit 1 when it is out of step."""
    pyproject = ROOT / "pyproject.toml"
    text = pyproject.read_text()
    wanted = resolved()
    if "--write" in sys.argv:
        lines = "\n".join(f'  "{requirement}",' for requirement in wanted)
        pyproject.write_text(LIST.sub(lambda match: match[1] + lines + "\n]", text, count=1))
        return 0
    listed = sorted(tomllib.loads(text)["tool"]["uv"]["constraint-dependencies"])
    for requirement in sorted(set(wanted) ^ set(listed)):
        fault = "missing" if requirement in wanted else "stale"
        print(f"constraint list: {requirement} is {fault}; run: python .ci/constraints.py --write")
    return int(wanted != listed)


if __name__ == "__main__":
    sys.exit(main())
