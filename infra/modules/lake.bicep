// The lake: Data Lake Storage Gen2, one container of Delta tables. No account key opens it.
param location string
param tags object
param token string
param sku string
param publicNetworkAccess string

@description('Address of the machine that may come to the door, where there is one; empty for none.')
param yourAddress string

@description('Whether every address of the internet may come to the door, where there is one.')
param openLake bool

@description('Ids of the workspaces of Synapse, whose SQL comes to the door with the identity of its workspace.')
param workspaces array

@description('Principal ids of the apps that write.')
param writers array

@description('Principal ids of the apps that read.')
param readers array

@description('Object id of the person who may do both.')
param person string

@description('User or ServicePrincipal.')
param personType string

var roles = loadJsonContent('../roles.json')
var grants = concat(
  map(writers, id => { id: id, kind: 'ServicePrincipal', role: roles.storageBlobDataContributor }),
  map(readers, id => { id: id, kind: 'ServicePrincipal', role: roles.storageBlobDataReader }),
  [{ id: person, kind: personType, role: roles.storageBlobDataContributor }]
)

resource account 'Microsoft.Storage/storageAccounts@2025-01-01' = {
  // checkov:skip=CKV_AZURE_35: follows openLake, which is off
  // checkov:skip=CKV_AZURE_43: the name is right: letters and digits, 24 at most
  // checkov:skip=CKV_AZURE_206: a parameter
  name: 'st${token}'
  location: location
  tags: tags
  sku: { name: sku }
  kind: 'StorageV2'
  properties: {
    isHnsEnabled: true
    minimumTlsVersion: 'TLS1_2'
    supportsHttpsTrafficOnly: true
    allowSharedKeyAccess: false
    allowBlobPublicAccess: false
    allowCrossTenantReplication: false
    isLocalUserEnabled: false
    publicNetworkAccess: publicNetworkAccess
    networkAcls: {
      defaultAction: openLake ? 'Allow' : 'Deny'
      bypass: 'AzureServices'
      ipRules: empty(yourAddress) ? [] : [{ value: yourAddress, action: 'Allow' }]
      resourceAccessRules: [for id in workspaces: { tenantId: subscription().tenantId, resourceId: id }]
    }
  }
}

resource blobs 'Microsoft.Storage/storageAccounts/blobServices@2025-01-01' = {
  parent: account
  name: 'default'
  properties: {
    deleteRetentionPolicy: { enabled: true, days: 7 }
    containerDeleteRetentionPolicy: { enabled: true, days: 7 }
  }
}

resource lake 'Microsoft.Storage/storageAccounts/blobServices/containers@2025-01-01' = {
  parent: blobs
  name: 'lake'
  properties: { publicAccess: 'None' }
}

resource grant 'Microsoft.Authorization/roleAssignments@2022-04-01' = [for each in grants: {
  name: guid(lake.id, each.id, each.role)
  scope: lake
  properties: {
    principalId: each.id
    principalType: each.kind
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', each.role)
  }
}]

output id string = account.id
output account string = account.name
// A folder of its own: Synapse keeps its own things beside it.
output url string = 'abfss://${lake.name}@${account.name}.dfs.${environment().suffixes.storage}/coinbase'
