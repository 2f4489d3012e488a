// Command trim rewrites a file of openapi-gen so that it holds only the schemas
// that the named types need: the generator knows whole packages, and most of
// core/v1 is about pods, which weft does not serve.
package main

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/format"
	"go/parser"
	"go/token"
	"log"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"
)

func main() {
	log.SetFlags(0)
	if len(os.Args) < 3 {
		log.Fatal("usage: trim FILE PACKAGE.TYPE...")
	}
	if err := trim(os.Args[1], os.Args[2:]); err != nil {
		log.Fatalf("trim: %v", err)
	}
}

func trim(name string, roots []string) error {
	fset := token.NewFileSet()
	file, err := parser.ParseFile(fset, name, nil, parser.ParseComments)
	if err != nil {
		return err
	}
	f := generated{file: file, makers: map[string]*ast.FuncDecl{}}
	f.index()
	keep, err := f.reach(roots)
	if err != nil {
		return err
	}
	f.remove(keep)
	var out bytes.Buffer
	if err := format.Node(&out, fset, file); err != nil {
		return err
	}
	return os.WriteFile(name, out.Bytes(), 0o644)
}

// generated is a file of openapi-gen: a table from type to the function that
// makes its schema, and these functions.
type generated struct {
	file   *ast.File
	table  *ast.CompositeLit
	makers map[string]*ast.FuncDecl // by package.Type
}

func (f *generated) index() {
	byName := map[string]*ast.FuncDecl{}
	for _, d := range f.file.Decls {
		if fn, ok := d.(*ast.FuncDecl); ok {
			byName[fn.Name.Name] = fn
		}
	}
	ret := byName["GetOpenAPIDefinitions"].Body.List[0].(*ast.ReturnStmt)
	f.table = ret.Results[0].(*ast.CompositeLit)
	for _, e := range f.table.Elts {
		if entry := e.(*ast.KeyValueExpr); makerName(entry) != "" {
			f.makers[typesIn(entry.Key)[0]] = byName[makerName(entry)]
		}
	}
}

// makerName is empty for the few types that bring their own schema.
func makerName(entry *ast.KeyValueExpr) string {
	if call, ok := entry.Value.(*ast.CallExpr); ok {
		if fn, ok := call.Fun.(*ast.Ident); ok {
			return fn.Name
		}
	}
	return ""
}

// typesIn lists the types, as package.Type, of which n has a literal.
func typesIn(n ast.Node) []string {
	var types []string
	ast.Inspect(n, func(n ast.Node) bool {
		lit, ok := n.(*ast.CompositeLit)
		if !ok {
			return true
		}
		if sel, ok := lit.Type.(*ast.SelectorExpr); ok {
			types = append(types, sel.X.(*ast.Ident).Name+"."+sel.Sel.Name)
		}
		return true
	})
	return types
}

func (f *generated) reach(roots []string) (map[string]bool, error) {
	keep, todo := map[string]bool{}, slices.Clone(roots)
	for len(todo) > 0 {
		name := todo[0]
		todo = todo[1:]
		if keep[name] {
			continue
		}
		keep[name] = true
		if fn := f.makers[name]; fn != nil {
			todo = append(todo, typesIn(fn)...)
		}
	}
	for _, r := range roots {
		if f.makers[r] == nil {
			return nil, fmt.Errorf("no type %s in the file", r)
		}
	}
	return keep, nil
}

func (f *generated) remove(keep map[string]bool) {
	f.table.Elts = slices.DeleteFunc(f.table.Elts, func(e ast.Expr) bool {
		return !keep[typesIn(e.(*ast.KeyValueExpr).Key)[0]]
	})
	gone := map[ast.Decl]bool{}
	for name, fn := range f.makers {
		gone[fn] = !keep[name]
	}
	f.file.Comments = slices.DeleteFunc(f.file.Comments, func(c *ast.CommentGroup) bool {
		return slices.ContainsFunc(f.file.Decls, func(d ast.Decl) bool {
			return gone[d] && d.Pos() <= c.End() && c.Pos() <= d.End() || isDoc(d, c) && gone[d]
		})
	})
	f.file.Decls = slices.DeleteFunc(f.file.Decls, func(d ast.Decl) bool { return gone[d] })
	f.removeImports()
}

func isDoc(d ast.Decl, c *ast.CommentGroup) bool {
	fn, ok := d.(*ast.FuncDecl)
	return ok && fn.Doc == c
}

func (f *generated) removeImports() {
	used := map[string]bool{}
	ast.Inspect(f.file, func(n ast.Node) bool {
		if sel, ok := n.(*ast.SelectorExpr); ok {
			if pkg, ok := sel.X.(*ast.Ident); ok {
				used[pkg.Name] = true
			}
		}
		return true
	})
	for _, d := range f.file.Decls {
		gen, ok := d.(*ast.GenDecl)
		if !ok || gen.Tok != token.IMPORT {
			continue
		}
		gen.Specs = slices.DeleteFunc(gen.Specs, func(s ast.Spec) bool { return !used[importName(s.(*ast.ImportSpec))] })
	}
}

func importName(s *ast.ImportSpec) string {
	if s.Name != nil {
		return s.Name.Name
	}
	target, err := strconv.Unquote(s.Path.Value)
	if err != nil {
		return ""
	}
	return strings.TrimSpace(path.Base(target))
}
