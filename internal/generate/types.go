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

// goType is the type that the messages of a queue decode to.
type goType struct {
	Path string // of its package; "" for the package of the generated code and built-in types
	Name string
	pkg  string // the name of the package at Path, set by findTypes
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
		return errors.New("a type with its import path, such as " + typeExample + ", or its name alone if it is in the package of the generated code")
	}
	q.Type = goType{Path: path, Name: name}
	return nil
}

// findTypes checks that the Go types exist. It parses the packages that should have
// them and does not compile, as the generated code may be missing.
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
				return fmt.Errorf("find the types of %s: %w", d.File, err)
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
	missing   string // why the package was not found
}

// has returns an error if a type cannot be used.
func (p *goPackage) has(t goType) error {
	spec := p.types[t.Name]
	switch {
	case p.missing != "" && t.Path == "":
		return fmt.Errorf("there is no type %s in the package of the generated code, which has no Go files yet; write the type there, or give its import path, as in %s", t.Name, typeExample)
	case p.missing != "":
		return fmt.Errorf("there is no package %s: %s", t.Path, p.missing)
	case p.name == "main" && t.Path != "":
		return fmt.Errorf("%s is a program, which cannot be imported; move the type to another package", t.Path)
	case spec == nil:
		return fmt.Errorf("there is no type %s in package %s; it has %s", t.Name, p.name, p.exported())
	case spec.TypeParams != nil:
		return fmt.Errorf("%s is generic; name a type without type parameters, such as one defined with it", t)
	}
	return nil
}

// exported lists the exported types.
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

// findPackage returns the package with the import path, as a package in directory
// own would import it. For "" it returns the package in own.
func findPackage(own, path string) (*goPackage, error) {
	pkg := &goPackage{types: map[string]*ast.TypeSpec{}, missing: "nothing was found"}
	from, pattern := own, path
	if path == "" {
		pattern = "."
		if _, err := os.Stat(own); err != nil {
			return pkg, nil //nolint:nilerr // the directory does not exist yet
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
		// A file with a syntax error may still declare the type before it.
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
