// Event Hubs, which speaks Kafka: a week of messages in one order, between the collector and the lake.
param location string
param tags object
param token string
param publicNetworkAccess string

@description('Principal id of who may send.')
param sender string

@description('Principal ids of who may receive.')
param receivers array
param logsId string

var roles = loadJsonContent('../roles.json')

resource namespace 'Microsoft.EventHub/namespaces@2024-01-01' = {
  name: 'evhns-${token}'
  location: location
  tags: tags
  sku: { name: 'Standard', tier: 'Standard', capacity: 1 }
  properties: {
    disableLocalAuth: true
    minimumTlsVersion: '1.2'
    publicNetworkAccess: publicNetworkAccess
    zoneRedundant: true
  }
}

// One partition: the order over all products is kept, and a connection and its gaps are of all of them.
resource raw 'Microsoft.EventHub/namespaces/eventhubs@2024-01-01' = {
  parent: namespace
  name: 'raw'
  properties: {
    partitionCount: 1
    retentionDescription: { cleanupPolicy: 'Delete', retentionTimeInHours: 168 }
  }
}

resource group 'Microsoft.EventHub/namespaces/eventhubs/consumergroups@2024-01-01' = {
  parent: raw
  name: 'lake'
}

resource send 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(raw.id, sender, roles.eventHubsDataSender)
  scope: raw
  properties: {
    principalId: sender
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roles.eventHubsDataSender)
  }
}

// The collector looks where the topic ends, so that it sends nothing twice: it receives too.
resource receive 'Microsoft.Authorization/roleAssignments@2022-04-01' = [for id in concat([sender], receivers): {
  name: guid(raw.id, id, roles.eventHubsDataReceiver)
  scope: raw
  properties: {
    principalId: id
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roles.eventHubsDataReceiver)
  }
}]

resource diagnostics 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = {
  name: 'logs'
  scope: namespace
  properties: {
    workspaceId: logsId
    logs: [{ category: 'OperationalLogs', enabled: true }, { category: 'KafkaUserErrorLogs', enabled: true }]
  }
}

output id string = namespace.id
output namespace string = namespace.name
output topic string = 'kafka://${namespace.name}.servicebus.windows.net:9093/${raw.name}'
