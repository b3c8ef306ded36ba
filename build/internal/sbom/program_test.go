package sbom

import (
	"slices"
	"strings"
	"testing"

	cdx "github.com/CycloneDX/cyclonedx-go"
)

// debugged is the service with a debugger beside it, which shares one module with it in
// the same version and one in another.
func debugged() Input {
	in := small()
	binary := in.Binary
	binary.Path, binary.Name = "/debug/bin/dlv", "dlv"
	in.Programs = []Program{{
		Path: "github.com/go-delve/delve", Binary: &binary,
		Modules: []Module{
			{Path: "github.com/go-delve/delve", Version: "v1.27.2", Sum: "h1:delve=", License: licensed("MIT"), Imports: []string{"std", "github.com/BurntSushi/toml", "lonely"}},
			{Path: "github.com/BurntSushi/toml", Version: "v1.4.0", Sum: "h1:toml=", Imports: []string{"std"}, License: licensed("MIT")},
			{Path: "lonely", Version: "v2.0.0", Imports: []string{"std"}, License: licensed("ISC")},
		},
		Std: in.Std,
	}}
	return in
}

// toolbox is the debugger alone.
func toolbox() Input {
	in := debugged()
	in.Binary, in.Programs[0].Binary = *in.Programs[0].Binary, nil
	in.Main, in.Modules, in.Std = Module{}, nil, Module{}
	return in
}

func TestPrograms(t *testing.T) {
	for name, test := range map[string]struct {
		in             Input
		modules, edges []string
	}{
		"debug": {debugged(),
			[]string{"example.com/acme/api", "example.com/local", "github.com/BurntSushi/toml@v1.4.0", "github.com/fork/lib/sub", "github.com/go-delve/delve@v1.27.2", "lonely", "lonely@v2.0.0", "std"},
			[]string{"file:/debug/bin/dlv", "module:github.com/BurntSushi/toml", "module:lonely@v2.0.0", "std"}},
		"toolbox": {toolbox(),
			[]string{"github.com/BurntSushi/toml@v1.4.0", "github.com/go-delve/delve@v1.27.2", "lonely@v2.0.0", "std"},
			[]string{"module:github.com/BurntSushi/toml", "module:lonely", "std"}},
	} {
		t.Run(name, func(t *testing.T) {
			validate(t, "spdx-2.3.schema.json", write(t, SPDX, test.in))
			content := write(t, CycloneDX, test.in)
			validate(t, "bom-1.6.schema.json", content)
			bom := readCycloneDX(t, content)
			var modules []string
			for _, c := range *bom.Components {
				if c.Type == cdx.ComponentTypeLibrary {
					modules = append(modules, c.Name+"@"+c.Version)
				}
			}
			for _, want := range test.modules {
				if !slices.ContainsFunc(modules, func(m string) bool { return strings.HasPrefix(m, want+"@") || m == want }) {
					t.Errorf("%s is missing among %q", want, modules)
				}
			}
			if len(modules) != len(test.modules) {
				t.Errorf("modules are %q", modules)
			}
			for _, d := range *bom.Dependencies {
				if d.Ref == "module:github.com/go-delve/delve" && !slices.Equal(*d.Dependencies, test.edges) {
					t.Errorf("delve depends on %q", *d.Dependencies)
				}
			}
			if n, err := Components(test.in); err != nil || n != len(*bom.Components) {
				t.Errorf("Components = %d, %v; the document has %d", n, err, len(*bom.Components))
			}
		})
	}
	in := debugged()
	in.Programs[0].Path = "example.com/other"
	if _, err := SPDX(in); err == nil || !strings.Contains(err.Error(), "program example.com/other is not among its modules") {
		t.Errorf("a program of no module: %v", err)
	}
	in = debugged()
	in.Programs[0].Modules[1].Imports = []string{"example.com/gone"}
	if _, err := SPDX(in); err == nil || !strings.Contains(err.Error(), "imports example.com/gone, which is not linked") {
		t.Errorf("a module that is not linked: %v", err)
	}
}
