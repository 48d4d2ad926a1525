CREATE DATABASE IF NOT EXISTS `crosstrail`;

DROP TABLE IF EXISTS `crosstrail`.`cloudtrail_logs`;

CREATE EXTERNAL TABLE `crosstrail`.`cloudtrail_logs` (
  `eventversion` string,
  `useridentity` struct<type:string,principalid:string,arn:string,accountid:string,accesskeyid:string,username:string,sessioncontext:struct<attributes:struct<creationdate:string,mfaauthenticated:string>,sessionissuer:struct<type:string,principalid:string,arn:string,accountid:string,username:string>,webidfederationdata:struct<federatedprovider:string,attributes:map<string,string>>,sourceidentity:string,ec2roledelivery:string,ec2issuedinvpc:string>,onbehalfof:struct<userid:string,identitystorearn:string>,inscopeof:struct<sourcearn:string,sourceaccount:string,issuertype:string,credentialsissuedto:string>,invokedby:string,identityprovider:string>,
  `eventtime` string,
  `eventsource` string,
  `eventname` string,
  `awsregion` string,
  `sourceipaddress` string,
  `useragent` string,
  `errorcode` string,
  `errormessage` string,
  `requestparameters` string,
  `responseelements` string,
  `additionaleventdata` string,
  `requestid` string,
  `eventid` string,
  `readonly` string,
  `resources` array<struct<accountid:string,type:string,arn:string,arnprefix:string>>,
  `eventtype` string,
  `apiversion` string,
  `managementevent` string,
  `recipientaccountid` string,
  `sharedeventid` string,
  `annotation` string,
  `vpcendpointid` string,
  `vpcendpointaccountid` string,
  `serviceeventdetails` string,
  `addendum` string,
  `edgedevicedetails` string,
  `insightdetails` string,
  `eventcategory` string,
  `tlsdetails` struct<tlsversion:string,ciphersuite:string,clientprovidedhostheader:string>,
  `sessioncredentialfromconsole` string
)
PARTITIONED BY (`account` string, `region` string, `day` string)
ROW FORMAT SERDE 'org.apache.hive.hcatalog.data.JsonSerDe'
STORED AS INPUTFORMAT 'com.amazon.emr.cloudtrail.CloudTrailInputFormat'
OUTPUTFORMAT 'org.apache.hadoop.hive.ql.io.HiveIgnoreKeyTextOutputFormat'
LOCATION 's3://org-trail/audit/AWSLogs/o-exampleorg1/'
TBLPROPERTIES (
  'classification'='cloudtrail',
  'projection.enabled'='true',
  'projection.account.type'='injected',
  'projection.region.type'='enum',
  'projection.region.values'='us-east-1,eu-west-1',
  'projection.day.type'='date',
  'projection.day.format'='yyyy/MM/dd',
  'projection.day.range'='2026/01/31,NOW',
  'projection.day.interval'='1',
  'projection.day.interval.unit'='DAYS',
  'storage.location.template'='s3://org-trail/audit/AWSLogs/o-exampleorg1/${account}/CloudTrail/${region}/${day}/'
);

CREATE OR REPLACE VIEW "crosstrail"."cloudtrail_events" AS
SELECT
  eventversion,
  IF(useridentity IS NULL, NULL, CAST(ROW(useridentity.type, useridentity.principalid, useridentity.arn, useridentity.accountid, useridentity.accesskeyid, useridentity.username, IF(useridentity.sessioncontext IS NULL, NULL, CAST(ROW(IF(useridentity.sessioncontext.attributes IS NULL, NULL, CAST(ROW(TRY(CAST(from_iso8601_timestamp(useridentity.sessioncontext.attributes.creationdate) AT TIME ZONE 'UTC' AS timestamp(3))), useridentity.sessioncontext.attributes.mfaauthenticated) AS row(creationdate timestamp(3), mfaauthenticated varchar))), useridentity.sessioncontext.sessionissuer, useridentity.sessioncontext.webidfederationdata, useridentity.sessioncontext.sourceidentity, useridentity.sessioncontext.ec2roledelivery, useridentity.sessioncontext.ec2issuedinvpc) AS row(attributes row(creationdate timestamp(3), mfaauthenticated varchar), sessionissuer row(type varchar, principalid varchar, arn varchar, accountid varchar, username varchar), webidfederationdata row(federatedprovider varchar, attributes map(varchar, varchar)), sourceidentity varchar, ec2roledelivery varchar, ec2issuedinvpc varchar))), useridentity.onbehalfof, useridentity.inscopeof, useridentity.invokedby, useridentity.identityprovider) AS row(type varchar, principalid varchar, arn varchar, accountid varchar, accesskeyid varchar, username varchar, sessioncontext row(attributes row(creationdate timestamp(3), mfaauthenticated varchar), sessionissuer row(type varchar, principalid varchar, arn varchar, accountid varchar, username varchar), webidfederationdata row(federatedprovider varchar, attributes map(varchar, varchar)), sourceidentity varchar, ec2roledelivery varchar, ec2issuedinvpc varchar), onbehalfof row(userid varchar, identitystorearn varchar), inscopeof row(sourcearn varchar, sourceaccount varchar, issuertype varchar, credentialsissuedto varchar), invokedby varchar, identityprovider varchar))) AS useridentity,
  TRY(CAST(from_iso8601_timestamp(eventtime) AT TIME ZONE 'UTC' AS timestamp(3))) AS eventtime,
  eventsource,
  eventname,
  awsregion,
  sourceipaddress,
  useragent,
  errorcode,
  errormessage,
  coalesce(transform_values(TRY(CAST(json_extract(requestparameters, '$') AS map(varchar, json))), (k, v) -> IF(json_format(v) <> 'null', coalesce(json_extract_scalar(v, '$'), json_format(v)))), IF(requestparameters <> 'null', map(ARRAY['value'], ARRAY[requestparameters]))) AS requestparameters,
  coalesce(transform_values(TRY(CAST(json_extract(responseelements, '$') AS map(varchar, json))), (k, v) -> IF(json_format(v) <> 'null', coalesce(json_extract_scalar(v, '$'), json_format(v)))), IF(responseelements <> 'null', map(ARRAY['value'], ARRAY[responseelements]))) AS responseelements,
  coalesce(transform_values(TRY(CAST(json_extract(additionaleventdata, '$') AS map(varchar, json))), (k, v) -> IF(json_format(v) <> 'null', coalesce(json_extract_scalar(v, '$'), json_format(v)))), IF(additionaleventdata <> 'null', map(ARRAY['value'], ARRAY[additionaleventdata]))) AS additionaleventdata,
  requestid,
  eventid,
  CASE lower(readonly) WHEN 'true' THEN true WHEN 'false' THEN false END AS readonly,
  resources,
  eventtype,
  apiversion,
  CASE lower(managementevent) WHEN 'true' THEN true WHEN 'false' THEN false END AS managementevent,
  recipientaccountid,
  sharedeventid,
  annotation,
  vpcendpointid,
  vpcendpointaccountid,
  coalesce(transform_values(TRY(CAST(json_extract(serviceeventdetails, '$') AS map(varchar, json))), (k, v) -> IF(json_format(v) <> 'null', coalesce(json_extract_scalar(v, '$'), json_format(v)))), IF(serviceeventdetails <> 'null', map(ARRAY['value'], ARRAY[serviceeventdetails]))) AS serviceeventdetails,
  coalesce(transform_values(TRY(CAST(json_extract(addendum, '$') AS map(varchar, json))), (k, v) -> IF(json_format(v) <> 'null', coalesce(json_extract_scalar(v, '$'), json_format(v)))), IF(addendum <> 'null', map(ARRAY['value'], ARRAY[addendum]))) AS addendum,
  coalesce(transform_values(TRY(CAST(json_extract(edgedevicedetails, '$') AS map(varchar, json))), (k, v) -> IF(json_format(v) <> 'null', coalesce(json_extract_scalar(v, '$'), json_format(v)))), IF(edgedevicedetails <> 'null', map(ARRAY['value'], ARRAY[edgedevicedetails]))) AS edgedevicedetails,
  coalesce(transform_values(TRY(CAST(json_extract(insightdetails, '$') AS map(varchar, json))), (k, v) -> IF(json_format(v) <> 'null', coalesce(json_extract_scalar(v, '$'), json_format(v)))), IF(insightdetails <> 'null', map(ARRAY['value'], ARRAY[insightdetails]))) AS insightdetails,
  eventcategory,
  tlsdetails,
  sessioncredentialfromconsole,
  CAST(NULL AS varchar) AS eventjson,
  CAST(NULL AS varchar) AS eventjsonchecksum,
  CAST('aws' AS varchar) AS cloud,
  account,
  regexp_extract("$path", 'AWSLogs/.*') AS source_object,
  CAST(NULL AS boolean) AS verified,
  CAST(NULL AS array(row(source_object varchar, eventjson varchar))) AS other_versions,
  region,
  day
FROM "crosstrail"."cloudtrail_logs";

