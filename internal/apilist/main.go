// Command apilist writes the exported declarations of packages, without comments and
// bodies, so that a review sees each change of the API. Its arguments are folders.
package main

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/parser"
	"go/printer"
	"go/token"
	"log"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

var (
	format = printer.Config{Mode: printer.UseSpaces, Tabwidth: 4}
	blank  = regexp.MustCompile(`\n\s*\n`) // where comments were
)

func main() {
	log.SetFlags(0)
	for _, dir := range os.Args[1:] {
		if err := list(dir); err != nil {
			log.Fatal(err)
		}
	}
}

// list writes the declarations of one package, sorted.
func list(dir string) error {
	paths, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		return err
	}
	var declarations []string
	files := token.NewFileSet()
	for _, path := range paths {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(files, path, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		if !ast.FileExports(file) {
			continue
		}
		for _, d := range file.Decls {
			if f, ok := d.(*ast.FuncDecl); ok {
				if !exported(f.Recv) {
					continue
				}
				f.Body = nil
			}
			if g, ok := d.(*ast.GenDecl); ok && g.Tok == token.IMPORT {
				continue
			}
			var text bytes.Buffer
			if err := format.Fprint(&text, files, d); err != nil {
				return err
			}
			declarations = append(declarations, blank.ReplaceAllString(text.String(), "\n"))
		}
	}
	slices.Sort(declarations)
	_, err = fmt.Printf("package %s\n\n%s\n\n", filepath.ToSlash(filepath.Clean(dir)), strings.Join(declarations, "\n"))
	return err
}

// exported reports whether a method's receiver, if there is one, is exported.
func exported(receiver *ast.FieldList) bool {
	if receiver == nil {
		return true
	}
	of := receiver.List[0].Type
	for {
		switch e := of.(type) {
		case *ast.StarExpr:
			of = e.X
		case *ast.IndexExpr:
			of = e.X
		case *ast.Ident:
			return e.IsExported()
		default:
			return true
		}
	}
}
