// A letter when nothing comes in any more, when a container is ill, and when the lake says no.
param tags object
param token string
param email string

@description('Id of the broker.')
param brokerId string

@description('Id of the storage account.')
param lakeId string

@description('Ids of the apps.')
param appIds array

resource people 'Microsoft.Insights/actionGroups@2023-01-01' = {
  name: 'people-${token}'
  location: 'global'
  tags: tags
  properties: {
    groupShortName: 'insights'
    enabled: true
    emailReceivers: [{ name: 'operator', emailAddress: email, useCommonAlertSchema: true }]
  }
}

// A collector that lives sends a line every few seconds, if only that the exchange is away: this is its own silence.
resource silence 'Microsoft.Insights/metricAlerts@2018-03-01' = {
  name: 'silence-${token}'
  location: 'global'
  tags: tags
  properties: {
    description: 'Nothing has come to the hub for five minutes: look at the log of ingest.'
    severity: 1
    enabled: true
    scopes: [brokerId]
    evaluationFrequency: 'PT1M'
    windowSize: 'PT5M'
    criteria: {
      'odata.type': 'Microsoft.Azure.Monitor.SingleResourceMultipleMetricCriteria'
      allOf: [
        {
          criterionType: 'StaticThresholdCriterion'
          name: 'messages'
          metricName: 'IncomingMessages'
          timeAggregation: 'Total'
          operator: 'LessThan'
          threshold: 1
          dimensions: [{ name: 'EntityName', operator: 'Include', values: ['raw'] }]
        }
      ]
    }
    actions: [{ actionGroupId: people.id }]
  }
}

resource illness 'Microsoft.Insights/metricAlerts@2018-03-01' = [for (id, number) in appIds: {
  name: 'illness-${number}-${token}'
  location: 'global'
  tags: tags
  properties: {
    description: 'A container does not answer that it does its work (/readyz): look at its log.'
    severity: 1
    enabled: true
    scopes: [id]
    evaluationFrequency: 'PT1M'
    windowSize: 'PT5M'
    criteria: {
      'odata.type': 'Microsoft.Azure.Monitor.SingleResourceMultipleMetricCriteria'
      allOf: [
        {
          criterionType: 'StaticThresholdCriterion'
          name: 'health'
          metricName: 'HealthCheckStatus'
          timeAggregation: 'Average'
          operator: 'LessThan'
          threshold: 50
        }
      ]
    }
    actions: [{ actionGroupId: people.id }]
  }
}]

resource refusal 'Microsoft.Insights/metricAlerts@2018-03-01' = {
  name: 'refusal-${token}'
  location: 'global'
  tags: tags
  properties: {
    description: 'Less than 99 of 100 requests to the lake were answered: the broker keeps what comes for a week.'
    severity: 2
    enabled: true
    scopes: [lakeId]
    evaluationFrequency: 'PT5M'
    windowSize: 'PT15M'
    criteria: {
      'odata.type': 'Microsoft.Azure.Monitor.SingleResourceMultipleMetricCriteria'
      allOf: [
        {
          criterionType: 'StaticThresholdCriterion'
          name: 'availability'
          metricName: 'Availability'
          timeAggregation: 'Average'
          operator: 'LessThan'
          threshold: 99
        }
      ]
    }
    actions: [{ actionGroupId: people.id }]
  }
}
