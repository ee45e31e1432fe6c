// Event Hubs, which speaks Kafka: a week of messages in one order, between the collector and the lake.
param location string
param tags object
param token string
param publicNetworkAccess string

@description('Address of the machine that may come to the door, where there is one; empty for none, and then there is no door.')
param yourAddress string

@description('Principal id of the app that sends.')
param sender string

@description('Principal ids of the apps that receive.')
param receivers array

@description('Object id of the person who may receive, and share products in the consumer group.')
param person string

@description('User or ServicePrincipal.')
param personType string

@description('Name of a group of `run --group`, which needs a hub of its own; empty for none.')
param consumerGroup string
param logsId string

// Azure lets everybody come to a hub that has a door and names nobody.
var door = empty(yourAddress) ? 'Disabled' : publicNetworkAccess
var roles = loadJsonContent('../roles.json')
// The collector looks where the topic ends, so that it sends nothing twice: it receives too.
var grants = concat(
  map(concat([sender], receivers), id => { id: id, kind: 'ServicePrincipal', role: roles.eventHubsDataReceiver }),
  [
    { id: sender, kind: 'ServicePrincipal', role: roles.eventHubsDataSender }
    { id: person, kind: personType, role: roles.eventHubsDataReceiver }
  ]
)

resource namespace 'Microsoft.EventHub/namespaces@2024-01-01' = {
  name: 'evhns-${token}'
  location: location
  tags: tags
  sku: { name: 'Standard', tier: 'Standard', capacity: 1 }
  properties: {
    disableLocalAuth: true
    minimumTlsVersion: '1.2'
    publicNetworkAccess: door
    zoneRedundant: true
  }
}

// You may come, and what Azure itself runs for this subscription, such as Stream Analytics. It waits for the hubs, so that
// the namespace is not changed from two sides.
resource callers 'Microsoft.EventHub/namespaces/networkRuleSets@2024-01-01' = if (door == 'Enabled') {
  parent: namespace
  dependsOn: [raw, shares]
  name: 'default'
  properties: {
    publicNetworkAccess: door
    defaultAction: 'Deny'
    trustedServiceAccessEnabled: true
    ipRules: [{ ipMask: yourAddress, action: 'Allow' }]
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

resource grant 'Microsoft.Authorization/roleAssignments@2022-04-01' = [for each in grants: {
  name: guid(raw.id, each.id, each.role)
  scope: raw
  properties: {
    principalId: each.id
    principalType: each.kind
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', each.role)
  }
}]

// What the members of the group know of its shares: as many partitions as there will ever be members.
resource shares 'Microsoft.EventHub/namespaces/eventhubs@2024-01-01' = if (!empty(consumerGroup)) {
  parent: namespace
  name: '${raw.name}.${consumerGroup}'
  properties: {
    partitionCount: 16
    retentionDescription: { cleanupPolicy: 'Delete', retentionTimeInHours: 24 }
  }
}

resource share 'Microsoft.Authorization/roleAssignments@2022-04-01' = [for role in empty(consumerGroup) ? [] : [roles.eventHubsDataSender, roles.eventHubsDataReceiver]: {
  name: guid(shares.id, person, role)
  scope: shares
  properties: {
    principalId: person
    principalType: personType
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', role)
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
