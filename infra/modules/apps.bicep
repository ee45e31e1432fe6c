// The three containers, on one plan: who collects, who lands in the lake, and who shows.
param location string
param tags object
param token string
param sku string

param subnetId string

@description('Of ingest, relay and serve: id, clientId, principalId.')
param identities object

@description('Address of the broker: kafka://HOST:PORT/TOPIC.')
param topic string

@description('Address of the lake: abfss://...')
param lake string

@description('The products, with a space between them.')
param products string

@secure()
param pageToken string
param logsId string

var chosen = '-p ${join(split(products, ' '), ' -p ')}'
var page = 'app-serve-${token}'
var plain = {
  location: location
  tags: tags
  planId: plan.id
  subnetId: subnetId
  logsId: logsId
}

// One instance: a second one would publish the feed twice.
resource plan 'Microsoft.Web/serverfarms@2024-11-01' = {
  // checkov:skip=CKV_AZURE_225: one instance is in one zone
  name: 'plan-${token}'
  location: location
  tags: tags
  kind: 'linux'
  sku: { name: sku, capacity: 1 }
  properties: { reserved: true }
}

module ingest 'app.bicep' = {
  name: 'ingest'
  params: {
    name: 'app-ingest-${token}'
    service: 'ingest'
    common: plain
    identity: identities.ingest
    command: 'ingest ${chosen} --to ${topic} --journal /home/journal --health-port 8080 --health-host 0.0.0.0'
    healthCheckPath: '/healthz'
    publicNetworkAccess: 'Disabled'
  }
}

module relay 'app.bicep' = {
  name: 'relay'
  params: {
    name: 'app-relay-${token}'
    service: 'relay'
    common: plain
    identity: identities.relay
    command: 'ingest --from ${topic} --to ${lake} --health-port 8080 --health-host 0.0.0.0'
    healthCheckPath: '/healthz'
    publicNetworkAccess: 'Disabled'
  }
}

module serve 'app.bicep' = {
  name: 'serve'
  params: {
    name: page
    service: 'serve'
    common: plain
    identity: identities.serve
    command: 'serve ${chosen} --from ${topic} --lake ${lake} --host 0.0.0.0 --port 8080 --name ${page}.azurewebsites.net'
    healthCheckPath: '/readyz'
    publicNetworkAccess: 'Enabled'
    secrets: { COINBASE_INSIGHTS_TOKEN: pageToken }
  }
}

output ids array = [ingest.outputs.id, relay.outputs.id, serve.outputs.id]
output pageUrl string = 'https://${serve.outputs.host}/'
