"""From the pipelines folder to Dagster's definitions: assets, checks and one named job per pipeline, and the job ``approve``."""

from __future__ import annotations

import dagster as dg

from datalab.errors import UsageError
from datalab.lab.pipelines import find_pipelines
from datalab.lab.run import find_suite
from datalab.model.pipeline import Pipeline
from datalab.model.settings import Settings
from datalab.orchestration import approval, simpl
from datalab.orchestration.operations import identifier, operations, release_spec
from datalab.orchestration.session import lab_resource


def build_definitions(settings: Settings) -> dg.Definitions:
    """Build the definitions of the lab of ``settings``.

    One broken pipeline file, or one broken suite, stops the whole code location with an error that names file and line. The command line
    does the same: the folder is reviewed and deployed as one, and a lab that silently goes on without one of its pipelines
    is worse than one that says at once which file to mend. ``dg check defs`` finds it before it is deployed.

    Raises:
        UsageError: a file or suite is broken, or two pipelines claim one name.
    """
    assets: list[dg.AssetsDefinition | dg.AssetSpec] = []
    jobs: list[object] = []
    for found in find_pipelines(settings).values():
        pipeline = found.pipeline
        if identifier(pipeline) == approval.JOB:
            raise UsageError(f"a pipeline cannot be named {pipeline.name!r}", where=str(found.path), next="choose another name")
        made = operations(pipeline, find_suite(pipeline, settings))
        assets += [*made, release_spec(pipeline)]
        jobs.append(_job(pipeline, [key for item in made for key in item.keys]))
    lab = lab_resource(settings)
    return dg.Definitions(
        assets=assets,
        jobs=[*jobs, approval.approval_job(lab)],  # type: ignore[list-item]
        resources={"lab": lab},
        executor=dg.in_process_executor,
        # The page has every event; the console of a service is for sentences.
        loggers={"console": dg.colored_console_logger.configured({"log_level": "INFO"})},
    )


def _job(pipeline: Pipeline, keys: list[dg.AssetKey]) -> object:
    """Return the pipeline as a job that others can bind by its name and its ``business_operation``."""
    return dg.define_asset_job(
        identifier(pipeline),
        selection=dg.AssetSelection.assets(*keys),
        description=f"{pipeline.title}: from the source to a candidate and its report.",
        tags=simpl.job_tags(pipeline),
        metadata={
            "owner": pipeline.owner,
            "legal basis": pipeline.legal_basis,
            "run configuration": dg.MetadataValue.md(f"```yaml\n{simpl.RUN_CONFIG}```"),
        },
    )
