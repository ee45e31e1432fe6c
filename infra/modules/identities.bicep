// Who each app is. Nobody has a password or a key: broker, lake, registry and warehouse know these names.
param location string
param tags object
param token string

resource ingest 'Microsoft.ManagedIdentity/userAssignedIdentities@2024-11-30' = {
  name: 'id-ingest-${token}'
  location: location
  tags: tags
}

resource relay 'Microsoft.ManagedIdentity/userAssignedIdentities@2024-11-30' = {
  name: 'id-relay-${token}'
  location: location
  tags: tags
}

resource build 'Microsoft.ManagedIdentity/userAssignedIdentities@2024-11-30' = {
  name: 'id-build-${token}'
  location: location
  tags: tags
}

resource publish 'Microsoft.ManagedIdentity/userAssignedIdentities@2024-11-30' = {
  name: 'id-publish-${token}'
  location: location
  tags: tags
}

resource serve 'Microsoft.ManagedIdentity/userAssignedIdentities@2024-11-30' = {
  name: 'id-serve-${token}'
  location: location
  tags: tags
}

output ingest object = { id: ingest.id, clientId: ingest.properties.clientId, principalId: ingest.properties.principalId }
output relay object = { id: relay.id, clientId: relay.properties.clientId, principalId: relay.properties.principalId }
output build object = { id: build.id, clientId: build.properties.clientId, principalId: build.properties.principalId }
output publish object = { id: publish.id, clientId: publish.properties.clientId, principalId: publish.properties.principalId, name: publish.name }
output serve object = { id: serve.id, clientId: serve.properties.clientId, principalId: serve.properties.principalId }
