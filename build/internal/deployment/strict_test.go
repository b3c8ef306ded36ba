package deployment

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/thimble-build/thimble/build/internal/testtool"
)

// strict builds the program that reads manifests as Kubernetes and Docker Compose do.
func strict(t *testing.T) string {
	t.Helper()
	return testtool.Nested(t, filepath.Join("..", "..", "..", "testdata", "kubernetes"), "./strict", "the modules of Kubernetes and Docker Compose")
}

// Kubernetes' own types have every field, its own admission control allows the pods at the level
// that it calls restricted, and Docker Compose's own loader reads the compose files.
func TestStrict(t *testing.T) {
	program := strict(t)
	run := func(args ...string) (string, error) {
		out, err := testtool.Command(t, program, args...).CombinedOutput()
		return string(out), err
	}
	below := map[string]string{ // why an image is not restricted
		"binds": "allowPrivilegeEscalation", "root": "runAsNonRoot", "named-user": "runAsNonRoot",
	}
	for name := range services {
		file := filepath.Join("testdata", name+".yaml")
		if out, err := run("kubernetes", file); err != nil {
			t.Errorf("%v\n%s", err, out)
		}
		out, err := run("kubernetes", "-level=restricted", file)
		if reason := below[name]; (err != nil) != (reason != "") || !strings.Contains(out, reason) {
			t.Errorf("%s at the level restricted: %v, want %q\n%s", name, err, reason, out)
		}
		if out, err := run("compose", filepath.Join("testdata", name+".compose.yaml")); err != nil {
			t.Errorf("%v\n%s", err, out)
		}
	}
	for _, wrong := range misspelled(t) {
		if out, err := run("kubernetes", wrong); err == nil {
			t.Errorf("a wrong field is accepted:\n%s", out)
		}
	}
	compose := replaced(t, "web.compose.yaml", "read_only: true", "readonly: true")
	if out, err := run("compose", compose); err == nil {
		t.Errorf("a wrong field is accepted:\n%s", out)
	}
}

// The schemas in testdata are those of the types, and kubeconform accepts what they allow.
func TestKubeconform(t *testing.T) {
	program := strict(t)
	folder := t.TempDir()
	if out, err := testtool.Command(t, program, "schemas", folder).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, name := range []string{"deployment-apps-v1.json", "service-v1.json"} {
		want, err := os.ReadFile(filepath.Join(folder, name))
		if err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(filepath.Join("testdata", "schemas", name))
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("testdata/schemas/%s is not the schema of the type: %v", name, err)
		}
	}
	kubeconform := testtool.Tool(t, "github.com/yannh/kubeconform/cmd/kubeconform", "v0.8.0", "")
	check := func(file string) (string, error) {
		cmd := testtool.Command(t, kubeconform, "-strict", "-summary",
			"-schema-location", filepath.Join("testdata", "schemas", "{{.ResourceKind}}{{.KindSuffix}}.json"), file)
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	for name := range services {
		file := filepath.Join("testdata", name+".yaml")
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		valid := bytes.Count(b, []byte("\nkind: "))
		if out, err := check(file); err != nil || !strings.Contains(out, "Valid: "+string('0'+rune(valid))+", Invalid: 0, Errors: 0, Skipped: 0") {
			t.Errorf("%s: %v\n%s", name, err, out)
		}
	}
	for _, wrong := range misspelled(t) {
		if out, err := check(wrong); err == nil || !strings.Contains(out, "is invalid") {
			t.Errorf("a wrong field is accepted: %v\n%s", err, out)
		}
	}
}

// misspelled returns manifests with one wrong field each.
func misspelled(t *testing.T) []string {
	return []string{
		replaced(t, "web.yaml", "readOnlyRootFilesystem: true", "readOnlyRootFileSystem: true"),
		replaced(t, "web.yaml", "periodSeconds: 10", "periodSeconds: ten"),
		replaced(t, "web.yaml", "seccompProfile:", "seccomp:"),
		replaced(t, "web.yaml", "targetPort: udp-53", "target: udp-53"),
	}
}

// replaced returns a copy of a file with another text.
func replaced(t *testing.T, name, old, text string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	changed := strings.Replace(string(b), old, text, 1)
	if changed == string(b) {
		t.Fatalf("%s has no %q", name, old)
	}
	file := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(file, []byte(changed), 0o644); err != nil {
		t.Fatal(err)
	}
	return file
}
