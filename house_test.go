package nsmodel_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// The floors of the house. A package imports packages of lower floors only:
// floor-mates never meet. In tenths, so that 1½ is 15.
var floors = map[string]int{
	"nsmodel/conformance/explore/step":         0,
	"nsmodel/core/wire":                        0,
	"nsmodel/internal/rtnl":                    0,
	"nsmodel/netns":                            0,
	"nsmodel/conformance/explore/step/atomic":  1,
	"nsmodel/conformance/explore/step/maphash": 1,
	"nsmodel/conformance/explore/step/runtime": 1,
	"nsmodel/conformance/explore/step/sync":    1,
	"nsmodel/conformance/explore/search":       2,
	"nsmodel/conformance/tagvet":               5,
	"nsmodel/internal/linux":                   5,
	"nsmodel/core":                             10,
	"nsmodel/core/link/afpacket":               10,
	"nsmodel/core/link/tun":                    10,
	"nsmodel/core/link":                        15,
	"nsmodel/core/netlink":                     15,
	"nsmodel/core/sysctl":                      15,
	"nsmodel/fib":                              20,
	"nsmodel/netfilter":                        20,
	"nsmodel/sockhash":                         20,
	"nsmodel/ipv4":                             30,
	"nsmodel/ipv6":                             30,
	"nsmodel/transport/raw":                    40,
	"nsmodel/transport/udp":                    40,
	"nsmodel":                                  50,
	"nsmodel/lab":                              55,
	"nsmodel/live":                             55,
	"nsmodel/host":                             57,
	"nsmodel/bench/stage":                      58,
	"nsmodel/bench":                            60,
	"nsmodel/conformance":                      60,
	"nsmodel/compare":                          62,
	"nsmodel/compare/advise":                   62,
	"nsmodel/conformance/explore":              62,
	"nsmodel/conformance/explore/scene":        62,
	"nsmodel/conformance/law":                  62,
	"nsmodel/conformance/lockstep":             62,
	"nsmodel/conformance/soak":                 62,
	"nsmodel/conformance/explore/explorer":     63,
	"nsmodel/conformance/mutant":               65,
	"nsmodel/conformance/mutant/trial":         65,
	"nsmodel/cmd/nsmodel/report":               68,
	"nsmodel/cmd/nsmodel":                      70,
}

func TestImportsPointDown(t *testing.T) {
	out, err := exec.Command("go", "list", "-f", `{{.ImportPath}}{{range .Imports}} {{.}}{{end}}`, "./...").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	for _, line := range strings.Split(strings.TrimSpace(string(out)), "\n") {
		words := strings.Fields(line)
		from, known := floors[words[0]]
		if !known {
			t.Errorf("%s stands on no floor: give it one in house_test.go and DESIGN's drawing in the README", words[0])
			continue
		}
		for _, to := range words[1:] {
			if !strings.HasPrefix(to, "nsmodel") {
				continue
			}
			if floor, ok := floors[to]; ok && floor >= from {
				t.Errorf("%s (floor %.1f) imports %s (floor %.1f)", words[0], float64(from)/10, to, float64(floor)/10)
			}
		}
	}
}

// Wire imports nothing of ours, and nothing outside the command's packages may
// pull a large library into what users import.
func TestFewLibraries(t *testing.T) {
	out, err := exec.Command("go", "list", "-deps", "-f", `{{if not .Standard}}{{.ImportPath}}{{end}}`, "nsmodel").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	allowed := []string{"nsmodel", "github.com/google/btree", "github.com/cespare/xxhash/v2", "golang.org/x/sys/"}
	for _, dep := range strings.Fields(string(out)) {
		ok := false
		for _, a := range allowed {
			ok = ok || strings.HasPrefix(dep, a)
		}
		if !ok {
			t.Errorf("package nsmodel drags in %s", dep)
		}
	}
}

// That there is no ambient time, chance or goroutine and no package state is for
// conformance/tagvet to check: see TestHouseIsClean there.

// Every exported name and every package has a sentence.
func TestEveryExportedNameHasASentence(t *testing.T) {
	for _, root := range []string{"."} {
		err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			if d.IsDir() && strings.HasPrefix(d.Name(), ".") && path != "." {
				return filepath.SkipDir
			}
			if !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
				return nil
			}
			f, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ParseComments)
			if err != nil {
				return err
			}
			checkDocs(t, path, f)
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

func checkDocs(t *testing.T, path string, f *ast.File) {
	for _, decl := range f.Decls {
		switch d := decl.(type) {
		case *ast.FuncDecl:
			if d.Name.IsExported() && d.Doc == nil && exportedReceiver(d) {
				t.Errorf("%s: %s has no sentence", path, d.Name.Name)
			}
		case *ast.GenDecl:
			for _, spec := range d.Specs {
				if s, ok := spec.(*ast.TypeSpec); ok && s.Name.IsExported() && d.Doc == nil && s.Doc == nil {
					t.Errorf("%s: type %s has no sentence", path, s.Name.Name)
				}
			}
		}
	}
}

func exportedReceiver(d *ast.FuncDecl) bool {
	if d.Recv == nil || len(d.Recv.List) == 0 {
		return true
	}
	e := d.Recv.List[0].Type
	for {
		switch x := e.(type) {
		case *ast.StarExpr:
			e = x.X
		case *ast.IndexExpr:
			e = x.X
		case *ast.IndexListExpr:
			e = x.X
		case *ast.Ident:
			return x.IsExported()
		default:
			return true
		}
	}
}

// No package of ours is left out of the drawing.
func TestReadmeExists(t *testing.T) {
	b, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"go run ./cmd/nsmodel demo", "go test ./..."} {
		if !strings.Contains(string(b), want) {
			t.Errorf("README.md does not say %q", want)
		}
	}
}
