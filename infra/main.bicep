// The whole picture: Coinbase -> ingest -> Event Hubs -> relay -> lake -> engine, models, warehouse, page.
// One module is one system. What costs money by the hour and is not always needed is off until you ask for it.
targetScope = 'subscription'

@description('Names the resource group, and goes into every name.')
@minLength(1)
@maxLength(40)
param environmentName string

@description('The region, such as westeurope.')
param location string

@description('Object id of whoever deploys: may read and write the lake, and administers engine and warehouse.')
param principalId string

@description('What deploys: User or ServicePrincipal.')
param principalType string

@description('The products to follow, with a space between them.')
param products string

@description('What to listen to: a quote each 5 seconds, or each trade. level2 does not fit through the hub.')
@allowed(['ticker_batch', 'ticker'])
param channel string

@description('What a viewer of the page must know; at least 16 characters.')
@secure()
@minLength(16)
param pageToken string

@description('Where budget and alerts write to.')
param operatorEmail string

@description('In the currency of the subscription. It warns and stops nothing.')
param monthlyBudget int

@description('First day of the month in which the budget begins, such as 2026-12-01; never another one later.')
param budgetStart string

@description('Disabled: broker, lake and warehouse are reached from the apps alone. Enabled gives them a door, to which yourAddress may come; without an Entra token nobody gets in either way.')
@allowed(['Enabled', 'Disabled'])
param publicNetworkAccess string

@description('Address of your machine, such as 203.0.113.7, which may come to the doors. Empty for none.')
param yourAddress string = ''

@description('Whether the lake lets every address of the internet come to its door: what Spark, Fabric and Azure Machine Learning need, whose machines have no address that is known before.')
param openLake bool

@description('What makes the tables: a container of ours, or Spark.')
@allowed(['app', 'synapse', 'fabric'])
param engine string

@description('Name of a consumer group for `run --group`: lower-case letters, digits and -. Empty for none.')
@maxLength(40)
param consumerGroup string = ''

@description('Whether to make an Azure Machine Learning workspace, a registry and an endpoint.')
param machineLearning bool

@description('Whether to make a PostgreSQL that publish can fill.')
param warehouse bool

@description('Whether to make a Stream Analytics job: bars of a minute from the broker, without our code.')
param streamAnalytics bool

@description('Sign-in name of whoever deploys, as PostgreSQL and Fabric know people.')
param administratorName string = ''

@description('Size of the App Service plan that all containers share.')
param appSku string

@description('Of each app the image that runs already, as azd remembers it: a deployment of the rest leaves it alone.')
param running object

@description('Size of the Fabric capacity.')
param fabricSku string = 'F2'

@description('Size of the warehouse.')
param warehouseSku string = 'Standard_B1ms'

@description('Copies of the lake: Standard_LRS in one place, Standard_ZRS in three.')
param lakeSku string = 'Standard_LRS'

@description('Goes on everything, beside the name of the environment.')
param tags object = {}

var token = uniqueString(subscription().id, environmentName, location)
var door = warehouse ? [{ name: 'warehouse', id: database.?outputs.id ?? '', part: 'postgresqlServer', zone: 'privatelink.postgres.database.azure.com' }] : []
var workspaces = engine == 'synapse' ? ['${group.id}/providers/Microsoft.Synapse/workspaces/syn-${token}'] : []
var allTags = union(tags, { 'azd-env-name': environmentName })

resource group 'Microsoft.Resources/resourceGroups@2025-04-01' = {
  name: 'rg-${environmentName}'
  location: location
  tags: allTags
}

module identities 'modules/identities.bicep' = {
  name: 'identities'
  scope: group
  params: { location: location, tags: allTags, token: token }
}

module logs 'modules/logs.bicep' = {
  name: 'logs'
  scope: group
  params: { location: location, tags: allTags, token: token }
}

module budget 'modules/budget.bicep' = {
  name: 'budget'
  scope: group
  params: { amount: monthlyBudget, email: operatorEmail, startDate: budgetStart }
}

module images 'modules/images.bicep' = {
  name: 'images'
  scope: group
  params: {
    location: location
    tags: allTags
    token: token
    pullers: [
      identities.outputs.ingest.principalId
      identities.outputs.relay.principalId
      identities.outputs.build.principalId
      identities.outputs.publish.principalId
      identities.outputs.serve.principalId
    ]
  }
}

module broker 'modules/broker.bicep' = {
  name: 'broker'
  scope: group
  params: {
    location: location
    tags: allTags
    token: token
    publicNetworkAccess: publicNetworkAccess
    yourAddress: yourAddress
    sender: identities.outputs.ingest.principalId
    receivers: [identities.outputs.relay.principalId, identities.outputs.serve.principalId]
    person: principalId
    personType: principalType
    consumerGroup: consumerGroup
    logsId: logs.outputs.id
  }
}

module lake 'modules/lake.bicep' = {
  name: 'lake'
  scope: group
  params: {
    location: location
    tags: allTags
    token: token
    sku: lakeSku
    publicNetworkAccess: publicNetworkAccess
    yourAddress: yourAddress
    openLake: openLake
    workspaces: workspaces
    writers: [identities.outputs.relay.principalId, identities.outputs.build.principalId]
    readers: [identities.outputs.publish.principalId, identities.outputs.serve.principalId]
    person: principalId
    personType: principalType
  }
}

module network 'modules/network.bicep' = {
  name: 'network'
  scope: group
  params: {
    location: location
    tags: allTags
    token: token
    targets: concat(door, [
      { name: 'broker', id: broker.outputs.id, part: 'namespace', zone: 'privatelink.servicebus.windows.net' }
      { name: 'lake-dfs', id: lake.outputs.id, part: 'dfs', zone: 'privatelink.dfs.${environment().suffixes.storage}' }
      { name: 'lake-blob', id: lake.outputs.id, part: 'blob', zone: 'privatelink.blob.${environment().suffixes.storage}' }
    ])
  }
}

module apps 'modules/apps.bicep' = {
  name: 'apps'
  scope: group
  params: {
    location: location
    tags: allTags
    token: token
    sku: appSku
    subnetId: network.outputs.appSubnetId
    identities: {
      ingest: identities.outputs.ingest
      relay: identities.outputs.relay
      build: identities.outputs.build
      publish: identities.outputs.publish
      serve: identities.outputs.serve
    }
    running: running
    topic: broker.outputs.topic
    lake: lake.outputs.url
    builds: engine == 'app'
    warehouse: database.?outputs.publisherUrl ?? ''
    products: products
    channel: channel
    pageToken: pageToken
    logsId: logs.outputs.id
  }
}

module alerts 'modules/alerts.bicep' = {
  name: 'alerts'
  scope: group
  params: {
    tags: allTags
    token: token
    email: operatorEmail
    brokerId: broker.outputs.id
    lakeId: lake.outputs.id
    appIds: apps.outputs.ids
  }
}

module synapse 'modules/synapse.bicep' = if (engine == 'synapse') {
  name: 'synapse'
  scope: group
  params: {
    location: location
    tags: allTags
    token: token
    account: lake.outputs.account
    administratorId: principalId
    publicNetworkAccess: publicNetworkAccess
    yourAddress: yourAddress
  }
}

module fabric 'modules/fabric.bicep' = if (engine == 'fabric') {
  name: 'fabric'
  scope: group
  params: { location: location, tags: allTags, token: token, sku: fabricSku, administrator: administratorName }
}

module learning 'modules/learning.bicep' = if (machineLearning) {
  name: 'learning'
  scope: group
  params: {
    location: location
    tags: allTags
    token: token
    account: lake.outputs.account
    logsId: logs.outputs.id
    person: principalId
    personType: principalType
    publicNetworkAccess: publicNetworkAccess
    yourAddress: yourAddress
    openLake: openLake
  }
}

module database 'modules/warehouse.bicep' = if (warehouse) {
  name: 'warehouse'
  scope: group
  params: {
    location: location
    tags: allTags
    token: token
    sku: warehouseSku
    administratorId: principalId
    administratorName: administratorName
    administratorType: principalType
    publisher: identities.outputs.publish
    publicNetworkAccess: publicNetworkAccess
    yourAddress: yourAddress
  }
}

module stream 'modules/stream.bicep' = if (streamAnalytics) {
  name: 'stream'
  scope: group
  params: {
    location: location
    tags: allTags
    token: token
    namespace: broker.outputs.namespace
    account: lake.outputs.account
  }
}

output AZURE_RESOURCE_GROUP string = group.name
output AZURE_CONTAINER_REGISTRY_ENDPOINT string = images.outputs.server
output CHANNEL string = channel
output TOPIC string = broker.outputs.topic
output LAKE string = lake.outputs.url
output PAGE_URL string = apps.outputs.pageUrl
output WAREHOUSE_URL string = database.?outputs.url ?? ''
output SYNAPSE_WORKSPACE string = synapse.?outputs.workspace ?? ''
output FABRIC_CAPACITY string = fabric.?outputs.capacity ?? ''
output SYNAPSE_POOL string = synapse.?outputs.pool ?? ''
output MACHINE_LEARNING_WORKSPACE string = learning.?outputs.workspace ?? ''
output MACHINE_LEARNING_REGISTRY string = learning.?outputs.registry ?? ''
output MACHINE_LEARNING_ENDPOINT string = learning.?outputs.endpoint ?? ''
output STREAM_JOB string = stream.?outputs.job ?? ''
