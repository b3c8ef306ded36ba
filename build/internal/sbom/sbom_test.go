package sbom

import (
	"bytes"
	"encoding/json"
	"maps"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"testing"

	cdx "github.com/CycloneDX/cyclonedx-go"
	packageurl "github.com/package-url/packageurl-go"
	spdx "github.com/spdx/tools-golang/spdx/v2/v2_3"
)

func TestSchemas(t *testing.T) {
	bare := small()
	bare.Plan.Source, bare.Plan.Revision, bare.Plan.Dirty = "", "", true
	bare.Image.Repository, bare.Image.Tags = "", nil
	bare.Main.Path, bare.Main.Version, bare.Modules[0].Imports = "api", "(devel)", nil
	bare.Components, bare.Assets = nil, nil
	for name, in := range inputs(t, map[string]Input{"small": small(), "bare": bare}) {
		t.Run(name, func(t *testing.T) {
			validate(t, "spdx-2.3.schema.json", write(t, SPDX, in))
			validate(t, "bom-1.6.schema.json", write(t, CycloneDX, in))
		})
	}
}

// TestRoundTrip reads the documents with the libraries and writes them again.
func TestRoundTrip(t *testing.T) {
	for name, in := range inputs(t, map[string]Input{"small": small()}) {
		content := write(t, SPDX, in)
		if again, err := encode(readSPDX(t, content)); err != nil || !bytes.Equal(content, again) {
			t.Errorf("%s: SPDX changes when it is read and written: %v", name, err)
		}
		content = write(t, CycloneDX, in)
		if again, err := encodeBOM(readCycloneDX(t, content)); err != nil || !bytes.Equal(content, again) {
			t.Errorf("%s: CycloneDX changes when it is read and written: %v", name, err)
		}
		if !bytes.HasSuffix(content, []byte("}\n")) {
			t.Errorf("%s: no newline at the end", name)
		}
	}
}

func readSPDX(t *testing.T, content []byte) *spdx.Document {
	t.Helper()
	var doc spdx.Document
	if err := json.Unmarshal(content, &doc); err != nil {
		t.Fatal(err)
	}
	return &doc
}

func readCycloneDX(t *testing.T, content []byte) *cdx.BOM {
	t.Helper()
	var bom cdx.BOM
	if err := cdx.NewBOMDecoder(bytes.NewReader(content), cdx.BOMFileFormatJSON).Decode(&bom); err != nil {
		t.Fatal(err)
	}
	return &bom
}

func TestDeterminism(t *testing.T) {
	for name, f := range map[string]func(Input) ([]byte, error){"SPDX": SPDX, "CycloneDX": CycloneDX} {
		want := write(t, f, small())
		random := rand.New(rand.NewPCG(1, 2))
		for range 10 {
			in := small()
			shuffle(random, in.Modules)
			shuffle(random, in.Components)
			shuffle(random, in.Assets)
			shuffle(random, in.Main.Imports)
			in.Main.Imports = append(in.Main.Imports, in.Main.Imports[0])
			for _, c := range in.Components {
				shuffle(random, c.Files)
			}
			if got := write(t, f, in); !bytes.Equal(got, want) {
				t.Fatalf("%s: another order gives another document", name)
			}
		}
		// Whatever changes, the identity does.
		identity := regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-5[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}`)
		in := small()
		in.Modules[0].Sum = "h1:other="
		a, b := identity.Find(want), identity.Find(write(t, f, in))
		if a == nil || bytes.Equal(a, b) {
			t.Errorf("%s: identities %s and %s of different documents", name, a, b)
		}
	}
}

func shuffle[T any](r *rand.Rand, s []T) {
	r.Shuffle(len(s), func(i, j int) { s[i], s[j] = s[j], s[i] })
}

// TestModules compares the Go modules of both documents with the build info of the
// binary: each is there, and no other.
func TestModules(t *testing.T) {
	in := sampleInput(t)
	want := map[string]string{"std": strings.TrimPrefix(in.Std.Version, "go"), strings.ToLower(in.Main.Path): ""}
	for _, m := range in.Modules {
		want[strings.ToLower(m.Path)] = m.Version
	}
	check := func(document string, purls []string) {
		got := map[string]string{}
		for _, s := range purls {
			p, err := packageurl.FromString(s)
			if err != nil {
				t.Errorf("%s: %v", document, err)
			}
			if p.Type == packageurl.TypeGolang {
				got[strings.TrimPrefix(p.Namespace+"/"+p.Name, "/")] = p.Version
			}
		}
		if !maps.Equal(got, want) {
			t.Errorf("%s has modules\n%v\nwant\n%v", document, got, want)
		}
	}
	var purls []string
	for _, p := range readSPDX(t, write(t, SPDX, in)).Packages {
		for _, r := range p.PackageExternalReferences {
			purls = append(purls, r.Locator)
		}
	}
	check("SPDX", purls)
	purls = nil
	for _, c := range *readCycloneDX(t, write(t, CycloneDX, in)).Components {
		purls = append(purls, c.PackageURL)
	}
	check("CycloneDX", purls)
}

// TestGraph checks that every linked module can be reached from the service, and
// that the edges are those of the imports.
func TestGraph(t *testing.T) {
	in := sampleInput(t)
	edges := map[string][]string{}
	for _, r := range readSPDX(t, write(t, SPDX, in)).Relationships {
		if r.Relationship == "DEPENDS_ON" || r.Relationship == "DESCRIBES" {
			edges[string(r.RefA.ElementRefID)] = append(edges[string(r.RefA.ElementRefID)], string(r.RefB.ElementRefID))
		}
	}
	if n := reach(edges, "DOCUMENT"); n != len(in.Modules)+len(in.Components)+4 { // itself, the service, main and std
		t.Errorf("SPDX: %d elements can be reached", n)
	}
	bom := readCycloneDX(t, write(t, CycloneDX, in))
	edges = map[string][]string{}
	for _, d := range *bom.Dependencies {
		edges[d.Ref] = nil
		if d.Dependencies != nil {
			edges[d.Ref] = *d.Dependencies
		}
	}
	if n := reach(edges, applicationKey); n != len(edges) {
		t.Errorf("CycloneDX: %d of %d elements can be reached", n, len(edges))
	}
	grpc := edges["module:google.golang.org/grpc"]
	if !slices.Contains(grpc, "module:google.golang.org/protobuf") || !slices.Contains(grpc, stdKey) {
		t.Errorf("grpc depends on %v", grpc)
	}
	if !slices.IsSorted(grpc) {
		t.Errorf("dependencies are not sorted: %v", grpc)
	}
}

func reach(edges map[string][]string, from string) int {
	seen := map[string]bool{}
	var visit func(string)
	visit = func(s string) {
		if !seen[s] {
			seen[s] = true
			for _, to := range edges[s] {
				visit(to)
			}
		}
	}
	visit(from)
	return len(seen)
}

func TestReplaced(t *testing.T) {
	doc := string(write(t, SPDX, small()))
	for _, want := range []string{
		`"referenceLocator":"pkg:golang/github.com/fork/lib/sub@v1.0.1-0.20260101000000-abcdefabcdef"`,
		`"comment":"thimble:module:replaces=example.com/upstream/lib@v1.0.0"`,
		`"comment":"thimble:module:h1=h1:fork="`,
		`"downloadLocation":"git+https://github.com/fork/lib@abcdefabcdef#sub"`,
		`"referenceLocator":"pkg:golang/example.com/local"`,
	} {
		if !strings.Contains(doc, want) {
			t.Errorf("%s is missing", want)
		}
	}
	for _, absent := range []string{"./local", `"pkg:golang/example.com/upstream/lib@v1.0.0"`} {
		if strings.Contains(doc, absent) {
			t.Errorf("%s is there, and is not linked", absent)
		}
	}
	for _, c := range *readCycloneDX(t, write(t, CycloneDX, small())).Components {
		switch c.BOMRef {
		case "module:example.com/upstream/lib":
			if c.Name != "github.com/fork/lib/sub" || (*c.Pedigree.Ancestors)[0].PackageURL != "pkg:golang/example.com/upstream/lib@v1.0.0" {
				t.Errorf("replaced module: %+v", c)
			}
		case "module:example.com/local":
			if c.Name != "example.com/local" || c.Version != "(devel)" || c.PackageURL != "pkg:golang/example.com/local" {
				t.Errorf("module replaced by a folder: %+v", c)
			}
		}
	}
}

// TestOneVersion: both documents carry version, moduleVersion, revision and the
// dirty flag.
func TestOneVersion(t *testing.T) {
	for _, dirty := range []bool{false, true} {
		in := small()
		in.Plan.Dirty = dirty
		want := map[string]string{
			"thimble:version": "1.2.3", "thimble:moduleVersion": in.Plan.ModuleVersion,
			"thimble:revision": in.Plan.Revision, "thimble:dirty": map[bool]string{true: "true", false: "false"}[dirty],
		}
		got := map[string]string{}
		for _, p := range *readCycloneDX(t, write(t, CycloneDX, in)).Metadata.Component.Properties {
			got[p.Name] = p.Value
		}
		doc := readSPDX(t, write(t, SPDX, in))
		annotations := map[string]string{}
		for _, a := range doc.Packages[0].Annotations {
			name, value, _ := strings.Cut(a.AnnotationComment, "=")
			annotations[name] = value
		}
		for name, value := range want {
			if got[name] != value || annotations[name] != value {
				t.Errorf("dirty %v: %s is %q in CycloneDX and %q in SPDX, want %q", dirty, name, got[name], annotations[name], value)
			}
		}
		for _, p := range doc.Packages {
			if p.PackageName != in.Main.Path {
				continue
			}
			if p.PackageVersion != in.Plan.ModuleVersion {
				t.Errorf("main module has version %s", p.PackageVersion)
			}
			location := "git+https://github.com/acme/api@" + in.Plan.Revision
			if dirty {
				location = noAssertion // the revision is not what was built
			}
			if p.PackageDownloadLocation != location {
				t.Errorf("dirty %v: main module is at %s", dirty, p.PackageDownloadLocation)
			}
		}
	}
}

// TestSum: go.sum's h1 is a hash of hashes, and must not pass for one of a file.
func TestSum(t *testing.T) {
	for _, p := range readSPDX(t, write(t, SPDX, small())).Packages {
		if p.PrimaryPackagePurpose == "LIBRARY" && len(p.PackageChecksums) > 0 {
			t.Errorf("SPDX: %s has checksums", p.PackageName)
		}
	}
	for _, c := range *readCycloneDX(t, write(t, CycloneDX, small())).Components {
		if c.Type == cdx.ComponentTypeLibrary && c.Hashes != nil {
			t.Errorf("CycloneDX: %s has hashes", c.Name)
		}
	}
}

func TestErrors(t *testing.T) {
	tests := map[string]func(*Input){
		"module example.com/acme/api imports example.com/gone, which is not linked": func(in *Input) { in.Main.Imports = []string{"example.com/gone"} },
		"module:lonely appears twice":          func(in *Input) { in.Modules = append(in.Modules, Module{Path: "lonely"}) },
		"component:tzdata@2026a appears twice": func(in *Input) { in.Components = append(in.Components, in.Components[1]) },
		"file:/app/api appears twice":          func(in *Input) { in.Assets[0].Path = "/app/api" },
	}
	for want, change := range tests {
		in := small()
		change(&in)
		for name, f := range map[string]func(Input) ([]byte, error){"SPDX": SPDX, "CycloneDX": CycloneDX} {
			if _, err := f(in); err == nil || err.Error() != "write "+name+": "+want {
				t.Errorf("%s: got %v, want %s", name, err, want)
			}
		}
	}
}

// TestSecrets puts a secret into every part of the source's URL that can have one.
func TestSecrets(t *testing.T) {
	const secret = "hunter2"
	for _, source := range []string{
		"https://" + secret + "@github.com/acme/api", "https://me:" + secret + "@github.com/acme/api.git",
		"https://github.com/acme/api?token=" + secret, "https://github.com/acme/api#" + secret,
		"ssh://git:" + secret + "@github.com/acme/api", "me:" + secret + "@github.com:acme/api", "/home/" + secret + "/api",
	} {
		in := small()
		in.Plan.Source = source
		for name, f := range map[string]func(Input) ([]byte, error){"SPDX": SPDX, "CycloneDX": CycloneDX} {
			if bytes.Contains(write(t, f, in), []byte(secret)) {
				t.Errorf("source %s: the secret is in %s", source, name)
			}
		}
	}
}

// TestInputJSON checks that an input gives the same documents in another process.
func TestInputJSON(t *testing.T) {
	for name, in := range map[string]Input{"small": small(), "debugged": debugged(), "toolbox": toolbox()} {
		b, err := json.Marshal(in)
		if err != nil {
			t.Fatal(err)
		}
		var decoded Input
		if err := json.Unmarshal(b, &decoded); err != nil {
			t.Fatal(err)
		}
		for format, f := range map[string]func(Input) ([]byte, error){"SPDX": SPDX, "CycloneDX": CycloneDX} {
			if !bytes.Equal(write(t, f, in), write(t, f, decoded)) {
				t.Errorf("%s: %s changes when the input is encoded as JSON", name, format)
			}
		}
	}
}

func BenchmarkSPDX(b *testing.B)      { benchmark(b, SPDX) }
func BenchmarkCycloneDX(b *testing.B) { benchmark(b, CycloneDX) }

func benchmark(b *testing.B, f func(Input) ([]byte, error)) {
	in := sampleInput(b)
	b.SetBytes(int64(len(write(b, f, in))))
	b.ReportAllocs()
	for b.Loop() {
		write(b, f, in)
	}
}
