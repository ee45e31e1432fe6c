// Azure Machine Learning: what `train` wrote is registered here, and answers at an endpoint.
// A workspace demands a Key Vault and a storage account of its own; nothing of ours is in either.
param location string
param tags object
param token string

@description('Name of the storage account with the container lake.')
param account string
param logsId string

@description('Object id of the person who sends training jobs, whose code goes through the scratch.')
param person string

@description('User or ServicePrincipal.')
param personType string

@description('Size of the machine that trains.')
param computeSize string = 'Standard_DS3_v2'
param publicNetworkAccess string

@description('Address of the machine that may come to the door of the scratch, where there is one; empty for none.')
param yourAddress string

@description('Whether every address of the internet may come to that door.')
param openLake bool

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

resource vault 'Microsoft.KeyVault/vaults@2024-11-01' = {
  // checkov:skip=CKV_AZURE_189: follows publicNetworkAccess
  name: 'kv-${token}'
  location: location
  tags: tags
  properties: {
    tenantId: subscription().tenantId
    sku: { family: 'A', name: 'standard' }
    enableRbacAuthorization: true
    enableSoftDelete: true
    enablePurgeProtection: true
    softDeleteRetentionInDays: 7
    publicNetworkAccess: publicNetworkAccess
    networkAcls: { defaultAction: 'Deny', bypass: 'AzureServices' }
  }
}

resource scratch 'Microsoft.Storage/storageAccounts@2025-01-01' = {
  // checkov:skip=CKV_AZURE_35: follows openLake, which is off
  // checkov:skip=CKV_AZURE_43: the name is right: letters and digits, 24 at most
  // checkov:skip=CKV_AZURE_206: what is in it can be made again
  name: 'stml${token}'
  location: location
  tags: tags
  sku: { name: 'Standard_LRS' }
  kind: 'StorageV2'
  properties: {
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
    }
  }
}

resource insights 'Microsoft.Insights/components@2020-02-02' = {
  name: 'appi-${token}'
  location: location
  tags: tags
  kind: 'web'
  properties: { Application_Type: 'web', WorkspaceResourceId: logsId, DisableLocalAuth: true }
}

resource workspace 'Microsoft.MachineLearningServices/workspaces@2025-06-01' = {
  // checkov:skip=CKV_AZURE_243: follows publicNetworkAccess
  name: 'mlw-${token}'
  location: location
  tags: tags
  identity: { type: 'SystemAssigned' }
  properties: {
    keyVault: vault.id
    storageAccount: scratch.id
    applicationInsights: insights.id
    systemDatastoresAuthMode: 'Identity'
    publicNetworkAccess: publicNetworkAccess
    managedNetwork: { isolationMode: 'AllowInternetOutbound' }
  }
}

// What train.yaml asks for: no node runs while nothing is trained.
resource compute 'Microsoft.MachineLearningServices/workspaces/computes@2025-06-01' = {
  parent: workspace
  name: 'cpu'
  location: location
  tags: tags
  identity: { type: 'SystemAssigned' }
  properties: {
    computeType: 'AmlCompute'
    disableLocalAuth: true
    properties: {
      osType: 'Linux'
      vmSize: computeSize
      remoteLoginPortPublicAccess: 'Disabled'
      scaleSettings: { minNodeCount: 0, maxNodeCount: 1, nodeIdleTimeBeforeScaleDown: 'PT5M' }
    }
  }
}

resource registry 'Microsoft.MachineLearningServices/registries@2025-06-01' = {
  name: 'mlr-${token}'
  location: location
  tags: tags
  identity: { type: 'SystemAssigned' }
  properties: {
    publicNetworkAccess: publicNetworkAccess
    regionDetails: [
      {
        location: location
        acrDetails: [{ systemCreatedAcrAccount: { acrAccountSku: 'Premium' } }]
        storageAccountDetails: [
          { systemCreatedStorageAccount: { storageAccountType: 'Standard_LRS', allowBlobPublicAccess: false, storageAccountHnsEnabled: false } }
        ]
      }
    ]
  }
}

// Azure itself lets its identity read the scratch, where whoever deploys may assign roles; a second assignment of
// the same role would be refused (learn.microsoft.com/azure/machine-learning/concept-endpoints-online-auth).
resource endpoint 'Microsoft.MachineLearningServices/workspaces/onlineEndpoints@2025-06-01' = {
  parent: workspace
  name: 'forecast-${token}'
  location: location
  tags: tags
  identity: { type: 'SystemAssigned' }
  properties: { authMode: 'AADToken', publicNetworkAccess: publicNetworkAccess }
}

// `train` reads quotes and leaves the model in the lake; the registry gets the same folder by way of the scratch.
resource learn 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(lake.id, compute.id, roles.storageBlobDataContributor)
  scope: lake
  properties: {
    principalId: compute.identity.principalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roles.storageBlobDataContributor)
  }
}

resource leave 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(scratch.id, compute.id, roles.storageBlobDataContributor)
  scope: scratch
  properties: {
    principalId: compute.identity.principalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roles.storageBlobDataContributor)
  }
}

resource send 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(scratch.id, person, roles.storageBlobDataContributor)
  scope: scratch
  properties: {
    principalId: person
    principalType: personType
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roles.storageBlobDataContributor)
  }
}

output workspace string = workspace.name
output registry string = registry.name
output endpoint string = endpoint.name
