"""The dataset card: its front matter is YAML, and its data files are the shards."""

from __future__ import annotations

import yaml


def test_the_front_matter_leads_to_every_shard(folder, evidence):
    _, front, text = (folder / "README.md").read_text(encoding="utf-8").split("---\n", 2)
    card = yaml.safe_load(front)
    assert (card["license"], card["language"]) == ("cc-by-4.0", ["de", "fr", "pl", "fi", "el"])
    assert card["size_categories"] == ["1K<n<10K"]
    files = card["configs"][0]["data_files"]
    found = {(item["split"], path.relative_to(folder).as_posix()) for item in files for path in folder.glob(item["path"])}
    assert found == {(shard.split, shard.path) for shard in evidence.shards}
    assert "## Columns" in text
    assert "| train | 2045 |" in text
