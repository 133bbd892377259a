"""The dataset card (README.md with the front matter that the Hugging Face hub and its loader read) and the terms in words."""

from __future__ import annotations

import json
import re
from typing import Any

from datalab.governance.carried import attributions
from datalab.governance.croissant import personal_data_in_words
from datalab.governance.evidence import Evidence
from datalab.governance.moments import made_at, published_at

_MARKUP = re.compile(r"([\\`*_{}\[\]#|])")
_SIZES = (
    (1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M"), (10_000_000, "1M<n<10M"),
    (100_000_000, "10M<n<100M"), (1_000_000_000, "100M<n<1B"),
)  # fmt: skip


def card(evidence: Evidence) -> str:
    """Return README.md: what it is, how to read it, where it comes from, what must be kept in mind."""
    pipeline, release = evidence.pipeline, evidence.pipeline.release
    splits = _splits(evidence)
    status = (
        f"Version {evidence.version}, approved {published_at(evidence)[:10]}" if evidence.version else "Candidate, not approved"
    )
    reference = f"{pipeline.name}@{evidence.version}" if evidence.version else pipeline.name
    lines = [
        "---",
        *_front_matter(evidence),
        "---",
        "",
        f"# {plain(pipeline.title)}",
        "",
        f"{status}. Prepared by {plain(evidence.lab)} on {made_at(evidence)[:10]}.",
        "",
        plain(release.description),
        "",
        "## Read it",
        "",
        "```python",
        "import datalab",
        "",
        f'dataset = datalab.open_dataset("{reference}")',
        "```",
        "",
        "Or with any Parquet reader: one folder for each split under `data/`.",
        "",
        "| split | rows |",
        "|---|---:|",
        *(f"| {plain(name)} | {rows} |" for name, rows in splits.items()),
        "",
        "## Columns",
        "",
        "| column | type | from | how | personal data |",
        "|---|---|---|---|---|",
        *_columns(evidence),
        "",
        "## Where it comes from",
        "",
        *(
            f"- {plain(offer.title)}, from {plain(offer.holder)}, licence {plain(offer.licence or 'see the terms')}"
            for offer in evidence.offers
        ),
        "",
        "## How it was prepared",
        "",
        *(_step(step) for step in evidence.steps),
        "",
        "## Personal data",
        "",
        personal_data_in_words(evidence),
        "",
        "## Intended use and terms",
        "",
        f"{plain(pipeline.purpose.text)}.".replace("..", "."),
        "",
        f"Licence of the release: {plain(release.licence)}. All terms: [TERMS.md](TERMS.md).",
        "",
        *_attribution(evidence, "## Attribution"),
        "## Evidence",
        "",
        "- [Report](governance/report.html): what was done, figure by figure, with the ledger's events",
        (
            "- [Croissant](croissant.json), [DCAT-AP](governance/dcat.jsonld), [PROV-O](governance/provenance.jsonld), "
            "[OpenLineage](governance/lineage.openlineage.jsonl)"
        ),
        "- [Checks](governance/checks.json), [policies](governance/policy.jsonld), [ledger](governance/ledger.jsonl)",
        "",
        f"Check every byte of it: `datalab verify {reference}`",
        "",
    ]
    return "\n".join(lines)


def terms(evidence: Evidence) -> str:
    """Return TERMS.md: what may be done, until when, for what, whom to name, whom to ask."""
    pipeline = evidence.pipeline
    lines = [
        f"# Terms of {plain(pipeline.title)}",
        "",
        (
            "The terms of all sources hold together: where they differ, the stricter one counts. The policies themselves, word for word, are in "
            "`governance/policy.jsonld`; where these sentences and a policy differ, the policy counts."
        ),
        "",
        "## What the terms say",
        "",
        *(f"- {plain(sentence)}" for sentence in evidence.terms or ("No term was stated: nothing is permitted.",)),
        "",
        "## Until when",
        "",
        f"Until {evidence.valid_until}." if evidence.valid_until else "The terms set no end.",
        "",
        "## For what it was made",
        "",
        f"{plain(pipeline.purpose.text)} (`{pipeline.purpose.code}`). "
        + ("Commercial use was asked for." if pipeline.purpose.commercial else "Commercial use was not asked for.")
        + " Another purpose needs another decision.",
        "",
        "## Licence and attribution",
        "",
        f"Licence of the release: {plain(pipeline.release.licence)}. Name: {plain(pipeline.release.creator)}.",
        "",
        *(
            f"- Contains {plain(offer.title)}, {plain(offer.holder)}" + (f", {plain(offer.licence)}" if offer.licence else "")
            for offer in evidence.offers
        ),
        "",
        *_attribution(evidence, "## Whom to name"),
        "## Agreements",
        "",
        *(
            f"- {_code(agreement.id)}: {agreement.kind} with {plain(agreement.provider)}, agreed {plain(agreement.agreed_at[:10])}, "
            + (f"until {agreement.valid_until[:10]}" if agreement.valid_until else "without an end")
            for agreement in evidence.agreements
        ),
        "",
        "## Whom to ask",
        "",
        f"{plain(pipeline.owner)}, {plain(evidence.lab)} (`{evidence.lab_id}`).",
        "",
    ]
    return "\n".join(lines)


def _attribution(evidence: Evidence, heading: str) -> list[str]:
    """Return the section about sources that must be named, nothing where no terms demand it."""
    named = attributions(evidence)
    if not named:
        return []
    demand = "The terms demand that these sources are named wherever the data, or what is made of it, is shown or passed on:"
    return [heading, "", demand, "", *(f"- {plain(line)}" for line in named), ""]


def plain(text: str) -> str:
    """Return foreign text for Markdown: one line, with the characters that Markdown and HTML would act on escaped."""
    escaped = _MARKUP.sub(r"\\\1", " ".join(text.split()))
    return escaped.replace("<", "&lt;").replace(">", "&gt;")


def _front_matter(evidence: Evidence) -> list[str]:
    """Return YAML lines. Strings are written as JSON, which YAML reads as it is."""
    pipeline, release = evidence.pipeline, evidence.pipeline.release
    rows = sum(shard.rows for shard in evidence.shards)
    size = next((name for limit, name in _SIZES if rows < limit), "n>1B")
    files = [f"  - split: {_yaml(split)}\n    path: {_yaml(f'data/{split}/*.parquet')}" for split in _splits(evidence)]
    simple = release.licence.lower() if re.fullmatch(r"[A-Za-z0-9.-]+", release.licence) else "other"
    return [
        f"pretty_name: {_yaml(pipeline.title)}",
        f"license: {_yaml(simple)}",
        *([f"license_name: {_yaml(release.licence)}", "license_link: TERMS.md"] if simple == "other" else []),
        *(["language:", *(f"- {_yaml(code)}" for code in release.languages)] if release.languages else []),
        *(["tags:", *(f"- {_yaml(word)}" for word in release.keywords)] if release.keywords else []),
        f"size_categories:\n- {_yaml(size)}",
        "configs:",
        "- config_name: default",
        "  data_files:",
        *files,
    ]


def _splits(evidence: Evidence) -> dict[str, int]:
    total: dict[str, int] = {}
    for shard in evidence.shards:
        total[shard.split] = total.get(shard.split, 0) + shard.rows
    return total


def _columns(evidence: Evidence) -> list[str]:
    origins = {item["column"]: item for item in evidence.lineage}
    lines: list[str] = []
    for column in evidence.schema:
        origin = origins.get(column["name"], {"inputs": (), "description": "", "masked": False, "kind": ""})
        how = origin["description"] or ("as it came" if origin["kind"] == "IDENTITY" else str(origin["kind"]).lower())
        masked = "removed or hidden" if origin["masked"] else ""
        inputs = ", ".join(_code(name) for name in origin["inputs"])
        lines.append(f"| {_code(column['name'])} | {_code(column['type'])} | {inputs} | {plain(how)} | {masked} |")
    return lines


def _code(name: str) -> str:
    """A name as code in a table cell: no backtick or bar may end it early."""
    return "`" + " ".join(name.split()).replace("`", "'").replace("|", "\\|") + "`"


def _step(step: Any) -> str:
    why = f": {plain(step['why'])}" if step["why"] else ""
    return f"1. {plain(step['name'])}{why}"


def _yaml(value: str) -> str:
    return json.dumps(value, ensure_ascii=False)
