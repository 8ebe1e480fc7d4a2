"""Jobs of every operation beside replication, judged by what is in the buckets
afterwards."""

import csv
import datetime
import io
import json
import os
import time
import unittest
import urllib.parse
import uuid

import boto3
from botocore.config import Config

ENDPOINT, SOURCE, KEY = (os.environ[n] for n in ("ENDPOINT", "SOURCE", "KEY"))
SRC, DST, REPORTS = "operated-src", "operated-dst", "operated-reports"
ODD = [
    "a", "ab", "a/b", "a//b", "/a", "a/", ".", "a/../b", "a\x01", "a\x7f", "a%2Fb", "a%", "a+b", "a b", " ", "+", "a?versionId=x", "a#b",
    "\ufffe", "\ufeff", "a\r\nb", "a,b", 'a"b', "'a'", "\u00e9", "e\u0301", "\U0001faa3", "x" * 1020, "\u00e9" * 510,
]
UTC = datetime.timezone.utc
LATER = datetime.datetime(2041, 1, 2, 3, 4, 5, tzinfo=UTC)


def client(service):
    config, endpoint = {"s3": {"addressing_style": "path"}, "signature_version": "s3v4"}, ENDPOINT
    if service != "s3":
        config = {}
    if service == "s3control":
        config, endpoint = {"proxies": {"http": ENDPOINT}}, "http://twinbucket"
    return boto3.Session(profile_name="source").client(service, endpoint_url=endpoint, config=Config(retries={"max_attempts": 1, "mode": "standard"}, **config))


class Operations(unittest.TestCase):
    maxDiff = 4000

    @classmethod
    def setUpClass(cls):
        cls.s3, cls.control, iam = client("s3"), client("s3control"), client("iam")
        for bucket in (SRC, DST):
            cls.s3.create_bucket(Bucket=bucket, ObjectLockEnabledForBucket=True, ObjectOwnership="ObjectWriter")
        cls.s3.create_bucket(Bucket=REPORTS)
        trust = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"Service": "batchoperations.s3.amazonaws.com"}, "Action": "sts:AssumeRole"}]}
        cls.role = iam.create_role(RoleName="operated", AssumeRolePolicyDocument=json.dumps(trust))["Role"]["Arn"]
        of = "arn:aws:s3:::%s"
        grants = [
            (["s3:PutInventoryConfiguration", "s3:ListBucket"], of % SRC),
            (["s3:GetObject", "s3:GetObjectVersion", "s3:PutObject"], of % REPORTS + "/*"),
            (["s3:GetObject*", "s3:PutObject*", "s3:DeleteObjectTagging", "s3:DeleteObjectVersionTagging", "s3:BypassGovernanceRetention"], of % SRC + "/*"),
            (["s3:PutObject*"], of % DST + "/*"),
            (["kms:GenerateDataKey", "kms:Decrypt"], KEY),
        ]
        allow = [{"Effect": "Allow", "Action": action, "Resource": resource} for action, resource in grants]
        deny = {"Effect": "Deny", "Action": ["s3:GetObject*", "s3:PutObject*"], "Resource": of % SRC + "/denied/*"}
        iam.put_role_policy(RoleName="operated", PolicyName="p", PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": allow + [deny]}))
        cls.owner = cls.s3.list_buckets()["Owner"]["ID"]
        cls.ids = {}
        for key in ODD + ["many/%03d" % i for i in range(1200)] + ["denied/%d" % i for i in range(3)]:
            cls.ids[key] = cls.s3.put_object(Bucket=SRC, Key=key, Body=("of " + key).encode(), Metadata={"n": "1"}, Tagging="from=source")["VersionId"]
        cls.s3.put_object(Bucket=SRC, Key="gone", Body=b"")
        cls.s3.delete_object(Bucket=SRC, Key="gone")

    def create(self, operation, **change):
        spec = {
            "AccountId": SOURCE, "ConfirmationRequired": False, "Operation": operation, "Priority": 5, "RoleArn": self.role, "ClientRequestToken": str(uuid.uuid4()),
            "Report": {"Enabled": True, "Bucket": "arn:aws:s3:::" + REPORTS, "Format": "Report_CSV_20180820", "Prefix": "r", "ReportScope": "AllTasks"},
            "ManifestGenerator": {"S3JobManifestGenerator": {"SourceBucket": "arn:aws:s3:::" + SRC, "EnableManifestOutput": False}},
        }
        spec.update(change)
        if "Manifest" in spec:
            del spec["ManifestGenerator"]
        return self.control.create_job(**spec)["JobId"]

    def listed(self, rows):
        text = "".join("%s,%s\n" % (SRC, urllib.parse.quote(key)) for key in rows)
        etag = self.s3.put_object(Bucket=REPORTS, Key="list.csv", Body=text.encode())["ETag"].strip('"')
        return {"Spec": {"Format": "S3BatchOperations_CSV_20180820", "Fields": ["Bucket", "Key"]}, "Location": {"ObjectArn": "arn:aws:s3:::%s/list.csv" % REPORTS, "ETag": etag}}

    def run_job(self, operation, **change):
        """Runs a job; its lines by key: status, HTTP status and error code."""
        job = self.create(operation, **change)
        deadline = time.monotonic() + 120
        while True:
            got = self.control.describe_job(AccountId=SOURCE, JobId=job)["Job"]
            if got["Status"] in ("Complete", "Failed", "Cancelled"):
                break
            self.assertLess(time.monotonic(), deadline, got)
        self.assertEqual(got["Status"], "Complete", got)
        self.assertEqual(got["Operation"], operation)
        summary = json.loads(self.s3.get_object(Bucket=REPORTS, Key="r/job-%s/manifest.json" % job)["Body"].read())
        lines = {}
        for result in summary["Results"]:
            data = self.s3.get_object(Bucket=result["Bucket"], Key=result["Key"])["Body"].read()
            for bucket, key, _, status, http, code, message in csv.reader(io.StringIO(data.decode(), newline="")):
                self.assertTrue(bucket == SRC and message)
                self.assertNotIn(key, lines)
                lines[urllib.parse.unquote(key)] = (status, http, code)
        progress = got["ProgressSummary"]
        failed = sum(1 for line in lines.values() if line[0] == "failed")
        self.assertEqual((progress["TotalNumberOfTasks"], progress["NumberOfTasksSucceeded"], progress["NumberOfTasksFailed"]), (len(lines), len(lines) - failed, failed))
        return lines

    def test_copy(self):
        lines = self.run_job({"S3PutObjectCopy": {"TargetResource": "arn:aws:s3:::" + DST, "TargetKeyPrefix": "to"}})
        self.assertEqual(set(lines), set(self.ids))
        wrong = {"denied/%d" % i: ("failed", "403", "AccessDenied") for i in range(3)}
        for key, line in lines.items():
            self.assertEqual(line, wrong.get(key, ("succeeded", "200", "")), key)
            if line[0] == "succeeded":
                got = self.s3.get_object(Bucket=DST, Key="to/" + key)
                self.assertEqual((got["Body"].read().decode(), got["Metadata"], got["TagCount"]), ("of " + key, {"n": "1"}, 1), key)
        found = [v for page in self.s3.get_paginator("list_object_versions").paginate(Bucket=DST, Prefix="to/") for v in page["Versions"]]
        self.assertEqual(len(found), len(self.ids) - 3)

    def test_copy_of_all_kinds(self):
        self.run_job({"S3PutObjectCopy": {
            "TargetResource": "arn:aws:s3:::" + DST, "TargetKeyPrefix": "all", "StorageClass": "STANDARD_IA", "MetadataDirective": "REPLACE",
            "NewObjectMetadata": {
                "CacheControl": "no-store", "ContentDisposition": "inline", "ContentEncoding": "x", "ContentLanguage": "de", "ContentType": "text/plain",
                "HttpExpiresDate": LATER, "UserMetadata": {"A": "1", "b": ""}, "SSEAlgorithm": "KMS"},
            "NewObjectTagging": [{"Key": "a b", "Value": "c=d"}, {"Key": "e", "Value": ""}], "AccessControlGrants": [
                {"Grantee": {"TypeIdentifier": "id", "Identifier": self.owner, "DisplayName": "me"}, "Permission": "FULL_CONTROL"},
                {"Grantee": {"TypeIdentifier": "uri", "Identifier": "http://acs.amazonaws.com/groups/global/AuthenticatedUsers"}, "Permission": "READ_ACP"}],
            "ModifiedSinceConstraint": datetime.datetime(2020, 1, 1, tzinfo=UTC), "UnModifiedSinceConstraint": LATER, "SSEAwsKmsKeyId": KEY, "BucketKeyEnabled": True,
            "ObjectLockLegalHoldStatus": "ON", "ObjectLockMode": "GOVERNANCE", "ObjectLockRetainUntilDate": LATER, "ChecksumAlgorithm": "SHA256",
            "RedirectLocation": "/there", "RequesterPays": True,
        }}, Manifest=self.listed(["a"]))
        got = self.s3.head_object(Bucket=DST, Key="all/a", ChecksumMode="ENABLED")
        self.assertEqual({name: got.get(name) for name in (
            "CacheControl", "ContentDisposition", "ContentEncoding", "ContentLanguage", "ContentType", "Metadata", "ServerSideEncryption", "SSEKMSKeyId",
            "BucketKeyEnabled", "StorageClass", "ObjectLockMode", "ObjectLockRetainUntilDate", "ObjectLockLegalHoldStatus", "WebsiteRedirectLocation")}, {
            "CacheControl": "no-store", "ContentDisposition": "inline", "ContentEncoding": "x", "ContentLanguage": "de", "ContentType": "text/plain",
            "Metadata": {"a": "1", "b": ""}, "ServerSideEncryption": "aws:kms", "SSEKMSKeyId": KEY, "BucketKeyEnabled": True, "StorageClass": "STANDARD_IA",
            "ObjectLockMode": "GOVERNANCE", "ObjectLockRetainUntilDate": LATER, "ObjectLockLegalHoldStatus": "ON", "WebsiteRedirectLocation": "/there"})
        self.assertIn("ChecksumSHA256", got)
        self.assertEqual(self.s3.get_object_tagging(Bucket=DST, Key="all/a")["TagSet"], [{"Key": "a b", "Value": "c=d"}, {"Key": "e", "Value": ""}])
        self.assertEqual([g["Permission"] for g in self.s3.get_object_acl(Bucket=DST, Key="all/a")["Grants"]], ["FULL_CONTROL", "READ_ACP"])

    def test_tagging(self):
        rows = ODD + ["gone", "none", "denied/1"]
        want = {"gone": ("failed", "404", "NoSuchKey"), "none": ("failed", "404", "NoSuchKey"), "denied/1": ("failed", "403", "AccessDenied")}
        tags = [{"Key": "a", "Value": "b"}, {"Key": "\u00e9", "Value": ""}]
        lines = self.run_job({"S3PutObjectTagging": {"TagSet": tags}}, Manifest=self.listed(rows))
        self.assertEqual(lines, {key: want.get(key, ("succeeded", "200", "")) for key in rows})
        for key in ODD:
            got = self.s3.get_object_tagging(Bucket=SRC, Key=key)
            self.assertEqual((got["TagSet"], got["VersionId"]), (tags, self.ids[key]), key)
        self.assertEqual(self.s3.get_object_tagging(Bucket=SRC, Key="many/001")["TagSet"], [{"Key": "from", "Value": "source"}])
        lines = self.run_job({"S3DeleteObjectTagging": {}}, Manifest=self.listed(["a", "none"]))
        self.assertEqual(lines, {"a": ("succeeded", "200", ""), "none": ("failed", "404", "NoSuchKey")})
        self.assertEqual(self.s3.get_object_tagging(Bucket=SRC, Key="a")["TagSet"], [])

    def test_acl(self):
        policy = {"AccessControlList": {"Owner": {"ID": self.owner}, "Grants": [{"Grantee": {"TypeIdentifier": "uri", "Identifier": "http://acs.amazonaws.com/groups/global/AuthenticatedUsers"}, "Permission": "READ"}]}}
        self.s3.delete_public_access_block(Bucket=SRC)
        self.assertEqual(self.run_job({"S3PutObjectAcl": {"AccessControlPolicy": policy}}, Manifest=self.listed(["many/002"]))["many/002"][0], "succeeded")
        self.assertEqual([g["Permission"] for g in self.s3.get_object_acl(Bucket=SRC, Key="many/002")["Grants"]], ["READ"])
        self.run_job({"S3PutObjectAcl": {"AccessControlPolicy": {"CannedAccessControlList": "private"}}}, Manifest=self.listed(["many/002"]))
        self.assertEqual([g["Permission"] for g in self.s3.get_object_acl(Bucket=SRC, Key="many/002")["Grants"]], ["FULL_CONTROL"])

    def test_locks(self):
        rows = ["many/003", "many/004"]
        self.run_job({"S3PutObjectLegalHold": {"LegalHold": {"Status": "ON"}}}, Manifest=self.listed(rows))
        self.assertEqual(self.s3.get_object_legal_hold(Bucket=SRC, Key=rows[1])["LegalHold"], {"Status": "ON"})
        self.run_job({"S3PutObjectLegalHold": {"LegalHold": {"Status": "OFF"}}}, Manifest=self.listed(rows))
        self.assertEqual(self.s3.get_object_legal_hold(Bucket=SRC, Key=rows[1])["LegalHold"], {"Status": "OFF"})
        self.run_job({"S3PutObjectRetention": {"Retention": {"Mode": "GOVERNANCE", "RetainUntilDate": LATER}}}, Manifest=self.listed(rows))
        self.assertEqual(self.s3.get_object_retention(Bucket=SRC, Key=rows[0])["Retention"], {"Mode": "GOVERNANCE", "RetainUntilDate": LATER})
        sooner = {"Mode": "GOVERNANCE", "RetainUntilDate": LATER - datetime.timedelta(days=365)}
        lines = self.run_job({"S3PutObjectRetention": {"Retention": sooner}}, Manifest=self.listed(rows))
        self.assertEqual(set(lines.values()), {("failed", "403", "AccessDenied")})
        lines = self.run_job({"S3PutObjectRetention": {"Retention": sooner, "BypassGovernanceRetention": True}}, Manifest=self.listed(rows))
        self.assertEqual(set(lines.values()), {("succeeded", "200", "")})
        lines = self.run_job({"S3PutObjectRetention": {"Retention": {"Mode": "COMPLIANCE", "RetainUntilDate": LATER}, "BypassGovernanceRetention": True}}, Manifest=self.listed(rows[:1]))
        self.assertEqual(lines[rows[0]], ("succeeded", "200", ""))
        lines = self.run_job({"S3PutObjectRetention": {"Retention": {}, "BypassGovernanceRetention": True}}, Manifest=self.listed(rows))
        self.assertEqual(lines, {rows[0]: ("failed", "403", "AccessDenied"), rows[1]: ("succeeded", "200", "")})


if __name__ == "__main__":
    unittest.main(warnings="ignore")
