#!/bin/sh
# The last step of `azd up`: gives Spark and Azure Machine Learning their work, where there are any. azd hands over what
# infra/main.bicep has put out; it may be run again. Needs `az login`, and Python for the wheel.
set -eu
cd "$(dirname "$0")/.."
export AZURE_EXTENSION_USE_DYNAMIC_INSTALL=yes_without_prompt # `az ml` is an extension

in_azure() { # azd and az may have another subscription in mind
    az "$@" --subscription "$AZURE_SUBSCRIPTION_ID"
}

if [ -n "${SYNAPSE_WORKSPACE:-}" ]; then
    made=$(mktemp -d)
    trap 'rm -r "$made"' EXIT
    "${PYTHON:-python3}" -m pip wheel --quiet --no-deps --wheel-dir "$made" .
    wheel=$(basename "$made"/*.whl)
    if ! in_azure synapse workspace-package show --workspace-name "$SYNAPSE_WORKSPACE" --name "$wheel" >"$made/found" 2>&1; then
        in_azure synapse workspace-package upload --workspace-name "$SYNAPSE_WORKSPACE" --package "$made/$wheel" --output none
    fi
    in_azure synapse spark pool show --workspace-name "$SYNAPSE_WORKSPACE" --resource-group "$AZURE_RESOURCE_GROUP" \
        --name "$SYNAPSE_POOL" --query "customLibraries[].name" --output tsv >"$made/found"
    if ! grep -qxF "$wheel" "$made/found"; then
        echo "after: the pool $SYNAPSE_POOL gets $wheel, which takes some ten minutes"
        in_azure synapse spark pool update --workspace-name "$SYNAPSE_WORKSPACE" --resource-group "$AZURE_RESOURCE_GROUP" \
            --name "$SYNAPSE_POOL" --package-action Add --package "$wheel" --output none
    fi
    for name in build publish; do
        in_azure synapse notebook create --workspace-name "$SYNAPSE_WORKSPACE" --name "coinbase_insights_$name" \
            --file "@spark/$name.ipynb" --spark-pool-name "$SYNAPSE_POOL" --output none
    done
    in_azure synapse pipeline create --workspace-name "$SYNAPSE_WORKSPACE" --name coinbase_insights_hourly \
        --file @cloud/synapse/pipeline.json --output none
    sed -e "s|abfss://[^\"]*|$LAKE|" -e "s|\"POOL\"|\"$SYNAPSE_POOL\"|" \
        -e "s|\"lake\":|\"channel\": \"$CHANNEL\", &|" cloud/synapse/trigger.json >"$made/trigger.json"
    in_azure synapse trigger stop --workspace-name "$SYNAPSE_WORKSPACE" --name coinbase_insights_hourly --output none 2>"$made/found" || true
    in_azure synapse trigger create --workspace-name "$SYNAPSE_WORKSPACE" --name coinbase_insights_hourly \
        --file "@$made/trigger.json" --output none
    in_azure synapse trigger start --workspace-name "$SYNAPSE_WORKSPACE" --name coinbase_insights_hourly --output none
    echo "after: Synapse builds ten minutes past each hour"
fi

if [ -n "${MACHINE_LEARNING_WORKSPACE:-}" ]; then
    set -- --workspace-name "$MACHINE_LEARNING_WORKSPACE" --resource-group "$AZURE_RESOURCE_GROUP" --output none
    in_azure ml environment create --file cloud/azureml/environment.yaml "$@"
    in_azure ml schedule create --file cloud/azureml/schedule.yaml --set "create_job.inputs.lake=$LAKE" "$@"
    echo "after: Azure Machine Learning trains each Sunday; which model answers is for you to say (docs/azure.md)"
fi
