"""Which field of a record is which column of the lake, by names alone: what every reader of either needs. Loads no library."""

from __future__ import annotations

TEXTS = {
    "eventversion": "eventVersion",
    "eventsource": "eventSource",
    "eventname": "eventName",
    "awsregion": "awsRegion",
    "sourceipaddress": "sourceIPAddress",
    "useragent": "userAgent",
    "errorcode": "errorCode",
    "errormessage": "errorMessage",
    "requestid": "requestID",
    "eventtype": "eventType",
    "apiversion": "apiVersion",
    "recipientaccountid": "recipientAccountId",
    "sharedeventid": "sharedEventID",
    "annotation": "annotation",
    "vpcendpointid": "vpcEndpointId",
    "vpcendpointaccountid": "vpcEndpointAccountId",
    "eventcategory": "eventCategory",
    "sessioncredentialfromconsole": "sessionCredentialFromConsole",
}
BOOLEANS = {"readonly": "readOnly", "managementevent": "managementEvent"}
MAPS = {
    "requestparameters": "requestParameters",
    "responseelements": "responseElements",
    "additionaleventdata": "additionalEventData",
    "serviceeventdetails": "serviceEventDetails",
    "addendum": "addendum",
    "edgedevicedetails": "edgeDeviceDetails",
    "insightdetails": "insightDetails",
}
STRUCTS = {"useridentity": "userIdentity", "tlsdetails": "tlsDetails", "resources": "resources"}
MAP_COLUMNS = frozenset(MAPS)
FIELD_OF_COLUMN = TEXTS | BOOLEANS | MAPS | STRUCTS
"""Column -> the field of a record. A typed record has these fields in this order, and two more behind them."""
IDENTITY_FIELDS = {  # the columns' lower-case names -> as the records write them, where that is not the same
    "principalid": "principalId",
    "accountid": "accountId",
    "accesskeyid": "accessKeyId",
    "username": "userName",
    "sessioncontext": "sessionContext",
    "creationdate": "creationDate",
    "mfaauthenticated": "mfaAuthenticated",
    "sessionissuer": "sessionIssuer",
    "webidfederationdata": "webIdFederationData",
    "federatedprovider": "federatedProvider",
    "sourceidentity": "sourceIdentity",
    "ec2roledelivery": "ec2RoleDelivery",
    "ec2issuedinvpc": "ec2IssuedInVpc",
    "onbehalfof": "onBehalfOf",
    "userid": "userId",
    "identitystorearn": "identityStoreArn",
    "inscopeof": "inScopeOf",
    "sourcearn": "sourceArn",
    "sourceaccount": "sourceAccount",
    "issuertype": "issuerType",
    "credentialsissuedto": "credentialsIssuedTo",
    "invokedby": "invokedBy",
    "identityprovider": "identityProvider",
    "tlsversion": "tlsVersion",
    "ciphersuite": "cipherSuite",
    "clientprovidedhostheader": "clientProvidedHostHeader",
}
RESOURCE_FIELDS = {"accountid": "accountId", "type": "type", "arn": "ARN", "arnprefix": "ARNPrefix"}
