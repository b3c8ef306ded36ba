package sbom

import (
	"bytes"
	"context"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"debug/buildinfo"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/thimble-build/thimble/build/internal/license"
	"github.com/thimble-build/thimble/build/internal/testtool"
	"github.com/thimble-build/thimble/build/internal/tree"
	"github.com/thimble-build/thimble/build/plan"
)

const (
	schemas       = "../../../../shared/schemas/" // beside the project
	sampleService = "../../../sample-service"
)

// validate checks a document against an official schema, formats included.
func validate(t *testing.T, schema string, document []byte) {
	t.Helper()
	if !testtool.Part(t, "the official schemas in ../shared/schemas") {
		return
	}
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	for _, name := range []string{"bom-1.6.schema.json", "jsf-0.82.schema.json", "spdx.schema.json", "spdx-2.3.schema.json"} {
		b, err := os.ReadFile(schemas + name)
		if err != nil {
			t.Fatal(err)
		}
		doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(b))
		if err != nil {
			t.Fatal(err)
		}
		if err := c.AddResource("http://cyclonedx.org/schema/"+name, doc); err != nil {
			t.Fatal(err)
		}
	}
	s, err := c.Compile("http://cyclonedx.org/schema/" + schema)
	if err != nil {
		t.Fatal(err)
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(document))
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Validate(doc); err != nil {
		t.Errorf("%s: %v", schema, err)
	}
}

func write(t testing.TB, f func(Input) ([]byte, error), in Input) []byte {
	t.Helper()
	b, err := f(in)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func licensed(expression string) license.Result {
	return license.Result{Expression: expression, Declared: expression, Copyrights: []string{"Copyright (c) 2020 A. Gopher"}}
}

// small is a service with one of everything.
func small() Input {
	image := plan.Image{
		Name: "api", Package: "example.com/acme/api/cmd/api", Repository: "registry.example.com/acme/api",
		Tags: []string{"v1.2.3"}, Title: "The API", Base: "scratch",
	}
	file := func(path string) tree.File {
		h1, h256, h512 := sha1.Sum([]byte(path)), sha256.Sum256([]byte(path)), sha512.Sum512([]byte(path))
		return tree.File{
			Path: path, Size: int64(len(path)),
			SHA1: hex.EncodeToString(h1[:]), SHA256: hex.EncodeToString(h256[:]), SHA512: hex.EncodeToString(h512[:]),
		}
	}
	binary := file("/app/api")
	return Input{
		Plan: &plan.Plan{
			Kit:     plan.Kit{Path: "github.com/thimble-build/thimble", Version: "v0.1.0"},
			Module:  plan.Module{Path: "example.com/acme/api", Dir: "."},
			Version: "1.2.3", ModuleVersion: "v0.0.0-20260102030405-0123456789ab",
			Revision:        "0123456789abcdef0123456789abcdef01234567",
			SourceDateEpoch: 1767323045, Source: "https://github.com/acme/api",
			Toolchain: plan.Toolchain{Version: "go1.26.8"},
		},
		Image: image, Platform: plan.Platform{OS: "linux", Architecture: "arm", Variant: "v7"},
		Binary: Binary{Path: binary.Path, Name: "api", Size: 8, SHA1: binary.SHA1, SHA256: binary.SHA256, SHA512: binary.SHA512},
		Main: Module{
			Path: "example.com/acme/api", Version: "v0.0.0-20260102030405-0123456789ab",
			Imports: []string{"std", "github.com/BurntSushi/toml", "example.com/local", "example.com/upstream/lib"},
			License: licensed("Apache-2.0"),
		},
		Modules: []Module{
			{Path: "github.com/BurntSushi/toml", Version: "v1.4.0", Sum: "h1:toml=", Imports: []string{"std"}, License: licensed("MIT")},
			{
				Path: "example.com/upstream/lib", Version: "v1.0.0",
				Replace: &Module{Path: "github.com/fork/lib/sub", Version: "v1.0.1-0.20260101000000-abcdefabcdef", Sum: "h1:fork="},
				Imports: []string{"github.com/BurntSushi/toml", "std"}, License: licensed("(Apache-2.0 OR MIT) AND ISC"),
			},
			{Path: "example.com/local", Version: "v0.0.0", Replace: &Module{Path: "./local", Version: "(devel)"}, Imports: []string{"std"}},
			{Path: "lonely", Version: "(devel)", License: licensed("ISC")},
		},
		Std: Module{Path: "std", Version: "go1.26.8", License: licensed("BSD-3-Clause")},
		Components: []tree.Component{
			{
				Name: "mozilla-ca-certificates", Version: "20260101", PURL: "pkg:generic/mozilla-ca-certificates@20260101", License: "MPL-2.0",
				Supplier: "Mozilla", DownloadLocation: "https://example.com/roots.txt", Files: []tree.File{file("/etc/ssl/certs/ca-certificates.crt")},
			},
			{
				Name: "tzdata", Version: "2026a", PURL: "pkg:generic/tzdata@2026a", Supplier: "IANA",
				DownloadLocation: "https://example.com/tzdata.tar.gz",
				Files:            []tree.File{file("/usr/share/zoneinfo/UTC"), file("/usr/share/zoneinfo/Europe/Berlin")},
			},
		},
		Assets: []Asset{{File: file("/srv/site.zip")}, {File: file("/srv/run.sh"), Executable: true}},
	}
}

// sample is sample-service, really built and scanned, once.
var sample = sync.OnceValues(func() (in Input, err error) {
	dir, err := os.MkdirTemp("", "sbom")
	if err != nil {
		return in, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	run := func(args ...string) (string, error) {
		return testtool.Output(sampleService, []string{"GOWORK=off", "CGO_ENABLED=0", "GOOS=linux", "GOARCH=amd64", "GOFLAGS="}, "go", args...)
	}
	binary := filepath.Join(dir, "sample-service")
	if _, err := run("build", "-trimpath", "-buildvcs=false", "-ldflags=-s -w", "-o", binary, "./cmd/sample-service"); err != nil {
		return in, err
	}
	info, err := buildinfo.ReadFile(binary)
	if err != nil {
		return in, err
	}
	listed, err := run("list", "-deps", "-json=ImportPath,Dir,Imports,Module", "./cmd/sample-service")
	if err != nil {
		return in, err
	}
	goroot, err := run("env", "GOROOT")
	if err != nil {
		return in, err
	}

	in = small()
	in.Image.Name, in.Image.Package = "sample-service", info.Path
	in.Platform = plan.Platform{OS: "linux", Architecture: "amd64"}
	in.Plan.Module.Path, in.Plan.ModuleVersion = info.Main.Path, info.Main.Version
	in.Std.Version, in.Plan.Toolchain.Version = info.GoVersion, info.GoVersion
	in.Binary, err = digest(binary)
	if err != nil {
		return in, err
	}

	type pkg struct {
		ImportPath, Dir string
		Imports         []string
		Module          *struct{ Path, Dir string }
	}
	moduleOf := map[string]string{} // by import path
	var packages []pkg
	decoder := json.NewDecoder(strings.NewReader(listed))
	for {
		var p pkg
		if err := decoder.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return in, err
		}
		moduleOf[p.ImportPath] = "std"
		if p.Module != nil {
			moduleOf[p.ImportPath] = p.Module.Path
		}
		packages = append(packages, p)
	}
	imports := map[string][]string{}
	texts := map[string]license.Module{}
	for _, p := range packages {
		from := moduleOf[p.ImportPath]
		if from == "std" {
			continue
		}
		for _, i := range p.Imports {
			if to, ok := moduleOf[i]; ok && to != from {
				imports[from] = append(imports[from], to)
			}
		}
		m := texts[from]
		m.Path, m.Dir = from, p.Module.Dir
		rel, err := filepath.Rel(m.Dir, p.Dir)
		if err != nil {
			return in, err
		}
		m.Packages = append(m.Packages, filepath.ToSlash(rel))
		texts[from] = m
	}
	scan := []license.Module{license.Standard(strings.TrimSpace(string(goroot)), info.GoVersion), texts[info.Main.Path]}
	module := func(d *debug.Module) Module {
		return Module{Path: d.Path, Version: d.Version, Sum: d.Sum, Imports: imports[d.Path]}
	}
	in.Main = module(&info.Main)
	in.Modules = nil
	for _, d := range info.Deps {
		in.Modules = append(in.Modules, module(d))
		scan = append(scan, texts[d.Path])
	}
	results, err := license.Scan(context.Background(), scan, nil)
	if err != nil {
		return in, err
	}
	in.Std.License, in.Main.License = results[0], results[1]
	for i := range in.Modules {
		in.Modules[i].License = results[i+2]
	}
	return in, nil
})

// inputs adds sample-service, if that is asked for.
func inputs(t testing.TB, all map[string]Input) map[string]Input {
	t.Helper()
	if testtool.Part(t, compiled) {
		all["sample-service"] = sampleInput(t)
	}
	return all
}

// compiled is what tests of sample-service need.
const compiled = "minutes: it compiles sample-service"

func sampleInput(t testing.TB) Input {
	t.Helper()
	testtool.OnRequest(t, compiled)
	in, err := sample()
	if err != nil {
		t.Fatal(err)
	}
	in.Modules = slices.Clone(in.Modules)
	return in
}

func digest(file string) (Binary, error) {
	f, err := os.Open(file)
	if err != nil {
		return Binary{}, err
	}
	defer f.Close()
	h1, h256, h512 := sha1.New(), sha256.New(), sha512.New()
	size, err := io.Copy(io.MultiWriter(h1, h256, h512), f)
	sum := func(b []byte) string { return hex.EncodeToString(b) }
	name := filepath.Base(file)
	return Binary{"/app/" + name, name, size, sum(h1.Sum(nil)), sum(h256.Sum(nil)), sum(h512.Sum(nil))}, err
}
