// Fabric's capacity, the alternative to Synapse. It costs by the hour until you pause it; workspaces are made in Fabric.
param location string
param tags object
param token string
param sku string

@description('Sign-in name of who administers it.')
param administrator string

resource capacity 'Microsoft.Fabric/capacities@2023-11-01' = {
  name: 'fab${token}'
  location: location
  tags: tags
  sku: { name: sku, tier: 'Fabric' }
  properties: { administration: { members: [administrator] } }
}

output capacity string = capacity.name
