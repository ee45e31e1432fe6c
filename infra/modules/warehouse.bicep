// PostgreSQL for analysts, filled by `publish`. All sign in with Entra; there are no passwords.
param location string
param tags object
param token string
param sku string

@description('Object id of who administers it.')
param administratorId string

@description('Sign-in name of the same person.')
param administratorName string

@description('User or ServicePrincipal.')
param administratorType string

@description('The app that fills it: name and principalId.')
param publisher object
param publicNetworkAccess string

@description('Address of the machine that may come to the door, where there is one; empty for none.')
param yourAddress string

resource server 'Microsoft.DBforPostgreSQL/flexibleServers@2024-08-01' = {
  name: 'psql-${token}'
  location: location
  tags: tags
  sku: { name: sku, tier: startsWith(sku, 'Standard_B') ? 'Burstable' : 'GeneralPurpose' }
  properties: {
    version: '16'
    authConfig: { activeDirectoryAuth: 'Enabled', passwordAuth: 'Disabled', tenantId: subscription().tenantId }
    storage: { storageSizeGB: 32, autoGrow: 'Enabled' }
    backup: { backupRetentionDays: 7, geoRedundantBackup: 'Disabled' }
    network: { publicNetworkAccess: publicNetworkAccess }
  }
}

resource database 'Microsoft.DBforPostgreSQL/flexibleServers/databases@2024-08-01' = {
  parent: server
  name: 'market'
  properties: { charset: 'UTF8', collation: 'en_US.utf8' }
}

resource administrator 'Microsoft.DBforPostgreSQL/flexibleServers/administrators@2024-08-01' = {
  parent: server
  name: administratorId
  dependsOn: [database]
  properties: { principalName: administratorName, principalType: administratorType, tenantId: subscription().tenantId }
}

// Only an administrator can be let in from outside; the server holds nothing but what this one publishes.
resource filler 'Microsoft.DBforPostgreSQL/flexibleServers/administrators@2024-08-01' = {
  parent: server
  name: publisher.principalId
  dependsOn: [administrator]
  properties: { principalName: publisher.name, principalType: 'ServicePrincipal', tenantId: subscription().tenantId }
}

// Where there is a door, you alone may come to it; who you are is asked inside. `publish` has its own way in.
resource you 'Microsoft.DBforPostgreSQL/flexibleServers/firewallRules@2024-08-01' = if (publicNetworkAccess == 'Enabled' && !empty(yourAddress)) {
  parent: server
  name: 'you'
  dependsOn: [filler]
  properties: { startIpAddress: yourAddress, endIpAddress: yourAddress }
}

output id string = server.id
output url string = 'postgresql://${uriComponent(administratorName)}@${server.properties.fullyQualifiedDomainName}/${database.name}'
output publisherUrl string = 'postgresql://${publisher.name}@${server.properties.fullyQualifiedDomainName}/${database.name}'
