// Package arch holds the code against the floor plan: which room may import
// which, what nouns must keep away from, how large files may be, and that
// every package says what it is.
package arch

import (
	"bytes"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const (
	module       = "twinbucket/"
	root         = "../.."
	maxFile      = 800  // lines of a code file
	maxTestFile  = 1200 // lines of a test file
	maxRoom      = 6000 // lines of a package, tests aside
	maxFunction  = 100  // lines of a function
	maxParameter = 9
)

type source struct {
	path, room string
	test       bool
	lines      int
	file       *ast.File
	set        *token.FileSet
}

// sources parses every Go file of the module.
func sources(t *testing.T) []source {
	t.Helper()
	var out []source
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := d.Name()
		if d.IsDir() {
			if path != root && (strings.HasPrefix(name, ".") || name == "testdata" || name == "tools" || name == "e2e") {
				return filepath.SkipDir
			}
			return nil
		}
		if filepath.Ext(path) != ".go" {
			return nil
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		set := token.NewFileSet()
		file, err := parser.ParseFile(set, path, data, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		out = append(out, source{
			path: rel, room: filepath.ToSlash(filepath.Dir(rel)), test: strings.HasSuffix(path, "_test.go"),
			lines: bytes.Count(data, []byte("\n")), file: file, set: set,
		})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(out) < 50 {
		t.Fatalf("only %d files were found", len(out))
	}
	return out
}

// allowed returns the rooms that a room may import.
func allowed(room string) (map[string]bool, bool) {
	list, noun := nouns[room]
	if !noun {
		var ok bool
		if list, ok = rooms[room]; !ok {
			return nil, false
		}
	}
	out := map[string]bool{}
	for _, w := range strings.Fields(list) {
		switch {
		case w == "NOUNS":
			for n := range nouns {
				out[n] = true
			}
		case groups[w] != nil:
			for _, r := range groups[w] {
				out[r] = true
			}
		default:
			out[w] = true
		}
	}
	return out, true
}

func TestImportsFollowTheFloorPlan(t *testing.T) {
	t.Parallel()
	for _, s := range sources(t) {
		if s.test || strings.HasPrefix(s.room, "test/") {
			continue
		}
		may, ok := allowed(s.room)
		if !ok {
			t.Errorf("%s: the room %s is not in the floor plan", s.path, s.room)
			continue
		}
		_, noun := nouns[s.room]
		for _, imp := range s.file.Imports {
			path, err := strconv.Unquote(imp.Path.Value)
			if err != nil {
				t.Fatal(err)
			}
			ours, internal := strings.CutPrefix(path, module)
			switch {
			case internal && !may[ours]:
				t.Errorf("%s: %s may not import %s", s.path, s.room, ours)
			case noun && slices.Contains(impure, path):
				t.Errorf("%s: a noun must not import %s", s.path, path)
			case noun && !internal && strings.Contains(strings.Split(path, "/")[0], ".") && !slices.Contains(thirdParty[s.room], path):
				t.Errorf("%s: a noun must not import %s", s.path, path)
			}
		}
	}
}

func TestNounsHaveNoClockAndNoGoroutine(t *testing.T) {
	t.Parallel()
	for _, s := range sources(t) {
		if _, noun := nouns[s.room]; !noun || s.test {
			continue
		}
		ast.Inspect(s.file, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.GoStmt:
				t.Errorf("%s: a noun must not start a goroutine", s.set.Position(n.Pos()))
			case *ast.SelectorExpr:
				if x, ok := n.X.(*ast.Ident); ok && x.Name == "time" && slices.Contains([]string{"Now", "Sleep", "After", "Since", "NewTimer", "Tick"}, n.Sel.Name) {
					t.Errorf("%s: a noun must not use time.%s", s.set.Position(n.Pos()), n.Sel.Name)
				}
			}
			return true
		})
	}
}

func TestSizes(t *testing.T) {
	t.Parallel()
	perRoom := map[string]int{}
	for _, s := range sources(t) {
		limit := maxFile
		if s.test {
			limit = maxTestFile
		} else {
			perRoom[s.room] += s.lines
		}
		if s.lines > limit {
			t.Errorf("%s has %d lines, more than %d: split it by meaning", s.path, s.lines, limit)
		}
		for _, d := range s.file.Decls {
			f, ok := d.(*ast.FuncDecl)
			if !ok {
				continue
			}
			lines := s.set.Position(f.End()).Line - s.set.Position(f.Pos()).Line
			if lines > maxFunction && !s.test {
				t.Errorf("%s: %s has %d lines, more than %d", s.path, f.Name.Name, lines, maxFunction)
			}
			if n := f.Type.Params.NumFields(); n > maxParameter {
				t.Errorf("%s: %s has %d parameters", s.path, f.Name.Name, n)
			}
		}
	}
	for room, lines := range perRoom {
		if lines > maxRoom {
			t.Errorf("%s has %d lines, more than %d", room, lines, maxRoom)
		}
	}
}

func TestPackagesSayWhatTheyAre(t *testing.T) {
	t.Parallel()
	said := map[string]bool{}
	for _, s := range sources(t) {
		if s.test && !strings.HasPrefix(s.room, "test/") {
			continue
		}
		said[s.room] = said[s.room] || s.file.Doc != nil
	}
	for room, ok := range said {
		if !ok {
			t.Errorf("%s has no package comment", room)
		}
	}
}

func TestNamesSaySomething(t *testing.T) {
	t.Parallel()
	for _, s := range sources(t) {
		if s.test {
			continue
		}
		name := strings.TrimSuffix(filepath.Base(s.path), ".go")
		if slices.Contains(banned, name) || slices.Contains(banned, filepath.Base(s.room)) {
			t.Errorf("%s: the name says nothing about what is inside", s.path)
		}
	}
}

// TestExportedNamesAreDocumented holds everywhere; in nouns fields are not
// exempt by being obvious, but they are by a comment on their group.
func TestExportedNamesAreDocumented(t *testing.T) {
	t.Parallel()
	for _, s := range sources(t) {
		if s.test || strings.HasPrefix(s.room, "test/") || s.file.Name.Name == "main" {
			continue
		}
		for _, d := range s.file.Decls {
			switch d := d.(type) {
			case *ast.FuncDecl:
				if d.Name.IsExported() && d.Doc == nil && receiverIsExported(d) && !wellKnown(d.Name.Name) {
					t.Errorf("%s: %s has no comment", s.set.Position(d.Pos()), d.Name.Name)
				}
			case *ast.GenDecl:
				for _, spec := range d.Specs {
					switch spec := spec.(type) {
					case *ast.TypeSpec:
						if spec.Name.IsExported() && d.Doc == nil && spec.Doc == nil && spec.Comment == nil {
							t.Errorf("%s: %s has no comment", s.set.Position(spec.Pos()), spec.Name.Name)
						}
					case *ast.ValueSpec:
						if spec.Names[0].IsExported() && d.Doc == nil && spec.Doc == nil && spec.Comment == nil {
							t.Errorf("%s: %s has no comment", s.set.Position(spec.Pos()), spec.Names[0].Name)
						}
					}
				}
			}
		}
	}
}

// receiverIsExported reports whether a function is reached by its name: it has
// no receiver, or one of an exported type.
func receiverIsExported(f *ast.FuncDecl) bool {
	if f.Recv == nil {
		return true
	}
	t := f.Recv.List[0].Type
	for {
		switch x := t.(type) {
		case *ast.StarExpr:
			t = x.X
		case *ast.IndexExpr:
			t = x.X
		case *ast.Ident:
			return x.IsExported()
		default:
			return true
		}
	}
}

// wellKnown names methods whose meaning is their interface's.
func wellKnown(name string) bool {
	return slices.Contains([]string{"Read", "Write", "Close", "Len", "Less", "Swap", "Push", "Pop", "Unwrap", "Is", "Error", "String", "MarshalJSON", "UnmarshalJSON", "MarshalXML", "UnmarshalXML", "ServeHTTP", "WriteTo"}, name)
}
