package template

import (
	"encoding/json"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"twinbucket/fault"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// physical answers Ref with "<name>-id" and Fn::GetAtt with "<name>-<attribute>".
type physical struct{}

func (physical) Ref(r string) (string, error)          { return r + "-id", nil }
func (physical) Attribute(r, name string) (any, error) { return r + "-" + name, nil }
func (physical) Import(name string) (string, error)    { return "import-of-" + name, nil }

var testEnv = Environment{
	Account: "111111111111", Region: "eu-west-1", StackName: "web",
	StackID: "arn:aws:cloudformation:eu-west-1:111111111111:stack/web/1",
}

// resolved is everything of a bound template that a golden file shows.
type resolved struct {
	Order      []string
	Properties map[string]map[string]any
	Outputs    []OutputValue
}

func resolve(t *testing.T, body string, values map[string]string) (*resolved, error) {
	t.Helper()
	tpl, err := Parse([]byte(body))
	if err != nil {
		return nil, err
	}
	s, err := tpl.Bind(values, testEnv)
	if err != nil {
		return nil, err
	}
	r := &resolved{Properties: map[string]map[string]any{}}
	for _, res := range s.Resources() {
		r.Order = append(r.Order, res.Name)
		p, err := s.Properties(res, physical{})
		if err != nil {
			return nil, err
		}
		r.Properties[res.Name] = p
	}
	r.Outputs, err = s.Outputs(physical{})
	return r, err
}

func TestGolden(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no templates in testdata: %v", err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			t.Parallel()
			body, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			r, err := resolve(t, string(body), nil)
			if err != nil {
				t.Fatal(err)
			}
			got, err := json.MarshalIndent(r, "", "  ")
			if err != nil {
				t.Fatal(err)
			}
			golden := strings.TrimSuffix(file, ".yaml") + ".golden.json"
			if *update {
				if err := os.WriteFile(golden, append(got, '\n'), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(string(want), string(got)+"\n"); d != "" {
				t.Errorf("%s (-want +got):\n%s", golden, d)
			}
		})
	}
}

// value resolves one property of a bucket, written in YAML.
func value(t *testing.T, yaml string) (any, error) {
	t.Helper()
	r, err := resolve(t, `
Parameters:
  Name: {Type: String, Default: n1}
  Count: {Type: Number, Default: 3}
  Zones: {Type: CommaDelimitedList, Default: "a, b ,c"}
  Empty: {Type: CommaDelimitedList, Default: ""}
Mappings:
  M: {eu-west-1: {Name: mapped, List: [x, y]}, 111111111111: {Name: account}}
Conditions:
  Is: !Equals [!Ref Name, n1]
  Not: !Not [!Condition Is]
  Both: !And [!Condition Is, !Condition Not]
  Either: !Or [!Condition Not, !Condition Is]
  Three: !Equals [!Ref Count, 3]
  Same: !Equals [!Ref Zones, !Ref Zones]
Resources:
  Other: {Type: AWS::S3::Bucket}
  B:
    Type: AWS::S3::Bucket
    Properties:
      V: `+yaml+"\n", nil)
	if err != nil {
		return nil, err
	}
	return r.Properties["B"]["V"], nil
}

func TestFunctions(t *testing.T) {
	t.Parallel()
	n := func(s string) json.Number { return json.Number(s) }
	for _, c := range []struct {
		yaml string
		want any
	}{
		{`!Ref Name`, "n1"},
		{`{Ref: Name}`, "n1"},
		{`!ImportValue net-arn`, "import-of-net-arn"},
		{`{"Fn::ImportValue": !Sub "${Name}-${AWS::Region}"}`, "import-of-n1-eu-west-1"},
		{`!Join ["/", [{"Fn::ImportValue": !If [Is, a, !Ref Other]}, x]]`, "import-of-a/x"},
		{`!Ref Count`, "3"},
		{`!Ref Zones`, []any{"a", "b", "c"}},
		{`!Ref Empty`, []any{}},
		{`!Ref Other`, "Other-id"},
		{`!Ref AWS::AccountId`, "111111111111"},
		{`!Ref AWS::Region`, "eu-west-1"},
		{`!Ref AWS::StackName`, "web"},
		{`!Ref AWS::StackId`, testEnv.StackID},
		{`!Ref AWS::Partition`, "aws"},
		{`!Ref AWS::URLSuffix`, "amazonaws.com"},
		{`!Ref AWS::NotificationARNs`, []any{}},
		{`!Ref AWS::NoValue`, nil},
		{`{A: !Ref AWS::NoValue, B: 1}`, map[string]any{"B": n("1")}},
		{`[!Ref AWS::NoValue, x]`, []any{"x"}},
		{`!Sub "arn:aws:s3:::${Name}/*"`, "arn:aws:s3:::n1/*"},
		{`!Sub "${Other}-${Other.Arn}-${!Kept}-${AWS::Region}"`, "Other-id-Other-Arn-${Kept}-eu-west-1"},
		{`!Sub ["${A}-${Name}-${B}", {A: !Ref Count, B: !GetAtt Other.Arn}]`, "3-n1-Other-Arn"},
		{`!Sub "open ${"`, "open ${"},
		{`!Sub "$5 {x}"`, "$5 {x}"},
		{`!GetAtt Other.Arn`, "Other-Arn"},
		{`!GetAtt [Other, Arn]`, "Other-Arn"},
		{`{"Fn::GetAtt": Other.Website.URL}`, "Other-Website.URL"},
		{`!Join [",", [a, 1, true, !Ref Name]]`, "a,1,true,n1"},
		{`!Join ["", !Ref Zones]`, "abc"},
		{`!If [Is, a, b]`, "a"},
		{`!If [Not, a, b]`, "b"},
		{`!If [Both, a, b]`, "b"},
		{`!If [Either, a, b]`, "a"},
		{`!If [Three, a, b]`, "a"},
		{`!If [Same, a, b]`, "a"},
		{`!If [Not, a, !Ref AWS::NoValue]`, nil},
		{`!If [Is, {K: !Ref Name}, !Ref AWS::NoValue]`, map[string]any{"K": "n1"}},
		{`!Select [1, !Ref Zones]`, "b"},
		{`!Select ["0", !Split ["-", "x-y"]]`, "x"},
		{`!Split ["|", "a|b|"]`, []any{"a", "b", ""}},
		{`!FindInMap [M, !Ref AWS::Region, Name]`, "mapped"},
		{`!FindInMap [M, !Ref AWS::Region, List]`, []any{"x", "y"}},
		{`!FindInMap [M, !Ref AWS::AccountId, Name]`, "account"},
		{`!Base64 hello`, "aGVsbG8="},
		{`{"Fn::Base64": !Sub "${Name}"}`, "bjE="},
		// Scalars keep their text.
		{`2012-10-17`, "2012-10-17"},
		{`2001-12-14t21:59:43.10-05:00`, "2001-12-14t21:59:43.10-05:00"},
		{`111111111111`, n("111111111111")},
		{`012345678901`, "012345678901"},
		{`1.10`, n("1.10")},
		{`true`, true},
		{`False`, false},
		{`yes`, true},
		{`"yes"`, "yes"},
		{`Off`, false},
		{`"2012-10-17"`, "2012-10-17"},
		{`!!str 12`, "12"},
		{`~x`, "~x"},
		{`{Condition: {StringEquals: {a: b}}, Ref: x}`, map[string]any{"Condition": map[string]any{"StringEquals": map[string]any{"a": "b"}}, "Ref": "x"}},
	} {
		got, err := value(t, c.yaml)
		if err != nil {
			t.Errorf("%s: %v", c.yaml, err)
			continue
		}
		if d := cmp.Diff(c.want, got); d != "" {
			t.Errorf("%s (-want +got):\n%s", c.yaml, d)
		}
	}
}

func TestFunctionErrors(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ yaml, want string }{
		{`!Ref Nope`, "Template format error: Unresolved resource dependencies [Nope] in the Resources block of the template"},
		{`[!Ref Nope, !Sub "${Nope}${Nada}"]`, "Template format error: Unresolved resource dependencies [Nope, Nada] in the Resources block of the template"},
		{`!Ref [a]`, "Template error: every Ref object must have a single String value."},
		{`!GetAtt Nope.Arn`, "Template error: instance of Fn::GetAtt references undefined resource Nope"},
		{`!GetAtt Other`, "Template error: every Fn::GetAtt object requires two non-empty parameters, the resource name and the resource attribute"},
		{`!Sub "${a b}"`, "Template error: variable names in Fn::Sub syntax must contain only alphanumeric characters, underscores, periods, and colons"},
		{`!Sub "${Zones}"`, "Template error: variable Zones in Fn::Sub expression does not resolve to a string"},
		{`!Sub [x]`, "Template error: One or more Fn::Sub intrinsic functions don't specify expected arguments."},
		{`!Join [a]`, "Template error: every Fn::Join object requires two parameters"},
		{`!Join [",", [[a]]]`, "Template error: every Fn::Join object requires two parameters"},
		{`!If [Is, a]`, "Template error: Fn::If requires a list argument with three parameters"},
		{`!If [Yes, a, b]`, "Template error: Fn::If requires a list argument with three parameters"},
		{`!If [Maybe, a, b]`, "Template format error: Unresolved condition dependency Maybe in the Resources block of the template"},
		{`!Select [3, !Ref Zones]`, "Template error: Fn::Select cannot select nonexistent value at index 3"},
		{`!Select [x, !Ref Zones]`, "Template error: Fn::Select requires a list argument with two elements"},
		{`!FindInMap [M, us-east-1, Name]`, "Template error: Unable to get mapping for M::us-east-1::Name"},
		{`!FindInMap [N, a, b]`, "Template error: Mapping named 'N' is not present in the 'Mappings' section of template."},
		{`!Equals [a, b]`, "Template error: Fn::Equals is only allowed in the Conditions block"},
		{`!Base64 [a]`, "Template error: every Fn::Base64 object must have a String-typed value."},
		{`!Split ["", a]`, "Template error: every Fn::Split object requires two parameters"},
		{`{"Fn::Sub": a, B: 1}`, "Template error: Fn::Sub must be the only member of its object, which also has [B]"},
		{`{"Fn::Nonsense": a}`, "Template error: Fn::Nonsense is not a valid intrinsic function"},
		{`!Nonsense a`, "Template format error: YAML not well-formed. (line 21, column 10)"},
		{`!ImportValue [x]`, "Template error: the attribute in Fn::ImportValue must be a string or a function that returns a string"},
		{`{"Fn::ImportValue": !Ref Zones}`, "Template error: the attribute in Fn::ImportValue must be a string or a function that returns a string"},
		{`{"Fn::ImportValue": !Sub "${Other}-arn"}`, "Template error: the attribute in Fn::ImportValue must not depend on any resources, imported values, or Fn::GetAZs"},
		{`!GetAZs ""`, "The intrinsic function Fn::GetAZs is not supported"},
		{`"{{resolve:ssm:x}}"`, "Dynamic references are not supported"},
		{`~`, "[/Resources/B/Properties/V] 'null' values are not allowed in templates"},
		{`!!binary aGk=`, "Template format error: YAML not well-formed. (line 21, column 10)"},
		{`!!set {a, b}`, "Template format error: YAML not well-formed. (line 21, column 10)"},
	} {
		_, err := value(t, c.yaml)
		if err == nil {
			t.Errorf("%s: no error, want %q", c.yaml, c.want)
			continue
		}
		if got := fault.MessageOf(err); !strings.HasPrefix(got, c.want) {
			t.Errorf("%s:\n got %q\nwant %q", c.yaml, got, c.want)
		}
	}
}

func TestParseErrors(t *testing.T) {
	t.Parallel()
	const ok = "Resources: {A: {Type: AWS::S3::Bucket}}\n"
	for _, c := range []struct{ body, want string }{
		{"", "Template format error: unsupported structure."},
		{"hello", "Template format error: unsupported structure."},
		{"[1]", "Template format error: unsupported structure."},
		{"# only a comment\n", "Template format error: unsupported structure."},
		{"x: 1\na: b: c\n", "Template format error: YAML not well-formed. (line 2)"},
		{"{", "Template format error: JSON not well-formed. (line 1, column 2)"},
		{"{\"a\": 1,\n  \"b\" 2}", "Template format error: JSON not well-formed. (line 2, column 7)"},
		{`{"Resources": {"A": {"Type": "T"}}} x`, "Template format error: JSON not well-formed. (line 1, column 37)"},
		{`{"Resources": {"A": {"Type": "T"}, "A": {"Type": "T"}}}`, "Template format error: Duplicate key A. (line 1, column 36)"},
		{"Resources:\n  A: {Type: T}\n  A: {Type: T}\n", "Template format error: Duplicate key A. (line 3, column 3)"},
		{"Description: x\n", "Template format error: At least one Resources member must be defined."},
		{"Resources: {}\n", "Template format error: At least one Resources member must be defined."},
		{"Resources:\n", "[/Resources] 'null' values are not allowed in templates"},
		{ok + "AWSTemplateFormatVersion: 2010-09-10\n", "Template format error: Unsupported AWSTemplateFormatVersion: 2010-09-10."},
		{ok + "Strange: 1\nOther: 2\n", "Invalid template property or properties [Strange, Other]"},
		{ok + "Transform: AWS::Serverless-2016-10-31\n", "Transforms are not supported: section Transform (line 2)"},
		{ok + "Rules: {}\n", "The template section Rules is not supported (line 2)"},
		{"Resources: {A: {Properties: {}}}\n", "Template format error: [/Resources/A] Every Resources object must contain a Type member."},
		{"Resources: {A: {Type: [x]}}\n", "Template format error: [/Resources/A/Type] Every Type member must be a string."},
		{"Resources: {A: {Type: T, BucketName: x}}\n", "Invalid template resource property 'BucketName'"},
		{"Resources: {A-1: {Type: T}}\n", "Template format error: Resource name A-1 is non alphanumeric."},
		{"Resources: {A: x}\n", "Template format error: [/Resources/A] Any Resources member must be an object."},
		{"Resources: {A: {Type: T, DependsOn: B}}\n", "Template format error: Unresolved resource dependencies [B] in the Resources block of the template"},
		{"Parameters: {P: {Type: String, Default: x}}\nResources: {A: {Type: T, DependsOn: P}}\n", "Template format error: Unresolved resource dependencies [P] in the Resources block of the template"},
		{"Resources: {A: {Type: T, DependsOn: {x: y}}}\n", "Template format error: [/Resources/A/DependsOn] DependsOn must be a string or list of strings."},
		{"Resources: {A: {Type: T, DeletionPolicy: Keep}}\n", "Template format error: Unrecognized DeletionPolicy Keep for resource A."},
		{"Resources: {A: {Type: T, DeletionPolicy: Snapshot}}\n", "Template error: resource A does not support DeletionPolicy Snapshot"},
		{"Resources: {A: {Type: T, Condition: C}}\n", "Template format error: Unresolved condition dependency C in the Resources block of the template"},
		{"Resources: {A: {Type: T, CreationPolicy: {}}}\n", "The resource attribute CreationPolicy is not supported"},
		{ok + "Conditions: {C: !Condition D}\n", "Template format error: Unresolved condition dependency D in the Conditions block of the template"},
		{ok + "Conditions: {C: !Equals [!Ref A, b]}\n", "Template format error: Unresolved dependencies [A]. Cannot reference resources in the Conditions block of the template"},
		{ok + "Conditions: {C: !Not [!Condition D], D: !Not [!Condition C]}\n", "Template format error: Circular dependency between conditions: [C]"},
		{ok + "Conditions: {C: !Equals [a]}\n", "Template error: every Fn::Equals object requires a list of 2 string parameters."},
		{ok + "Conditions: {C: !Or [!Equals [a, b]]}\n", "Template error: every Fn::Or object requires a list of at least 2 and at most 10 boolean parameters."},
		{ok + "Conditions: {C: {a: b}}\n", "Template format error: Conditions can only be boolean operations on parameters and other conditions"},
		{ok + "Outputs: {O: {Value: !Ref X}}\n", "Template format error: Unresolved resource dependencies [X] in the Outputs block of the template"},
		{ok + "Outputs: {O: {Description: x}}\n", "Template format error: Output O is malformed."},
		{ok + "Outputs: {O: {Value: x, Colour: y}}\n", "Invalid template output property 'Colour'"},
		{ok + "Outputs: {O: {Value: x, Export: y}}\n", "Template format error: Output O is malformed. The Export field"},
		{ok + "Mappings: {M: {a: b}}\n", "Template format error: Every Mappings attribute must be a String or a List."},
		{ok + "Parameters: {A: {Type: String}}\n", "Template format error: Duplicate name A"},
		{ok + "x: &a [1]\nDescription: *a\n", "Template error: YAML aliases are not allowed in CloudFormation templates"},
		{"Resources:\n  A: {Type: T, <<: {B: c}}\n", "Template format error: YAML not well-formed. (line 2, column 16)"},
		{ok + "---\n" + ok, "Template format error: YAML not well-formed."},
		{"Resources:\n  A: {Type: T, Properties: {X: !Ref B}}\n  B: {Type: T, Properties: {X: !GetAtt A.Arn}}\n  C: {Type: T, DependsOn: A}\n", "Circular dependency between resources: [A, B]"},
		{strings.Repeat(" ", MaxSize+1), "Template may not exceed 1048576 bytes in size."},
		{"Resources: {A: {Type: T, Properties: {X: " + strings.Repeat("[", 150) + strings.Repeat("]", 150) + "}}}\n", "Template format error: YAML not well-formed."},
	} {
		_, err := Parse([]byte(c.body))
		if err == nil {
			t.Errorf("%.200q: no error, want %q", c.body, c.want)
			continue
		}
		if got := fault.MessageOf(err); !strings.HasPrefix(got, c.want) {
			t.Errorf("%.200q:\n got %q\nwant %q", c.body, got, c.want)
		}
		if code := fault.CodeOf(err); code != "ValidationError" && !errors.Is(err, fault.Unsupported) {
			t.Errorf("%.200q: code %q", c.body, code)
		}
	}
}

// The classic alias bomb must be refused at the first alias.
func TestAliasBomb(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	b.WriteString("a0: &a0 [x, x]\n")
	for i := 1; i < 40; i++ {
		p, n := string(rune('a'+(i-1)%26)), string(rune('a'+i%26))
		b.WriteString(n + "1: &" + n + "1 [*" + p + "1, *" + p + "1]\n")
	}
	if _, err := Parse([]byte(b.String())); err == nil {
		t.Error("an alias bomb was accepted")
	}
}

// TestFunctionBombs: a few words that ask for endless work or all memory.
func TestFunctionBombs(t *testing.T) {
	t.Parallel()
	nested := func(levels int, inner string) string {
		for range levels {
			inner = `{"Fn::Sub": ["${a}${a}${a}${a}${a}${a}${a}${a}", {"a": ` + inner + `}]}`
		}
		return inner
	}
	// Nothing, eight times as often with every level: cheap if done once each.
	if v, err := value(t, nested(20, `""`)); err != nil || v != "" {
		t.Errorf("%v, %v", v, err)
	}
	long := nested(4, `"`+strings.Repeat("x", 200)+`"`) // 800 KiB
	for name, yaml := range map[string]string{
		"text":   nested(20, `"x"`),
		"list":   "[" + long + "," + long + "]",
		"pieces": `{"Fn::Split": ["x", ` + long + `]}`,
		"parts":  `{"Fn::Join": ["` + strings.Repeat("y", 1000) + `", {"Fn::Split": ["x", ` + nested(2, `"`+strings.Repeat("x", 30)+`"`) + `]}]}`,
		"lists":  "[" + strings.Repeat("!Ref Zones,", 20000) + "]",
	} {
		if _, err := value(t, yaml); err == nil || !strings.Contains(err.Error(), "too long") {
			t.Errorf("%s: %.200v", name, err)
		}
	}
}

// TestManyMissing: a message does not list all that a large template lacks.
func TestManyMissing(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	b.WriteString("Resources: {A: {Type: T, Properties: {X: [")
	for i := range 300 {
		b.WriteString("!Ref N" + strconv.Itoa(i) + ", ")
	}
	_, err := Parse([]byte(b.String() + "]}}}"))
	if text := fault.MessageOf(err); !strings.Contains(text, "N99]") || strings.Contains(text, "N100") {
		t.Errorf("%v", err)
	}
}

func TestParameters(t *testing.T) {
	t.Parallel()
	const head = "Resources: {A: {Type: T}}\nParameters:\n  P: "
	for _, c := range []struct{ def, value, want string }{
		{`{Type: String}`, "x", ""},
		{`{Type: Number, MinValue: 1, MaxValue: 10}`, "10", ""},
		{`{Type: Number, MinValue: 1}`, "0.5", "Parameter 'P' must be a number not less than 1"},
		{`{Type: Number, MaxValue: 10}`, "11", "Parameter 'P' must be a number not greater than 10"},
		{`{Type: Number}`, "x", "Parameter 'P' must be a number."},
		{`{Type: Number}`, "1e999999999", "Parameter 'P' must be a number."},
		{`{Type: List<Number>}`, "1, 2", ""},
		{`{Type: List<Number>}`, "1,b", "Parameter 'P' must be a number."},
		{`{Type: String, AllowedValues: [a, b, 3]}`, "3", ""},
		{`{Type: String, AllowedValues: [a, b]}`, "c", "Parameter 'P' must be one of AllowedValues"},
		{`{Type: CommaDelimitedList, AllowedValues: [a, b]}`, "a,b", ""},
		{`{Type: CommaDelimitedList, AllowedValues: [a, b]}`, "a,c", "Parameter 'P' must be one of AllowedValues"},
		{`{Type: String, AllowedPattern: "[a-z]+"}`, "abc", ""},
		{`{Type: String, AllowedPattern: "[a-z]+"}`, "abc1", "Parameter 'P' must match pattern [a-z]+"},
		{`{Type: String, AllowedPattern: "[a-z]+", ConstraintDescription: only letters}`, "1", "Parameter 'P' failed to satisfy constraint: only letters"},
		{`{Type: String, MinLength: 3}`, "ab", "Parameter 'P' must contain at least 3 characters"},
		{`{Type: String, MaxLength: "3"}`, "äbcd", "Parameter 'P' must contain at most 3 characters"},
		{`{Type: String, MaxLength: 3}`, "äbc", ""},
		{`{Type: "AWS::EC2::VPC::Id"}`, "vpc-1", ""},
		{`{Type: "List<AWS::EC2::Subnet::Id>"}`, "a,b", ""},
		{`{Type: String, NoEcho: true}`, strings.Repeat("x", 4097), "Parameter 'P' must contain at most 4096 characters"},
		{`{Type: String, AllowedPattern: "(?=a)b"}`, "", "The AllowedPattern of parameter P is not supported"},
		{`{Type: Text}`, "", "Template format error: Unrecognized parameter type: Text"},
		{`{Default: x}`, "", "Template format error: Every Parameters object must contain a Type member."},
		{`{Type: String, Default: [x]}`, "", "Template format error: Every Default member must be a string."},
		{`{Type: String, Color: x}`, "", "Invalid template parameter property 'Color'"},
		{`{Type: String, MinLength: -1}`, "", "Template format error: Invalid MinLength -1 of parameter P."},
		{`{Type: "AWS::SSM::Parameter::Value<String>"}`, "", "The parameter type AWS::SSM::Parameter::Value<String> is not supported"},
	} {
		tpl, err := Parse([]byte(head + c.def + "\n"))
		if err == nil {
			_, err = tpl.Bind(map[string]string{"P": c.value}, testEnv)
		}
		got := fault.MessageOf(err)
		if got != c.want && (c.want == "" || !strings.HasPrefix(got, c.want)) {
			t.Errorf("%s with %.20q:\n got %q\nwant %q", c.def, c.value, got, c.want)
		}
	}
}

func TestBindNames(t *testing.T) {
	t.Parallel()
	tpl, err := Parse([]byte("Resources: {A: {Type: T}}\nParameters: {P: {Type: String}, Q: {Type: String}, R: {Type: String, Default: ''}}\n"))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		values map[string]string
		want   string
	}{
		{nil, "Parameters: [P, Q] must have values"},
		{map[string]string{"P": "", "Q": "", "Y": "", "X": ""}, "Parameters: [X, Y] do not exist in the template"},
		{map[string]string{"P": "", "Q": ""}, ""},
	} {
		_, err := tpl.Bind(c.values, testEnv)
		if got := fault.MessageOf(err); got != c.want {
			t.Errorf("Bind(%v): got %q, want %q", c.values, got, c.want)
		}
	}
}

func TestConditionsAndReferences(t *testing.T) {
	t.Parallel()
	const body = `
Parameters: {On: {Type: String}}
Conditions: {C: !Equals [!Ref On, "yes"]}
Resources:
  A: {Type: T, Condition: C}
  B: {Type: T, DependsOn: A, Properties: {X: !If [C, !Ref A, none]}}
Outputs:
  O: {Condition: C, Value: !Ref A}
  P: {Value: !GetAtt A.Arn}
`
	if _, err := resolve(t, body, map[string]string{"On": "yes"}); err != nil {
		t.Error(err)
	}
	_, err := resolve(t, body, map[string]string{"On": "no"})
	want := "Template format error: Unresolved resource dependencies [A] in the Outputs block of the template"
	if got := fault.MessageOf(err); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	r, err := resolve(t, strings.Replace(body, "  P: {Value: !GetAtt A.Arn}\n", "", 1), map[string]string{"On": "no"})
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(&resolved{Order: []string{"B"}, Properties: map[string]map[string]any{"B": {"X": "none"}}}, r); d != "" {
		t.Error(d)
	}
}

// A cycle through a branch that is not taken is none.
func TestCycleThroughCondition(t *testing.T) {
	t.Parallel()
	const body = `
Parameters: {On: {Type: String}}
Conditions: {C: !Equals [!Ref On, "yes"]}
Resources:
  A: {Type: T, Properties: {X: !If [C, !Ref B, none]}}
  B: {Type: T, Properties: {X: !Ref A}}
`
	if _, err := resolve(t, body, map[string]string{"On": "no"}); err != nil {
		t.Error(err)
	}
	_, err := resolve(t, body, map[string]string{"On": "yes"})
	if got, want := fault.MessageOf(err), "Circular dependency between resources: [A, B]"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestCapability(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ resources, need, reason string }{
		{"A: {Type: AWS::S3::Bucket}", "", ""},
		{"A: {Type: AWS::IAM::Role}", CapabilityIAM, "[AWS::IAM::Role]"},
		{"A: {Type: AWS::IAM::Policy, Properties: {PolicyName: x}}", CapabilityIAM, "[AWS::IAM::Policy]"},
		{"A: {Type: AWS::IAM::Role, Properties: {RoleName: x}}\n  B: {Type: AWS::IAM::Policy}", CapabilityNamedIAM, "[AWS::IAM::Policy, AWS::IAM::Role]"},
		{"A: {Type: AWS::IAM::UserPolicy}\n  B: {Type: AWS::IAM::GroupPolicy}\n  C: {Type: AWS::IAM::RolePolicy}", CapabilityIAM, "[AWS::IAM::GroupPolicy, AWS::IAM::RolePolicy, AWS::IAM::UserPolicy]"},
		{"A: {Type: AWS::IAM::User, Properties: {UserName: x}}", CapabilityNamedIAM, "[AWS::IAM::User]"},
		{"A: {Type: AWS::IAM::Group, Properties: {GroupName: x}}", CapabilityNamedIAM, "[AWS::IAM::Group]"},
		{"A: {Type: AWS::IAM::AccessKey, Properties: {UserName: x}}\n  B: {Type: AWS::IAM::UserToGroupAddition, Properties: {GroupName: x}}", CapabilityIAM, "[AWS::IAM::AccessKey, AWS::IAM::UserToGroupAddition]"},
		{"A: {Type: AWS::IAM::ManagedPolicy, Properties: {ManagedPolicyName: x}}", CapabilityNamedIAM, "[AWS::IAM::ManagedPolicy]"},
	} {
		tpl, err := Parse([]byte("Resources:\n  " + c.resources + "\n"))
		if err != nil {
			t.Fatal(err)
		}
		need, reason := tpl.Capability()
		if need != c.need || !strings.HasSuffix(reason, c.reason) {
			t.Errorf("%s: got %q, %q", c.resources, need, reason)
		}
		if err := tpl.Acknowledged([]string{CapabilityNamedIAM}); err != nil {
			t.Errorf("%s: %v", c.resources, err)
		}
		err = tpl.Acknowledged([]string{CapabilityIAM})
		if want := c.need == CapabilityNamedIAM; (err != nil) != want {
			t.Errorf("%s with CAPABILITY_IAM: %v", c.resources, err)
		}
		if err != nil && fault.MessageOf(err) != "Requires capabilities : [CAPABILITY_NAMED_IAM]" {
			t.Errorf("message %q", fault.MessageOf(err))
		}
	}
}
