"""Jobs over several thousand versions of all kinds, and their reports compared
with what is really in the buckets. KEY is a key of KMS of the account source."""

import csv
import hashlib
import io
import json
import os
import time
import unittest
import urllib.parse
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

ENDPOINT, SOURCE, DESTINATION, KEY = (os.environ[n] for n in ("ENDPOINT", "SOURCE", "DESTINATION", "KEY"))
SRC, DST, REPORTS = "compared-src", "compared-dst", "compared-reports"
ODD = [
    "a", "ab", "a/b", "a//b", "/a", "a/", ".", "a/../b", "a\x01", "a\x08", "a\x7f", "a%2Fb", "a%", "a+b", "a b", " ", "+",
    "\ufffe", "\ufeff", "a\r\nb", "a,b", 'a"b', "'a'", "\u00e9", "e\u0301", "\U0001faa3", "x" * 1024, "\u00e9" * 512,
]
MARKER = object()


def client(service, profile="source", **config):
    once = {"retries": {"max_attempts": 1, "mode": "standard"}}
    endpoint = ENDPOINT
    if service == "s3":
        config = {"s3": {"addressing_style": "path"}, "signature_version": "s3v4", "max_pool_connections": 16}
    if service == "s3control":
        config, endpoint = {"proxies": {"http": ENDPOINT}}, "http://twinbucket"
    return boto3.Session(profile_name=profile).client(service, endpoint_url=endpoint, config=Config(**once, **config))


def versions(c, bucket):
    """The keys and ids of all versions of a bucket, with whether each is a marker."""
    found = {}
    for page in c.get_paginator("list_object_versions").paginate(Bucket=bucket):
        for kind in ("Versions", "DeleteMarkers"):
            for v in page.get(kind, []):
                found[v["Key"], v["VersionId"]] = kind == "DeleteMarkers"
    return found


class Reports(unittest.TestCase):
    maxDiff = 4000

    @classmethod
    def setUpClass(cls):
        cls.src, cls.dst, cls.control, iam = client("s3"), client("s3", "destination"), client("s3control"), client("iam")
        for c, bucket in ((cls.src, SRC), (cls.src, REPORTS), (cls.dst, DST)):
            c.create_bucket(Bucket=bucket)

        def role(name, service, *grants):
            trust = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"}]}
            arn = iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(trust))["Role"]["Arn"]
            allow = [{"Effect": "Allow", "Action": action, "Resource": resource} for action, resource in grants]
            iam.put_role_policy(RoleName=name, PolicyName="p", PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": allow}))
            return arn

        of = "arn:aws:s3:::%s"
        repl = role("compared-repl", "s3.amazonaws.com", (["s3:GetReplicationConfiguration", "s3:ListBucket"], of % SRC),
                    ("s3:GetObjectVersion*", of % SRC + "/*"), ("s3:Replicate*", of % DST + "/*"))
        cls.batch = role("compared-batch", "batchoperations.s3.amazonaws.com", ("s3:InitiateReplication", of % SRC + "/*"),
                         (["s3:GetReplicationConfiguration", "s3:PutInventoryConfiguration"], of % SRC),
                         (["s3:GetObject", "s3:GetObjectVersion", "s3:PutObject"], of % REPORTS + "/*"))

        cls.bodies = {}
        put = cls.put
        for k in ODD:
            put(k, "before versioning " + k)
        cls.versioning("Enabled")
        cls.dst.put_bucket_versioning(Bucket=DST, VersioningConfiguration={"Status": "Enabled"})
        with ThreadPoolExecutor(8) as pool:
            names = ["many/%04d" % i for i in range(2600)] + ["denied/%03d" % i for i in range(200)] + ["gone/%02d" % i for i in range(40)]
            list(pool.map(lambda k: put(k, "of " + k), names))
            list(pool.map(lambda i: put("kms/%02d" % i, "secret", ServerSideEncryption="aws:kms", SSEKMSKeyId=KEY), range(30)))
            list(pool.map(lambda i: put("many/%04d" % i, "again %d" % i), range(0, 2600, 13)))
        for k in ODD:
            put(k, "first " + k)
            put(k, "second " + k)
        for k in ODD[::2] + ["many/0007", "denied/007"]:
            cls.src.delete_object(Bucket=SRC, Key=k)
        cls.versioning("Suspended")
        for k in ODD[::5] + ["many/0003"]:
            put(k, "suspended " + k)
        cls.versioning("Enabled")
        cls.dst.put_bucket_policy(Bucket=DST, Policy=json.dumps({"Version": "2012-10-17", "Statement": [
            {"Effect": "Allow", "Principal": {"AWS": repl}, "Action": ["s3:ReplicateObject", "s3:ReplicateDelete", "s3:ReplicateTags"], "Resource": of % DST + "/*"},
            {"Effect": "Deny", "Principal": {"AWS": repl}, "Action": ["s3:ReplicateObject", "s3:ReplicateDelete"], "Resource": of % DST + "/denied/*"}]}))
        cls.src.put_bucket_replication(Bucket=SRC, ReplicationConfiguration={"Role": repl, "Rules": [{
            "ID": "all", "Status": "Enabled", "Priority": 1, "Filter": {}, "DeleteMarkerReplication": {"Status": "Enabled"},
            "Destination": {"Bucket": of % DST, "Account": DESTINATION}}]})

    @classmethod
    def versioning(cls, status):
        cls.src.put_bucket_versioning(Bucket=SRC, VersioningConfiguration={"Status": status})

    @classmethod
    def put(cls, key, text, **args):
        body = text.encode()
        cls.bodies[key, cls.src.put_object(Bucket=SRC, Key=key, Body=body, **args).get("VersionId", "null")] = body

    def create(self, token, **change):
        spec = {
            "AccountId": SOURCE, "ConfirmationRequired": False, "Operation": {"S3ReplicateObject": {}}, "Priority": 5, "RoleArn": self.batch, "ClientRequestToken": token,
            "Report": {"Enabled": True, "Bucket": "arn:aws:s3:::" + REPORTS, "Format": "Report_CSV_20180820", "Prefix": "r", "ReportScope": "AllTasks"},
            "ManifestGenerator": {"S3JobManifestGenerator": {"SourceBucket": "arn:aws:s3:::" + SRC, "EnableManifestOutput": False}},
        }
        spec.update(change)
        if "Manifest" in spec:
            del spec["ManifestGenerator"]
        return self.control.create_job(**spec)["JobId"]

    def listed(self, name, fields, rows):
        """A manifest of rows of its own, stored under a name."""
        text = "".join(",".join([SRC, urllib.parse.quote(row[0])] + list(row[1:])) + "\n" for row in rows)
        etag = self.src.put_object(Bucket=REPORTS, Key=name, Body=text.encode())["ETag"].strip('"')
        return {"Spec": {"Format": "S3BatchOperations_CSV_20180820", "Fields": fields}, "Location": {"ObjectArn": "arn:aws:s3:::%s/%s" % (REPORTS, name), "ETag": etag}}

    def until(self, job, *states):
        """The job, as soon as it is in one of the states or has ended; its counters never go back."""
        deadline, done = time.monotonic() + 120, 0
        while True:
            got = self.control.describe_job(AccountId=SOURCE, JobId=job)["Job"]
            progress = got["ProgressSummary"]
            now = progress["NumberOfTasksSucceeded"] + progress["NumberOfTasksFailed"]
            self.assertGreaterEqual(now, done)
            self.assertLessEqual(now, progress["TotalNumberOfTasks"])
            done = now
            if got["Status"] in states + ("Complete", "Failed", "Cancelled"):
                return got
            self.assertLess(time.monotonic(), deadline, got)

    def lines(self, job):
        """The lines of a job's report: key, version, status and error code of each."""
        at = "r/job-%s/manifest.json" % job
        text = self.src.get_object(Bucket=REPORTS, Key=at)["Body"].read()
        self.assertEqual(self.src.get_object(Bucket=REPORTS, Key=at + ".md5")["Body"].read().decode(), hashlib.md5(text).hexdigest())
        summary = json.loads(text)
        self.assertEqual((summary["Format"], summary["ReportSchema"]), ("Report_CSV_20180820", "Bucket, Key, VersionId, TaskStatus, ErrorCode, HTTPStatusCode, ResultMessage"))
        out = []
        for result in summary["Results"]:
            data = self.src.get_object(Bucket=result["Bucket"], Key=result["Key"])["Body"].read()
            self.assertEqual(hashlib.md5(data).hexdigest(), result["MD5Checksum"])
            for bucket, key, version, status, http, code, message in csv.reader(io.StringIO(data.decode(), newline="")):
                self.assertEqual((bucket, status), (SRC, result["TaskExecutionStatus"]))
                self.assertEqual((http == "200", code == ""), (status == "succeeded", status == "succeeded"), (key, http, code))
                self.assertTrue(message)
                out.append((urllib.parse.unquote(key), version, status, code))
        return out

    def manifest(self, at):
        """The keys and versions that a saved manifest lists."""
        got = self.src.get_object(Bucket=REPORTS, Key=at["ObjectArn"].split("/", 1)[1])
        self.assertEqual(got["ETag"].strip('"'), at["ETag"])
        index = json.loads(got["Body"].read())
        columns, found = index["fileSchema"].split(", "), []
        for f in index["files"]:
            data = self.src.get_object(Bucket=REPORTS, Key=f["key"])["Body"].read()
            self.assertEqual((len(data), hashlib.md5(data).hexdigest()), (f["size"], f["MD5checksum"]))
            for row in csv.reader(io.StringIO(data.decode(), newline="")):
                row = dict(zip(columns, row))
                self.assertEqual(row["Bucket"], SRC)
                found.append((urllib.parse.unquote(row["Key"]), row["VersionId"]))
        return sorted(found)

    def compare(self, job, lines, markers=()):
        """The counters of a job with its lines, and these with the destination."""
        progress = job["ProgressSummary"]
        count = lambda status: sum(1 for line in lines if line[2] == status)
        self.assertEqual((progress["NumberOfTasksSucceeded"], progress["NumberOfTasksFailed"]), (count("succeeded"), count("failed")))
        there = versions(self.dst, DST)
        for key, version, status, _ in lines:
            self.assertEqual((key, version) in there, status == "succeeded", (key, version, status))
        done = {(line[0], line[1]) for line in lines if line[2] == "succeeded"}
        self.assertEqual({v for v in done if there[v]}, done & set(markers))

        def same(v):
            got = self.dst.get_object(Bucket=DST, Key=v[0], VersionId=v[1])
            return v, got["Body"].read(), got["ReplicationStatus"]

        with ThreadPoolExecutor(8) as pool:
            for v, body, status in pool.map(same, done - set(markers)):
                self.assertEqual((body, status), (self.bodies[v], "REPLICA"), v)
        return done

    def test_1_cancelled(self):
        """Jobs that are cancelled in the middle, with other priorities meanwhile."""
        rows = [v for v, marker in sorted(versions(self.src, SRC).items()) if v[0].startswith("many/") and not marker]
        ran = set()
        for n in range(4):
            part = rows[n::4] * 12  # chunk by chunk
            job = self.create("cancelled %d" % n, Manifest=self.listed("many%d.csv" % n, ["Bucket", "Key", "VersionId"], part))
            self.until(job, "Active")
            for priority in (9, n, 7):
                try:
                    self.control.update_job_priority(AccountId=SOURCE, JobId=job, Priority=priority)
                    asked = self.control.update_job_status(AccountId=SOURCE, JobId=job, RequestedJobStatus="Cancelled", StatusUpdateReason="enough") if priority == 7 else {"Status": "Cancelling"}
                    self.assertEqual(asked["Status"], "Cancelling")
                except ClientError as e:  # it ended before
                    self.assertIn(e.response["Error"]["Code"], ("BadRequestException", "JobStatusException"))
            got = self.until(job)
            self.assertIn(got["Status"], ("Cancelled", "Complete"))
            self.assertEqual(got["ProgressSummary"]["TotalNumberOfTasks"], len(part))
            if got["ProgressSummary"]["NumberOfTasksSucceeded"] + got["ProgressSummary"]["NumberOfTasksFailed"] == 0:
                continue  # and so without a report
            lines = self.lines(job)
            self.assertLessEqual(Counter(line[:2] for line in lines), Counter(part))
            ran |= self.compare(got, lines)
        self.assertEqual(set(versions(self.dst, DST)), ran)

    def test_2_everything(self):
        """All versions there are, while objects come, go and priorities change."""
        output = {"Bucket": "arn:aws:s3:::" + REPORTS, "ManifestPrefix": "m", "ManifestFormat": "S3InventoryReport_CSV_20211130", "ManifestEncryption": {"SSES3": {}}}
        job = self.create("everything", ConfirmationRequired=True, ManifestGenerator={"S3JobManifestGenerator": {
            "SourceBucket": "arn:aws:s3:::" + SRC, "EnableManifestOutput": True, "ManifestOutputLocation": output}})
        waits = self.until(job, "Suspended")
        self.assertEqual(waits["Status"], "Suspended", waits)
        entries = versions(self.src, SRC)
        self.assertEqual(self.manifest(waits["GeneratedManifestDescriptor"]["Location"]), sorted(entries))
        for k, v in [v for v in entries if v[0].startswith("gone/")][:30]:
            self.src.delete_object(Bucket=SRC, Key=k, VersionId=v)
        before = set(versions(self.dst, DST))
        self.control.update_job_status(AccountId=SOURCE, JobId=job, RequestedJobStatus="Ready")
        for n in range(20):
            self.put("live/%d" % n, "live")
            if n % 5 == 0:
                try:
                    self.control.update_job_priority(AccountId=SOURCE, JobId=job, Priority=n)
                except ClientError as e:
                    self.assertEqual(e.response["Error"]["Code"], "BadRequestException")
        got = self.until(job)
        self.assertEqual((got["Status"], got["ProgressSummary"]["TotalNumberOfTasks"]), ("Complete", len(entries)))
        lines = self.lines(job)
        self.assertEqual(sorted(line[:2] for line in lines), sorted(entries))
        done = self.compare(got, lines, {v for v, marker in entries.items() if marker})
        codes = {}
        for key, _, _, code in lines:
            codes.setdefault((key.split("/")[0] if "/" in key[1:] and key not in ODD else "odd", code), []).append(key)
        self.assertEqual({k: len(v) for k, v in codes.items() if k[1]}, {
            ("denied", "DstPutObjectNotPermitted"): 200, ("denied", "DstDelObjNotPermitted"): 1, ("gone", "SrcKeyNotFound"): 30, ("kms", "SrcObjectNotEligible"): 30}, codes.keys())
        live = {v for v in versions(self.src, SRC) if v[0].startswith("live/")}
        self.assertEqual(set(versions(self.dst, DST)) - live, before | done)
        for key, version in list(done)[::50]:
            if not entries[key, version]:
                self.assertEqual(self.src.head_object(Bucket=SRC, Key=key, VersionId=version)["ReplicationStatus"], "COMPLETED", key)
        self.assertEqual(self.src.head_object(Bucket=SRC, Key="denied/001")["ReplicationStatus"], "FAILED")

    def test_3_brought(self):
        """A list with lines that are there twice, or are of nothing, or have no version."""
        current = self.src.head_object(Bucket=SRC, Key="many/0001")["VersionId"]
        rows = [("many/0001", current)] * 3 + [("many/0001", ""), ("many/0001", "null"), ("none", current), ("a+b", "null"), ("denied/001", self.src.head_object(Bucket=SRC, Key="denied/001")["VersionId"])]
        for scope in ("AllTasks", "FailedTasksOnly"):
            job = self.create(scope, Manifest=self.listed("own.csv", ["Bucket", "Key", "VersionId"], rows),
                              Report={"Enabled": True, "Bucket": "arn:aws:s3:::" + REPORTS, "Format": "Report_CSV_20180820", "Prefix": "r", "ReportScope": scope})
            got = self.until(job)
            progress = got["ProgressSummary"]
            self.assertEqual((got["Status"], progress["TotalNumberOfTasks"], progress["NumberOfTasksSucceeded"], progress["NumberOfTasksFailed"]), ("Complete", 8, 4, 4), got)
            want = [("many/0001", "", "failed", "InvalidRequest"), ("many/0001", "null", "failed", "SrcObjectNotFound"), ("none", current, "failed", "SrcKeyNotFound"),
                    ("denied/001", rows[-1][1], "failed", "DstPutObjectNotPermitted")]
            if scope == "AllTasks":
                want += [("many/0001", current, "succeeded", "")] * 3 + [("a+b", "null", "succeeded", "")]
            self.assertEqual(sorted(self.lines(job)), sorted(want))


if __name__ == "__main__":
    unittest.main(warnings="ignore")
