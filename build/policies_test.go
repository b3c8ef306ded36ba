package build_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v3"

	"github.com/thimble-build/thimble/build"
	"github.com/thimble-build/thimble/build/internal/registrytest"
	"github.com/thimble-build/thimble/build/internal/sigstoretest"
	"github.com/thimble-build/thimble/build/internal/testtool"
)

// The policy for policy-controller is one that it takes: it admits the release, and
// nothing else of that repository.
func TestPolicyController(t *testing.T) {
	t.Parallel()
	tester := sigstoretest.PolicyController(t)
	host := registrytest.InProcess(t, false)
	key, oldKey := newKey(t), newKey(t)
	repo := module(t, "hello")
	o := options(t, repo, to(host, key), func(o *settings) { o.Config.Release.TrustKeys = []string{publicOf(oldKey)} })
	r, err := build.Release(t.Context(), o.release())
	ok(t, err)
	kyvernoTakes(t, filepath.Join(r.Dist, "verify", "kyverno.yaml"))
	policy := filepath.Join(r.Dist, "verify", "policy-controller.yaml")
	image := host + "/acme/hello"
	admitted(t, tester, image+":v1.2.3", policy)
	admitted(t, tester, image+"@"+r.Images[0].Digest, policy)
	admitted(t, tester, image+"@"+r.Images[0].Platforms[0].Digest, policy)

	repository := must(name.NewRepository(image, name.Insecure))
	ok(t, remote.Write(repository.Tag("unsigned"), must(random.Image(100, 1))))
	notAdmitted(t, tester, image+":unsigned", policy, "no matching attestations")
	// No policy is about the repository next door.
	notAdmitted(t, tester, image+"-world:v1.2.3", policy, "is uncovered by policy")

	// What the key before has signed is admitted, and nothing by any other key.
	change := func(from, to string) string { return rewritten(t, policy, from, to) }
	lines := func(key string) []string { return strings.Split(string(must(os.ReadFile(publicOf(key)))), "\n")[1:3] }
	own, other := lines(key), lines(newKey(t))
	notAdmitted(t, tester, image+":v1.2.3", rewritten(t, change(own[0], other[0]), own[1], other[1]), "no matching attestations")
	for _, signer := range []string{oldKey, newKey(t)} {
		o := options(t, repo, to(host, signer), func(o *settings) { o.Config.Dist = "dist-" + filepath.Base(filepath.Dir(signer)) })
		o.Config.Repository = host + "/" + strings.ToLower(filepath.Base(filepath.Dir(signer)))
		_, err := build.Release(t.Context(), o.release())
		ok(t, err)
		elsewhere := change(host+"/acme", o.Config.Repository)
		if signer == oldKey {
			admitted(t, tester, o.Config.Repository+"/hello:v1.2.3", elsewhere)
		} else {
			notAdmitted(t, tester, o.Config.Repository+"/hello:v1.2.3", elsewhere, "no matching attestations")
		}
	}

	// It verifies no bundle of a key, so there is no policy that it could follow.
	o.Config.Release.Forms = []string{"bundle"}
	r, err = build.Release(t.Context(), o.release())
	ok(t, err)
	if left, _ := filepath.Glob(filepath.Join(r.Dist, "verify", "*.yaml")); len(left) > 0 {
		t.Errorf("there are %q", left)
	}
}

// rewritten is a copy of a file with other words.
func rewritten(t testing.TB, file, from, to string) string {
	t.Helper()
	text := string(must(os.ReadFile(file)))
	if !strings.Contains(text, from) {
		t.Fatalf("%s has no %q:\n%s", file, from, text)
	}
	file = filepath.Join(t.TempDir(), "policy.yaml")
	ok(t, os.WriteFile(file, []byte(strings.ReplaceAll(text, from, to)), 0o644))
	return file
}

func policyTester(t testing.TB, tester, image, policy string, more []string) (string, error) {
	t.Helper()
	home := t.TempDir()
	cmd := testtool.Command(t, tester, append([]string{"-policy", policy, "-image", image}, more...)...)
	cmd.Env = []string{"HOME=" + home, "DOCKER_CONFIG=" + home, "PATH=" + os.Getenv("PATH")}
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func admitted(t testing.TB, tester, image, policy string, more ...string) {
	t.Helper()
	if out, err := policyTester(t, tester, image, policy, more); err != nil {
		t.Errorf("%s is not admitted: %v\n%s", image, err, out)
	}
}

func notAdmitted(t testing.TB, tester, image, policy, reason string, more ...string) {
	t.Helper()
	if out, err := policyTester(t, tester, image, policy, more); err == nil || !strings.Contains(out, "Policy was successfully validated") || !strings.Contains(out, reason) {
		t.Errorf("%s: %v, want %q:\n%s", image, err, reason, out)
	}
}

// kyvernoSchema is the schema of ClusterPolicy with which Kyverno's API is served. Here it
// takes no property that it does not know.
var kyvernoSchema = sync.OnceValues(func() (*jsonschema.Schema, error) {
	dir, err := testtool.Module("github.com/kyverno/kyverno", "v1.19.1")
	if err != nil {
		return nil, err
	}
	b, err := os.ReadFile(filepath.Join(dir, "config", "crds", "kyverno", "kyverno.io_clusterpolicies.yaml"))
	if err != nil {
		return nil, err
	}
	var definition struct {
		Spec struct {
			Versions []struct {
				Name   string
				Schema struct {
					OpenAPIV3Schema map[string]any `yaml:"openAPIV3Schema"`
				}
			}
		}
	}
	if err := yaml.Unmarshal(b, &definition); err != nil {
		return nil, err
	}
	for _, v := range definition.Spec.Versions {
		if v.Name != "v1" {
			continue
		}
		strict(v.Schema.OpenAPIV3Schema)
		v.Schema.OpenAPIV3Schema["properties"].(map[string]any)["metadata"] = map[string]any{} // the API server's own
		c := jsonschema.NewCompiler()
		if err := c.AddResource("kyverno.json", v.Schema.OpenAPIV3Schema); err != nil {
			return nil, err
		}
		return c.Compile("kyverno.json")
	}
	return nil, errors.New("the definition has no version v1")
})

// strict lets no object have further properties, and makes a schema of OpenAPI 3.0 one
// of JSON.
func strict(schema any) {
	switch s := schema.(type) {
	case map[string]any:
		_, has := s["properties"].(map[string]any)
		if keep, _ := s["x-kubernetes-preserve-unknown-fields"].(bool); has && !keep && s["additionalProperties"] == nil {
			s["additionalProperties"] = false
		}
		delete(s, "nullable")
		for _, v := range s {
			strict(v)
		}
	case []any:
		for _, v := range s {
			strict(v)
		}
	}
}

// kyvernoTakes checks a policy against Kyverno's own schema.
func kyvernoTakes(t testing.TB, file string) {
	t.Helper()
	testtool.OnRequest(t, "Kyverno's module")
	schema, err := kyvernoSchema()
	testtool.Require(t, err == nil, fmt.Sprintf("Kyverno's module: %v", err))
	text := must(os.ReadFile(file))
	var policy any
	ok(t, yaml.Unmarshal(text, &policy))
	if err := schema.Validate(policy); err != nil {
		t.Errorf("%s: %v", file, err)
	}
	// Kyverno asks this beyond its schema.
	if logs := bytes.Count(text, []byte("rekor:\n")); logs == 0 || bytes.Count(text, []byte(" url: ")) != logs {
		t.Errorf("%s: a log has no URL:\n%s", file, text)
	}
}

// The schema finds what Kyverno would not take.
func TestKyvernoSchema(t *testing.T) {
	t.Parallel()
	testtool.OnRequest(t, "Kyverno's module")
	schema, err := kyvernoSchema()
	testtool.Require(t, err == nil, fmt.Sprintf("Kyverno's module: %v", err))
	for text, takes := range map[string]bool{
		`{imageReferences: ["ghcr.io/acme/hello:*"], failureAction: Enforce}`: true,
		`{attestors: [{entries: [{keyless: {subject: a@example.com}}]}]}`:     true,
		`{imageReferences: ["ghcr.io/acme/hello:*"], failureAction: Perhaps}`: false,
		`{imageReference: ["ghcr.io/acme/hello:*"], failureAction: Enforce}`:  false,
		`{imageReferences: "ghcr.io/acme/hello:*", failureAction: Enforce}`:   false,
		`{attestors: [{entries: [{keyless: {subjekt: a@example.com}}]}]}`:     false,
		`{attestors: [{entries: [{keys: {rekor: {ignoreTlog: "true"}}}]}]}`:   false,
	} {
		text = `{rules: [{name: signed, match: {any: [{resources: {kinds: [Pod]}}]}, verifyImages: [` + text + `]}]}`
		var spec any
		ok(t, yaml.Unmarshal([]byte(text), &spec))
		err := schema.Validate(map[string]any{"apiVersion": "kyverno.io/v1", "kind": "ClusterPolicy", "spec": spec})
		if (err == nil) != takes {
			t.Errorf("%s: %v", text, err)
		}
	}
}
