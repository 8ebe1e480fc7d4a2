"""Makes what happens in a bucket that tells of it; the caller listens."""

import json
import os

import boto3

QUEUE = os.environ["QUEUE"]
s3 = boto3.client("s3", endpoint_url=os.environ["ENDPOINT"])
iam = boto3.client("iam", endpoint_url=os.environ["ENDPOINT"])

for name in ("told", "copies"):
    s3.create_bucket(Bucket=name)
    s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
s3.put_bucket_notification_configuration(Bucket="told", NotificationConfiguration={"QueueConfigurations": [{
    "Id": "all", "QueueArn": QUEUE,
    "Events": ["s3:ObjectCreated:*", "s3:ObjectRemoved:*", "s3:ObjectTagging:*", "s3:Replication:*"]}]})

s3.put_object(Bucket="told", Key="a b/ü", Body=b"123")
s3.copy_object(Bucket="told", Key="copy", CopySource={"Bucket": "told", "Key": "a b/ü"})
upload = s3.create_multipart_upload(Bucket="told", Key="parts")["UploadId"]
part = s3.upload_part(Bucket="told", Key="parts", UploadId=upload, PartNumber=1, Body=b"part")
s3.complete_multipart_upload(Bucket="told", Key="parts", UploadId=upload, MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]})
s3.put_object_tagging(Bucket="told", Key="copy", Tagging={"TagSet": [{"Key": "k", "Value": "v"}]})
s3.delete_object_tagging(Bucket="told", Key="copy")
marker = s3.delete_object(Bucket="told", Key="copy")["VersionId"]
s3.delete_object(Bucket="told", Key="copy", VersionId=marker)

# A role that may do nothing.
role = iam.create_role(RoleName="powerless", AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [
    {"Effect": "Allow", "Principal": {"Service": "s3.amazonaws.com"}, "Action": "sts:AssumeRole"}]}))["Role"]["Arn"]
s3.put_bucket_replication(Bucket="told", ReplicationConfiguration={"Role": role, "Rules": [{
    "ID": "measured", "Priority": 1, "Status": "Enabled", "Filter": {}, "DeleteMarkerReplication": {"Status": "Disabled"},
    "Destination": {"Bucket": "arn:aws:s3:::copies", "Metrics": {"Status": "Enabled"}}}]})
s3.put_object(Bucket="told", Key="stays", Body=b"x")
print("OK")
