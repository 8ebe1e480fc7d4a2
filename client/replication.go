package client

import (
	"context"
	"encoding/json"
	"net/http"
	"time"

	"twinbucket/fault"
)

// Lane says where one rule's way to its destination stands. AWS has the numbers
// in CloudWatch, if the rule asks for metrics.
type Lane struct {
	Source      string  `json:"sourceBucket"`
	Destination string  `json:"destinationBucket"`
	Rule        string  `json:"ruleId"`
	Pending     int64   `json:"operationsPending"`
	Bytes       int64   `json:"bytesPending"`
	Latency     float64 `json:"latencySeconds"` // how long what is first in line has waited
	Failed      int64   `json:"failed"`         // versions that are FAILED now

	Completed      int64 `json:"operationsCompleted"` // since the lane began
	CompletedBytes int64 `json:"bytesCompleted"`
	Failures       int64 `json:"operationsFailed"` // since the lane began
}

// Replication is how the replication of a bucket stands.
type Replication struct {
	Rules    []Lane     `json:"rules"`
	Verified []Verified `json:"verified"` // by destination; none if nobody has looked yet
}

// Verified is what the server saw when it last looked at every replica of a bucket
// at one destination.
type Verified struct {
	Destination string    `json:"destination"`
	Began       time.Time `json:"began"`
	Finished    time.Time `json:"finished"`
	Replicas    int64     `json:"replicas"` // that had to be there
	Differ      int64     `json:"differ"`
	Removed     int64     `json:"removed"` // deleted at the destination by their ids
	Missing     int64     `json:"missing"`
	Findings    []Spoilt  `json:"findings,omitempty"` // the first ones
}

// Spoilt is a replica that is not as it has to be.
type Spoilt struct {
	Kind        string       `json:"kind"` // "differs", "removed" or "missing"
	Key         string       `json:"key"`
	VersionID   string       `json:"versionId"`
	Rule        string       `json:"rule"`
	Differences []Difference `json:"differences,omitempty"`
}

// Difference is an aspect in which a replica differs from what it has to be.
type Difference struct {
	Aspect      string `json:"aspect"`
	Source      string `json:"source"`
	Destination string `json:"destination"`
}

// Retry says which failed replications are to be tried again: those that agree
// with every field that is not "".
type Retry struct {
	Prefix      string `json:"prefix,omitempty"`
	Destination string `json:"destinationBucket,omitempty"`
	Rule        string `json:"ruleId,omitempty"`
	Code        string `json:"code,omitempty"`
	DryRun      bool   `json:"dryRun,omitempty"` // only say what would be
}

// Retried is what came of a step of RetryReplication.
type Retried struct {
	Scanned int     `json:"scanned"` // versions that were looked at
	Failed  int     `json:"failed"`  // replications that are meant
	Retried int     `json:"retried"` // of them, those that wait again
	Refused int     `json:"refused"` // of them, those for which s3:InitiateReplication is missing
	Causes  []Cause `json:"causes"`
}

// Cause counts failed replications by rule, destination and code.
type Cause struct {
	Destination string `json:"destinationBucket"`
	Rule        string `json:"ruleId"`
	Code        string `json:"code"`
	Count       int    `json:"count"`
	Key         string `json:"key"` // of the first of them
	VersionID   string `json:"versionId"`
	Reason      string `json:"reason"`
}

// Replication returns how the replication of a bucket stands: Twinbucket's own
// API. Error on AWS: Unsupported.
func (c *Client) Replication(ctx context.Context, name string) (*Replication, error) {
	k, err := c.own("Replication", http.MethodGet, name, "")
	if err != nil {
		return nil, err
	}
	answer := new(Replication)
	return answer, c.json(ctx, k, answer)
}

// RetryReplication has failed replications of a bucket tried again, step by
// step; each, if not nil, is told of every step. Error on AWS: Unsupported.
func (c *Client) RetryReplication(ctx context.Context, name string, r Retry, each func(Retried)) error {
	type place struct {
		Key       string `json:"key"`
		VersionID string `json:"versionId"`
	}
	ask := struct {
		Retry
		After *place `json:"after,omitempty"`
	}{Retry: r}
	for {
		k, err := c.own("RetryReplication", http.MethodPost, name, "/retry")
		if err != nil {
			return err
		}
		data, err := json.Marshal(ask)
		if err != nil {
			return err
		}
		k.payload(data)
		var step struct {
			Retried
			Next *place `json:"next"`
		}
		if err := c.json(ctx, k, &step); err != nil {
			return err
		}
		if each != nil {
			each(step.Retried)
		}
		if ask.After = step.Next; step.Next == nil {
			return nil
		}
	}
}

// own makes a call of Twinbucket's own API about a bucket.
func (c *Client) own(op, method, name, rest string) (*call, error) {
	if c.aws {
		return nil, fault.New(fault.Unsupported, "NotImplemented", "AWS has no API for this.").On(name).
			WithHint("name a Twinbucket server with --endpoint-url; on AWS a batch job with the status FAILED tries objects again")
	}
	return &call{op: "twinbucket." + op, thing: name, service: serviceTwinbucket, method: method, path: "/_twinbucket/replication/" + name + rest}, nil
}

// json makes a call and reads its answer into v.
func (c *Client) json(ctx context.Context, k *call, v any) error {
	return c.do(ctx, k, func(resp *http.Response) error {
		data, err := readAnswer(resp)
		if err != nil {
			return err
		}
		if err := json.Unmarshal(data, v); err != nil {
			return &fault.Error{Kind: fault.Damaged, Message: "The server's answer is not the JSON that it has to be.", Err: err}
		}
		return nil
	})
}
