// Spark that runs spark/build.ipynb, and SQL over the lake's tables (synapse.sql). Both sleep while nobody asks.
param location string
param tags object
param token string

@description('Name of the storage account with the container lake.')
param account string

@description('Object id of who administers it.')
param administratorId string
param publicNetworkAccess string

@description('Address of the machine that may come to the door, where there is one; empty for none.')
param yourAddress string

var roles = loadJsonContent('../roles.json')

resource storage 'Microsoft.Storage/storageAccounts@2025-01-01' existing = {
  name: account
}

resource blobs 'Microsoft.Storage/storageAccounts/blobServices@2025-01-01' existing = {
  parent: storage
  name: 'default'
}

resource lake 'Microsoft.Storage/storageAccounts/blobServices/containers@2025-01-01' existing = {
  parent: blobs
  name: 'lake'
}

resource workspace 'Microsoft.Synapse/workspaces@2021-06-01' = {
  // checkov:skip=CKV_AZURE_58: it has one; the rule takes 'default', the only name there is, for none
  // checkov:skip=CKV_AZURE_157: Spark reaches the lake by its public name, with a token of Entra
  // checkov:skip=CKV_AZURE_240: Microsoft's keys encrypt it; a key of our own would be one to lose
  name: 'syn-${token}'
  location: location
  tags: tags
  identity: { type: 'SystemAssigned' }
  properties: {
    azureADOnlyAuthentication: true
    cspWorkspaceAdminProperties: { initialWorkspaceAdminObjectId: administratorId }
    defaultDataLakeStorage: { accountUrl: storage.properties.primaryEndpoints.dfs, filesystem: lake.name }
    managedVirtualNetwork: 'default'
    publicNetworkAccess: publicNetworkAccess
  }
}

// Without a rule not even who administers it gets to the notebooks and to SQL.
resource you 'Microsoft.Synapse/workspaces/firewallRules@2021-06-01' = if (publicNetworkAccess == 'Enabled' && !empty(yourAddress)) {
  parent: workspace
  name: 'you'
  properties: { startIpAddress: yourAddress, endIpAddress: yourAddress }
}

resource pool 'Microsoft.Synapse/workspaces/bigDataPools@2021-06-01' = {
  // checkov:skip=CKV_AZURE_242: isolated compute is for the dearest size of nodes
  parent: workspace
  name: 'spark'
  location: location
  tags: tags
  properties: {
    sparkVersion: '3.5'
    nodeSizeFamily: 'MemoryOptimized'
    nodeSize: 'Small'
    nodeCount: 3
    autoPause: { enabled: true, delayInMinutes: 15 }
    sessionLevelPackagesEnabled: false
    libraryRequirements: { filename: 'requirements.txt', content: loadTextContent('../../cloud/synapse/requirements.txt') }
  }
}

resource write 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(lake.id, workspace.id, roles.storageBlobDataContributor)
  scope: lake
  properties: {
    principalId: workspace.identity.principalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roles.storageBlobDataContributor)
  }
}

output workspace string = workspace.name
output pool string = pool.name
