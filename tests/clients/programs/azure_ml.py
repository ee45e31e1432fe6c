"""Read the files of cloud/azureml with Azure ML's own library: FOLDER. Prints what it has understood, as JSON."""

import json
import sys
from pathlib import Path

from azure.ai.ml import load_environment, load_job, load_online_deployment, load_online_endpoint
from azure.ai.ml.entities import CronTrigger, RecurrenceTrigger
from azure.ai.ml.entities._load_functions import load_schedule

folder = Path(sys.argv[1])
job = load_job(folder / "train.yaml")
environment = load_environment(folder / "environment.yaml")
schedule = load_schedule(folder / "schedule.yaml", params_override=[{"create_job.inputs.lake": "abfss://said"}])
endpoint = load_online_endpoint(folder / "endpoint.yaml")
deployment = load_online_deployment(folder / "deployment.yaml")
assert isinstance(schedule.trigger, RecurrenceTrigger | CronTrigger)
print(
    json.dumps(
        {
            "command": job.component.command,
            "code": str((folder / job.component.code).resolve()),
            "inputs": job._job_inputs,
            "registers": job._job_outputs["model"].name,
            "registers_as": job._job_outputs["model"].type,
            "environment": job.environment,
            "environment_name": environment.name,
            "conda": environment.conda_file,
            "scheduled_on": schedule.create_job.inputs["lake"]._data,
            "scheduled": schedule.create_job.component.command,
            "endpoint": endpoint.name,
            "deployed_to": deployment.endpoint_name,
            "deployed": deployment.model,
        }
    )
)
