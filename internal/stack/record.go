package stack

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"twinbucket/arn"
	"twinbucket/template"
)

// Status is the status of a stack or of a resource.
type Status string

// The statuses of resources, of which those of stacks are made, too.
const (
	CreateInProgress Status = "CREATE_IN_PROGRESS"
	CreateFailed     Status = "CREATE_FAILED"
	CreateComplete   Status = "CREATE_COMPLETE"
	UpdateInProgress Status = "UPDATE_IN_PROGRESS"
	UpdateFailed     Status = "UPDATE_FAILED"
	UpdateComplete   Status = "UPDATE_COMPLETE"
	DeleteInProgress Status = "DELETE_IN_PROGRESS"
	DeleteFailed     Status = "DELETE_FAILED"
	DeleteComplete   Status = "DELETE_COMPLETE"
	DeleteSkipped    Status = "DELETE_SKIPPED" // resources only
)

// The statuses that only stacks have.
const (
	ReviewInProgress              Status = "REVIEW_IN_PROGRESS"
	RollbackInProgress            Status = "ROLLBACK_IN_PROGRESS"
	RollbackFailed                Status = "ROLLBACK_FAILED"
	RollbackComplete              Status = "ROLLBACK_COMPLETE"
	UpdateCompleteCleanup         Status = "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS"
	UpdateRollbackInProgress      Status = "UPDATE_ROLLBACK_IN_PROGRESS"
	UpdateRollbackFailed          Status = "UPDATE_ROLLBACK_FAILED"
	UpdateRollbackCompleteCleanup Status = "UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS"
	UpdateRollbackComplete        Status = "UPDATE_ROLLBACK_COMPLETE"
)

const (
	stackType        = "AWS::CloudFormation::Stack"
	userInitiated    = "User Initiated"
	hidden           = "****" // a value with NoEcho
	onFailureDelete  = "DELETE"
	onFailureNothing = "DO_NOTHING"
)

// Tag is a tag of a stack; it is passed on to the resources that take tags.
type Tag struct {
	Key   string `json:"key"`
	Value string `json:"value"`
}

// Spec is what a stack is made from.
type Spec struct {
	Template     string            `json:"template"`
	Parameters   map[string]string `json:"parameters,omitempty"` // every one, defaults included
	Tags         []Tag             `json:"tags,omitempty"`
	Capabilities []string          `json:"capabilities,omitempty"`
	Role         string            `json:"role,omitempty"` // ARN of the role in which resources are made; "": the caller makes them
}

// Stack is a stack. What the engine returns is a copy.
type Stack struct {
	ID      string `json:"id"` // ARN
	Name    string `json:"name"`
	Account string `json:"account"`
	Region  string `json:"region"`
	Spec
	Description string                 `json:"description,omitempty"`
	Status      Status                 `json:"status"`
	Reason      string                 `json:"reason,omitempty"`
	Created     time.Time              `json:"created"`
	Updated     time.Time              `json:"updated,omitzero"`
	Deleted     time.Time              `json:"deleted,omitzero"`
	Resources   []*Resource            `json:"resources,omitempty"` // in the order they were made
	Outputs     []template.OutputValue `json:"outputs,omitempty"`
	Imports     []string               `json:"imports,omitempty"`   // names of other stacks' exports
	ChangeSet   string                 `json:"changeset,omitempty"` // ARN of the one executed last

	DisableRollback bool     `json:"disableRollback,omitempty"`
	Protected       bool     `json:"protected,omitempty"` // EnableTerminationProtection
	Tokens          []string `json:"tokens,omitempty"`    // ClientRequestTokens of the last operations
	EventCount      uint64   `json:"eventCount"`

	// Leftover is what a failed update without rollback replaced; the next
	// update that succeeds deletes it.
	Leftover []doomed `json:"leftover,omitempty"`
	// Op is what is being done; nil if nothing is.
	Op *Operation `json:"op,omitempty"`
}

// Resource is a resource of a stack.
type Resource struct {
	Name    string    `json:"name"` // logical id
	Type    string    `json:"type"`
	Status  Status    `json:"status"`
	Reason  string    `json:"reason,omitempty"`
	Updated time.Time `json:"updated"`
	Applied
	Needs []string `json:"needs,omitempty"` // logical ids it depends on

	DeletionPolicy      string          `json:"deletionPolicy,omitempty"`
	UpdateReplacePolicy string          `json:"updateReplacePolicy,omitempty"`
	Metadata            json.RawMessage `json:"metadata,omitempty"`

	// Step says how far the operation under way is with it, and Old what it
	// was before.
	Step Step     `json:"step,omitempty"`
	Old  *Applied `json:"old,omitempty"`
}

// Applied is a physical resource and what it was last given.
type Applied struct {
	Physical   string            `json:"physical,omitempty"`
	Properties json.RawMessage   `json:"properties,omitempty"` // resolved
	Attributes map[string]string `json:"attributes,omitempty"` // for Fn::GetAtt
	Tags       []Tag             `json:"tags,omitempty"`       // of the stack, as passed on
}

// Step is how far an operation is with a resource.
type Step string

// The steps. A resource that the operation has not come to has none.
const (
	creating  Step = "creating"
	created   Step = "created"
	updating  Step = "updating"
	updated   Step = "updated"
	replacing Step = "replacing"
	replaced  Step = "replaced"
	unchanged Step = "unchanged"
	restored  Step = "restored" // in rollback: Old is the replacement, to be deleted
)

// Phase is what an operation is at.
type Phase string

// The phases.
const (
	forward  Phase = "forward"  // making what the new template says
	cleanup  Phase = "cleanup"  // deleting what it no longer has
	rollback Phase = "rollback" // going back to what was
	deleting Phase = "deleting" // deleting the whole stack
)

// Operation is what is being done to a stack.
type Operation struct {
	Phase     Phase    `json:"phase"`
	Update    bool     `json:"update,omitempty"` // of an existing stack
	Failed    bool     `json:"failed,omitempty"` // in cleanup: it follows a rollback
	Next      Spec     `json:"next"`             // what the stack becomes
	Actor     actor    `json:"actor"`
	Token     string   `json:"token,omitempty"`
	OnFailure string   `json:"onFailure,omitempty"` // "DELETE", "DO_NOTHING" or "", which means rolling back
	Retain    []string `json:"retain,omitempty"`    // logical ids to leave when deleting
	Doomed    []doomed `json:"doomed,omitempty"`    // what cleanup deletes
	Imports   []string `json:"imports,omitempty"`   // exports of other stacks that Next uses
}

// doomed is a physical resource to be deleted.
type doomed struct {
	Name   string `json:"name"`
	Type   string `json:"type"`
	Retain bool   `json:"retain,omitempty"`
	Applied
}

// Event is something that happened to a stack.
type Event struct {
	ID         string          `json:"id"`
	StackID    string          `json:"stackId"`
	StackName  string          `json:"stackName"`
	Name       string          `json:"name"`     // logical id; the stack's name for the stack itself
	Physical   string          `json:"physical"` // "" if not known yet
	Type       string          `json:"type"`
	Time       time.Time       `json:"time"`
	Status     Status          `json:"status"`
	Reason     string          `json:"reason,omitempty"`
	Properties json.RawMessage `json:"properties,omitempty"`
	Token      string          `json:"token,omitempty"`
}

// stackID returns a stack's ARN.
func stackID(region, account, name, uuid string) string {
	return arn.ARN{
		Partition: "aws", Service: "cloudformation", Region: region, Account: account,
		Resource: "stack/" + name + "/" + uuid,
	}.String()
}

// key is where a stack's record is.
func (s *Stack) key() string { return s.Account + "/" + s.Name + "/" + s.uuid() }

// claimName is what has to be claimed before the stack is changed.
func (s *Stack) claimName() string { return s.Account + "/" + s.Name }

// uuid returns the last part of the stack's ARN.
func (s *Stack) uuid() string { return s.ID[strings.LastIndexByte(s.ID, '/')+1:] }

// Busy reports whether the stack is being worked on.
func (s *Stack) Busy() bool { return s.Op != nil }

// eventKey is where a stack's n-th event is; later ones sort first.
func (s *Stack) eventKey(n uint64) string {
	return fmt.Sprintf("%s/%s/%016x", s.Account, s.uuid(), math.MaxUint64-n)
}

// Resource returns the resource of a logical id that exists or is being made,
// or nil.
func (s *Stack) Resource(name string) *Resource {
	for _, r := range s.Resources {
		if r.Name == name && r.Status != DeleteComplete && r.Status != DeleteSkipped {
			return r
		}
	}
	return nil
}

// Shown returns the parameters as they may be shown: the values of those with
// NoEcho are hidden.
func (s *Spec) Shown() ([]Parameter, error) {
	t, err := template.Parse([]byte(s.Template))
	if err != nil {
		return nil, err
	}
	var out []Parameter
	for _, p := range t.Parameters {
		v, ok := s.Parameters[p.Name]
		if !ok {
			continue
		}
		if p.NoEcho {
			v = hidden
		}
		out = append(out, Parameter{Key: p.Name, Value: v})
	}
	return out, nil
}

// secrets returns the values of parameters with NoEcho as they stand in JSON.
func (s *Spec) secrets() [][]byte {
	t, err := template.Parse([]byte(s.Template))
	if err != nil {
		return nil // the stack has no template yet
	}
	var out [][]byte
	for _, p := range t.Parameters {
		if v := s.Parameters[p.Name]; p.NoEcho && v != "" {
			text := template.JSON(v)
			out = append(out, text[1:len(text)-1])
		}
	}
	return out
}

// remove takes a resource out of the stack.
func (s *Stack) remove(name string) {
	s.Resources = slices.DeleteFunc(s.Resources, func(r *Resource) bool { return r.Name == name })
}
