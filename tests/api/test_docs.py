"""The blocks of docs/python.md run as they stand, in their order, and give what the page says."""

import ast
import re
from pathlib import Path
from typing import Any

import pytest
import torch

import robustpose as rp

PAGE = Path(rp.__file__).parents[2] / "docs" / "python.md"
BLOCKS = re.findall(r"```python\n(.*?)```", PAGE.read_text(), flags=re.S)


@pytest.mark.slow
def test_the_page_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    space: dict[str, Any] = {"__name__": "page"}
    for number, block in enumerate(BLOCKS):
        exec(compile(block, f"block {number} of {PAGE.name}", "exec"), space)
        if "adv = rp.perturb" in block:
            change = (space["adv"] - space["images"]).abs().max()
            eps = 4 / 255 if "optimiser" in block else 8 / 255
            assert torch.isclose(change, torch.tensor(eps), atol=1e-6), block
    assert "FGSM-U" in capsys.readouterr().out
    assert space["result"].plan.dataset.name == "DataLoader"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["attack.csv"]


def test_every_name_of_the_page_is_there() -> None:
    calls = {
        node.attr for block in BLOCKS for node in ast.walk(ast.parse(block)) if isinstance(node, ast.Attribute)
    }
    named = set(re.findall(r"`rp\.(\w+)", PAGE.read_text()))
    assert {"perturb", "attack", "attack_photo", "load_model", "load_data", "Batch", "RobustPoseError"} <= named
    assert named <= set(dir(rp))
    assert {"adversarial", "perturbation", "keypoints", "to_polars", "metrics"} <= calls
