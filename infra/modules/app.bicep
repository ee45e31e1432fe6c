// One container on App Service. `command` is what follows the image's entrypoint, coinbase_insights.
param name string

@description('The service of azure.yaml that this is.')
param service string

@description('Of all apps: location, tags, planId, subnetId, logsId.')
param common object

@description('Who it is: id and clientId.')
param identity object
param command string
param healthCheckPath string
param publicNetworkAccess string

@description('Whether it runs at all.')
param enabled bool

@description('The image that runs already; empty before the first `azd deploy`, which names it.')
param image string

@description('Settings that nobody may read.')
@secure()
param secrets object = {}

// The journal is in /home, which outlives the container; one process has it at a time, so an old container ends before the
// new one begins. After SIGTERM it has 30 s to end.
var settings = {
  AZURE_CLIENT_ID: identity.clientId
  WEBSITE_DISABLE_OVERLAPPED_RECYCLING: '1'
  WEBSITES_PORT: '8080'
  WEBSITES_CONTAINER_STOP_TIME_LIMIT: '30'
  WEBSITES_ENABLE_APP_SERVICE_STORAGE: 'true'
}

resource app 'Microsoft.Web/sites@2024-11-01' = {
  // checkov:skip=CKV_AZURE_17: who looks has a token, and no certificate
  // checkov:skip=CKV_AZURE_212: one instance; a second one would publish the feed twice
  // checkov:skip=CKV_AZURE_222: a parameter; only the page is open, and asks for its token
  name: name
  location: common.location
  tags: union(common.tags, { 'azd-service-name': service })
  kind: 'app,linux,container'
  identity: { type: 'UserAssigned', userAssignedIdentities: { '${identity.id}': {} } }
  properties: {
    enabled: enabled
    serverFarmId: common.planId
    reserved: true
    httpsOnly: true
    clientAffinityEnabled: false
    publicNetworkAccess: publicNetworkAccess
    virtualNetworkSubnetId: common.subnetId
    siteConfig: {
      linuxFxVersion: 'DOCKER|${empty(image) ? 'mcr.microsoft.com/appsvc/staticsite:latest' : image}'
      appCommandLine: command
      acrUseManagedIdentityCreds: true
      acrUserManagedIdentityID: identity.clientId
      alwaysOn: true
      numberOfWorkers: 1
      healthCheckPath: healthCheckPath
      minTlsVersion: '1.2'
      scmMinTlsVersion: '1.2'
      ftpsState: 'Disabled'
      http20Enabled: true
      vnetRouteAllEnabled: true
      appSettings: [for each in items(union(settings, secrets)): { name: each.key, value: each.value }]
    }
  }
}

resource passwords 'Microsoft.Web/sites/basicPublishingCredentialsPolicies@2024-11-01' = [for way in ['ftp', 'scm']: {
  parent: app
  name: way
  properties: { allow: false }
}]

resource diagnostics 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = {
  name: 'logs'
  scope: app
  properties: {
    workspaceId: common.logsId
    logs: [{ category: 'AppServiceConsoleLogs', enabled: true }, { category: 'AppServicePlatformLogs', enabled: true }]
  }
}

output id string = app.id
output host string = app.properties.defaultHostName
