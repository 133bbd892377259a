"""The job ``approve``: a named person turns a candidate into a release, from Dagster's page as from the command line."""

from __future__ import annotations

import dagster as dg

from datalab.lab.release import approve as approve_candidate
from datalab.orchestration.failures import told_plainly
from datalab.orchestration.session import session_of, spelled_out

JOB = "approve"


def approval_job(lab: dg.ResourceDefinition) -> dg.JobDefinition:
    """Return the job. Its run configuration is ``pipeline``, ``approver`` and ``note``."""
    fields = {
        "pipeline": dg.Field(str, description="The candidate: NAME (the newest) or NAME@DIGEST."),
        "approver": dg.Field(str, description="Who approves: a person and role."),
        "note": dg.Field(str, default_value="", description="What the approval rests on; it is kept in the ledger."),
    }

    @dg.op(
        name="approval",
        description="Turn a candidate into a release in the name of a person.",
        required_resource_keys={"lab"},
        out=dg.Out(dg.Nothing),
        config_schema=fields,
    )
    @spelled_out
    def approve(context: dg.OpExecutionContext) -> None:
        session = session_of(context)
        config = context.op_config
        with told_plainly(context):
            folder, manifest = approve_candidate(session.lab, config["pipeline"], actor=config["approver"], note=config["note"])
        context.log_event(
            dg.AssetMaterialization(
                asset_key=[manifest.name, "release"],
                description=f"{manifest.name}@{manifest.version}, approved by {config['approver']}",
                metadata={
                    "version": manifest.version,
                    "approver": config["approver"],
                    "dagster/row_count": sum(manifest.splits.values()),
                    "digest": manifest.digest,
                    "folder": dg.MetadataValue.path(str(folder)),
                    "report": dg.MetadataValue.path(str(folder / "governance" / "report.html")),
                },
                tags={"dagster/data_version": manifest.digest},
            )
        )

    @dg.job(
        name=JOB,
        description="A named person turns a candidate into a numbered release.",
        resource_defs={"lab": lab},
        executor_def=dg.in_process_executor,
        config=dg.ConfigMapping(lambda config: {"ops": {"approval": {"config": config}}}, config_schema=fields),
    )
    def job() -> None:
        approve()

    return job
