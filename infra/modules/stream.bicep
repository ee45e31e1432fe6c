// Stream Analytics: bars of a minute straight from the broker (stream.sql), into a container of their own.
// The job is made and not started, for it costs by the hour; the figures of our own code are in the lake.
param location string
param tags object
param token string

@description('Name of the broker, with the hub raw.')
param namespace string

@description('Name of the storage account.')
param account string

var roles = loadJsonContent('../roles.json')

resource broker 'Microsoft.EventHub/namespaces@2024-01-01' existing = {
  name: namespace
}

resource raw 'Microsoft.EventHub/namespaces/eventhubs@2024-01-01' existing = {
  parent: broker
  name: 'raw'
}

resource storage 'Microsoft.Storage/storageAccounts@2025-01-01' existing = {
  name: account
}

resource blobs 'Microsoft.Storage/storageAccounts/blobServices@2025-01-01' existing = {
  parent: storage
  name: 'default'
}

resource group 'Microsoft.EventHub/namespaces/eventhubs/consumergroups@2024-01-01' = {
  parent: raw
  name: 'stream'
}

resource hot 'Microsoft.Storage/storageAccounts/blobServices/containers@2025-01-01' = {
  parent: blobs
  name: 'hot'
  properties: { publicAccess: 'None' }
}

resource job 'Microsoft.StreamAnalytics/streamingjobs@2020-03-01' = {
  name: 'asa-${token}'
  location: location
  tags: tags
  identity: { type: 'SystemAssigned' }
  properties: {
    sku: { name: 'Standard' }
    compatibilityLevel: '1.2'
    // Lines about the connection are no JSON: they are passed over.
    outputErrorPolicy: 'Drop'
    eventsOutOfOrderPolicy: 'Adjust'
    eventsOutOfOrderMaxDelayInSeconds: 0
    eventsLateArrivalMaxDelayInSeconds: 5
    inputs: [
      {
        name: 'raw'
        properties: {
          type: 'Stream'
          datasource: {
            type: 'Microsoft.EventHub/EventHub'
            properties: {
              serviceBusNamespace: broker.name
              eventHubName: raw.name
              consumerGroupName: group.name
              authenticationMode: 'Msi'
            }
          }
          serialization: { type: 'Json', properties: { encoding: 'UTF8' } }
        }
      }
    ]
    outputs: [
      {
        name: 'bars'
        properties: {
          datasource: {
            type: 'Microsoft.Storage/Blob'
            properties: {
              storageAccounts: [{ accountName: storage.name }]
              container: hot.name
              pathPattern: 'bars/{date}'
              dateFormat: 'yyyy-MM-dd'
              authenticationMode: 'Msi'
            }
          }
          serialization: { type: 'Json', properties: { encoding: 'UTF8', format: 'LineSeparated' } }
        }
      }
    ]
    transformation: { name: 'bars', properties: { streamingUnits: 1, query: loadTextContent('../stream.sql') } }
  }
}

resource receive 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(raw.id, job.id, roles.eventHubsDataReceiver)
  scope: raw
  properties: {
    principalId: job.identity.principalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roles.eventHubsDataReceiver)
  }
}

resource write 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(hot.id, job.id, roles.storageBlobDataContributor)
  scope: hot
  properties: {
    principalId: job.identity.principalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roles.storageBlobDataContributor)
  }
}

output job string = job.name
