package generate

import (
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/tools/go/packages"
)

const typeExample = "example.com/shop/events.OrderPlaced"

// goType is what the messages of a queue decode to.
type goType struct {
	Path string // of its package; "" for the generated code's own, and for Go's own types
	Name string
	pkg  string // the name of the package at Path, once it was found
}

func (t goType) String() string {
	if t.Path == "" {
		return t.Name
	}
	return t.Path + "." + t.Name
}

// builtin reports whether a type needs no package: any, string, int64.
func (t goType) builtin() bool {
	_, is := types.Universe.Lookup(t.Name).(*types.TypeName)
	return is && t.Path == "" && t.Name != "comparable" && t.Name != "error"
}

func takeType(q *Queue, v string) error {
	path, name := "", v
	dot := strings.LastIndexByte(v, '.')
	if dot >= 0 {
		path, name = v[:dot], v[dot+1:]
	}
	if !token.IsIdentifier(name) || dot == 0 || strings.ContainsAny(path, " *[]{}\"") || path != "" && !ast.IsExported(name) {
		return errors.New("the name of a type behind its import path, such as " + typeExample + ", or alone for one in the package of the code")
	}
	q.Type = goType{Path: path, Name: name}
	return nil
}

// findTypes makes sure that the Go types are there. It parses the packages that
// should have them and compiles nothing, since the code to be generated may be
// missing.
func (d *Declaration) findTypes() error {
	r := &reader{file: d.File}
	own, err := filepath.Abs(filepath.Dir(d.Code))
	if err != nil {
		return err
	}
	found := map[string]*goPackage{}
	for _, q := range d.Queues {
		if q.Type.builtin() {
			continue
		}
		pkg := found[q.Type.Path]
		if pkg == nil {
			if pkg, err = findPackage(own, q.Type.Path); err != nil {
				return fmt.Errorf("looking for the types of %s: %w", d.File, err)
			}
			found[q.Type.Path] = pkg
		}
		if where, declared := q.at["type"]; declared {
			if err := pkg.has(q.Type); err != nil {
				r.fail(where, "%v", err)
			}
		}
		q.Type.pkg = pkg.name
		if pkg.dir == own {
			q.Type.Path = ""
		}
	}
	return r.err()
}

// goPackage is a package and the types that it defines.
type goPackage struct {
	name, dir string
	types     map[string]*ast.TypeSpec
	missing   string // why it is not there
}

// has returns why a type cannot be used, or nil.
func (p *goPackage) has(t goType) error {
	spec := p.types[t.Name]
	switch {
	case p.missing != "" && t.Path == "":
		return fmt.Errorf("there is no type %s, nor any Go, in the package of the code; write it there, or put its import path in front of it, as in %s", t.Name, typeExample)
	case p.missing != "":
		return fmt.Errorf("there is no package %s: %s", t.Path, p.missing)
	case p.name == "main" && t.Path != "":
		return fmt.Errorf("%s is a program, which cannot be imported; move the type to a package of its own", t.Path)
	case spec == nil:
		return fmt.Errorf("there is no type %s in package %s; it has %s", t.Name, p.name, p.exported())
	case spec.TypeParams != nil:
		return fmt.Errorf("%s is generic; name a type without parameters, such as one that is defined by it", t)
	}
	return nil
}

// exported lists the types that others may use.
func (p *goPackage) exported() string {
	names := slices.DeleteFunc(slices.Sorted(maps.Keys(p.types)), func(name string) bool { return !ast.IsExported(name) })
	const most = 8
	switch {
	case len(names) == 0:
		return "no exported types"
	case len(names) > most:
		return fmt.Sprintf("%s and %d more", strings.Join(names[:most], ", "), len(names)-most)
	}
	return strings.Join(names, ", ")
}

// findPackage returns the package of that import path, as one in directory own
// would import it; for "" the one in own.
func findPackage(own, path string) (*goPackage, error) {
	pkg := &goPackage{types: map[string]*ast.TypeSpec{}, missing: "nothing is there"}
	from, pattern := own, path
	if path == "" {
		pattern = "."
		if _, err := os.Stat(own); err != nil {
			return pkg, nil //nolint:nilerr // a directory that is still to be made
		}
	}
	for _, err := os.Stat(from); err != nil; _, err = os.Stat(from) {
		from = filepath.Dir(from)
	}
	loaded, err := packages.Load(&packages.Config{
		Mode: packages.NeedName | packages.NeedFiles | packages.NeedCompiledGoFiles,
		Dir:  from,
	}, "pattern="+pattern)
	if err != nil || len(loaded) != 1 {
		return pkg, err
	}
	if len(loaded[0].CompiledGoFiles) == 0 {
		for _, err := range loaded[0].Errors {
			pkg.missing, _, _ = strings.Cut(err.Msg, "\n")
		}
		return pkg, nil
	}
	pkg.name, pkg.missing, pkg.dir = loaded[0].Name, "", loaded[0].Dir
	for _, file := range loaded[0].CompiledGoFiles {
		// A file that does not parse to its end may have the type all the same.
		tree, _ := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
		if tree == nil {
			continue
		}
		for _, decl := range tree.Decls {
			if types, is := decl.(*ast.GenDecl); is && types.Tok == token.TYPE {
				for _, spec := range types.Specs {
					spec := spec.(*ast.TypeSpec)
					pkg.types[spec.Name.Name] = spec
				}
			}
		}
	}
	return pkg, nil
}
