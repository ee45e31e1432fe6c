// The containers, on one plan: who collects, who lands in the lake, who makes tables, who publishes them, and who shows.
param location string
param tags object
param token string
param sku string

param subnetId string

@description('Of each app: id and clientId.')
param identities object

@description('Of each app the image that runs already; empty where none does.')
param running object

@description('Address of the broker: kafka://HOST:PORT/TOPIC.')
param topic string

@description('Address of the lake: abfss://...')
param lake string

@description('Whether tables are made here, and not by Spark.')
param builds bool

@description('Address of the warehouse: postgresql://...; empty where there is none.')
param warehouse string

@description('The products, with a space between them.')
param products string

@description('ticker_batch or ticker.')
param channel string

@secure()
param pageToken string
param logsId string

var chosen = '-p ${join(filter(split(products, ' '), each => !empty(each)), ' -p ')}'
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
    enabled: true
    image: running.ingest
    command: 'ingest ${chosen} --channel ${channel} --to ${topic} --journal /home/journal --health-port 8080 --health-host 0.0.0.0'
    healthCheckPath: '/readyz'
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
    enabled: true
    image: running.relay
    command: 'ingest --from ${topic} --to ${lake} --health-port 8080 --health-host 0.0.0.0'
    healthCheckPath: '/readyz'
    publicNetworkAccess: 'Disabled'
  }
}

module build 'app.bicep' = {
  name: 'build'
  params: {
    name: 'app-build-${token}'
    service: 'build'
    common: plain
    identity: identities.build
    enabled: builds
    image: running.build
    command: 'build ${lake} --channel ${channel} --every 15m --health-port 8080 --health-host 0.0.0.0'
    healthCheckPath: '/readyz'
    publicNetworkAccess: 'Disabled'
  }
}

module publish 'app.bicep' = {
  name: 'publish'
  params: {
    name: 'app-publish-${token}'
    service: 'publish'
    common: plain
    identity: identities.publish
    enabled: !empty(warehouse)
    image: running.publish
    command: 'publish ${lake} --to ${empty(warehouse) ? 'duckdb:///none' : warehouse} --every 15m --health-port 8080 --health-host 0.0.0.0'
    healthCheckPath: '/readyz'
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
    enabled: true
    image: running.serve
    command: 'serve ${chosen} --channel ${channel} --from ${topic} --lake ${lake} --host 0.0.0.0 --port 8080 --name ${page}.azurewebsites.net'
    healthCheckPath: '/readyz'
    publicNetworkAccess: 'Enabled'
    secrets: { COINBASE_INSIGHTS_TOKEN: pageToken }
  }
}

@description('Of those that run.')
output ids array = concat(
  [ingest.outputs.id, relay.outputs.id, serve.outputs.id],
  builds ? [build.outputs.id] : [],
  empty(warehouse) ? [] : [publish.outputs.id]
)
output pageUrl string = 'https://${serve.outputs.host}/'
