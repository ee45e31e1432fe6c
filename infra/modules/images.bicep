// The registry of the container's image; the apps may pull, and nothing else.
param location string
param tags object
param token string

@description('Principal ids of the apps.')
param pullers array

var roles = loadJsonContent('../roles.json')

resource images 'Microsoft.ContainerRegistry/registries@2025-04-01' = {
  // checkov:skip=CKV_AZURE_139: a private registry costs ten times as much; without a token of Entra nobody pulls or pushes
  // checkov:skip=CKV_AZURE_163: a service of its own, Microsoft Defender, which the subscription's owner turns on
  // checkov:skip=CKV_AZURE_166: needs the dearest registry
  name: 'cr${token}'
  location: location
  tags: tags
  sku: { name: 'Basic' }
  properties: { adminUserEnabled: false, anonymousPullEnabled: false }
}

resource pull 'Microsoft.Authorization/roleAssignments@2022-04-01' = [for puller in pullers: {
  name: guid(images.id, puller, roles.acrPull)
  scope: images
  properties: {
    principalId: puller
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roles.acrPull)
  }
}]

output server string = images.properties.loginServer
