package template

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func FuzzParse(f *testing.F) {
	files, err := filepath.Glob("testdata/*.yaml")
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range files {
		body, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(body)
	}
	for _, s := range []string{
		`{"Resources": {"A": {"Type": "T", "Properties": {"X": {"Fn::Sub": ["${A}", {}]}}}}}`,
		"Resources: {A: {Type: T, Properties: {X: !If [C, a, !Ref AWS::NoValue]}}}\nConditions: {C: !Not [!Equals [a, b]]}\n",
		"a: &a [*a]\n", "{\"a\": 1", "? [x]\n: y\n", "!Ref x", "\x00",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		tpl, err := Parse(body)
		if err != nil {
			if err.Error() == "" {
				t.Error("an error without words")
			}
			return
		}
		tpl.Capability()
		s, err := tpl.Bind(nil, testEnv)
		if err != nil {
			return
		}
		for _, r := range s.Resources() {
			if p, err := s.Properties(r, physical{}); err == nil && JSON(p) == nil {
				t.Errorf("properties of %s have no JSON", r.Name)
			}
		}
		if _, err := s.Outputs(physical{}); err != nil && err.Error() == "" {
			t.Error("an error without words")
		}
	})
}

// Every resource comes after what it depends on, and the same template always
// gives the same order.
func TestOrderProperty(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 12).Draw(t, "n")
		rank := rapid.Permutation(seq(n)).Draw(t, "rank")
		var b strings.Builder
		b.WriteString("Resources:\n")
		needs := map[string][]string{}
		for i := range n {
			name := fmt.Sprintf("R%d", i)
			fmt.Fprintf(&b, "  %s:\n    Type: T\n    Properties:\n      L:\n        - x\n", name)
			for j := range n {
				if rank[j] < rank[i] && rapid.Bool().Draw(t, "edge") {
					dep := fmt.Sprintf("R%d", j)
					needs[name] = append(needs[name], dep)
					fmt.Fprintf(&b, "        - %s\n", rapid.SampledFrom([]string{"!Ref " + dep, "!GetAtt " + dep + ".Arn", "!Sub '${" + dep + "}'"}).Draw(t, "how"))
				}
			}
		}
		tpl, err := Parse([]byte(b.String()))
		if err != nil {
			t.Fatalf("%v in\n%s", err, b.String())
		}
		var orders [2][]string
		for i := range orders {
			s, err := tpl.Bind(nil, testEnv)
			if err != nil {
				t.Fatal(err)
			}
			done := map[string]bool{}
			for _, r := range s.Resources() {
				for _, d := range needs[r.Name] {
					if !done[d] {
						t.Fatalf("%s comes before %s", r.Name, d)
					}
				}
				done[r.Name] = true
				orders[i] = append(orders[i], r.Name)
			}
			if len(done) != n {
				t.Fatalf("%d of %d resources", len(done), n)
			}
		}
		if d := cmp.Diff(orders[0], orders[1]); d != "" {
			t.Fatal(d)
		}
	})
}

func seq(n int) []int {
	s := make([]int, n)
	for i := range s {
		s[i] = i
	}
	return s
}

// JSON and YAML forms of one template mean the same.
func TestJSONAndYAMLAgree(t *testing.T) {
	t.Parallel()
	y := "Resources:\n  B:\n    Type: T\n    Properties:\n      A: !Sub '${AWS::Region}-x'\n      B: [1, true, !Ref AWS::AccountId]\n      C: {D: 1.50}\n"
	j := "{\"Resources\":\t{\"B\": {\"Type\": \"T\", \"Properties\": {\n\t\"A\": {\"Fn::Sub\": \"${AWS::Region}-x\"}, \"B\": [1, true, {\"Ref\": \"AWS::AccountId\"}], \"C\": {\"D\": 1.50}}}}}"
	a, err := resolve(t, y, nil)
	if err != nil {
		t.Fatal(err)
	}
	b, err := resolve(t, j, nil)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(a, b); d != "" {
		t.Error(d)
	}
}
