package describe

import (
	"bytes"
	"encoding/json"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	slsa "github.com/in-toto/attestation/go/predicates/provenance/v1"
	"google.golang.org/protobuf/encoding/protojson"

	"github.com/thimble-build/thimble/build/internal/tree"
	"github.com/thimble-build/thimble/build/plan"
)

func TestProvenanceFields(t *testing.T) {
	b := provenance(t, released())
	for _, tt := range []struct {
		path []any
		want string
	}{
		{[]any{"buildDefinition", "buildType"}, `"` + BuildType + `"`},
		{
			[]any{"buildDefinition", "externalParameters"},
			`{"before":["go"],"defaults":{"include":["tmp"],"runtime":{}},"dir":".",` +
				`"images":[{"package":"./cmd/api","runtime":{"ports":["8080"]},"title":"The API"}],"ldflags":["-X","main.channel=stable"],` +
				`"overrides":{"dirtyTree":false,"failingTests":false,"skippedTests":false,"untaggedCommit":true},` +
				`"platforms":["linux/amd64","linux/arm/v7"],"repository":"registry.example.com/acme","source":"https://github.com/acme/api","test":{"race":true}}`,
		},
		{[]any{"buildDefinition", "internalParameters", "image"}, `"api"`},
		{[]any{"buildDefinition", "internalParameters", "platforms"}, `["linux/amd64","linux/arm/v7"]`},
		{[]any{"buildDefinition", "internalParameters", "plan", "sourceDateEpoch"}, `1767323045`},
		{
			[]any{"buildDefinition", "resolvedDependencies", 0},
			`{"digest":{"gitCommit":"0123456789abcdef0123456789abcdef01234567"},"name":"source","uri":"git+https://github.com/acme/api@0123456789abcdef0123456789abcdef01234567"}`,
		},
		{
			[]any{"buildDefinition", "resolvedDependencies", 1},
			`{"digest":{"dirHash":"` + dirHashOf(4) + `"},"name":"toolchain","uri":"pkg:golang/golang.org/toolchain@v0.0.1-go1.26.8.linux-amd64"}`,
		},
		{
			[]any{"runDetails"},
			`{"builder":{"id":"https://ci.example.com/acme","version":{"github.com/thimble-build/thimble":"v0.1.0"}},` +
				`"metadata":{"finishedOn":"2026-01-02T04:01:00Z","invocationId":"https://ci.example.com/acme/1","startedOn":"2026-01-02T04:00:00Z"}}`,
		},
	} {
		if got := text(t, at(t, b, tt.path...)); got != tt.want {
			t.Errorf("%v:\n got %s\nwant %s", tt.path, got, tt.want)
		}
	}
	// The plan is there unchanged, so that it can be built again.
	var again plan.Plan
	if err := json.Unmarshal([]byte(text(t, at(t, b, "buildDefinition", "internalParameters", "plan"))), &again); err != nil {
		t.Fatal(err)
	}
	want, err := released().Plan.JSON()
	if err != nil {
		t.Fatal(err)
	}
	if got, err := again.JSON(); err != nil || !bytes.Equal(got, want) {
		t.Errorf("the plan is\n%s\nwant\n%s\n%v", got, want, err)
	}
	// The library reads what it says, and finds it valid.
	var p slsa.Provenance
	if err := protojson.Unmarshal(b, &p); err != nil {
		t.Fatal(err)
	}
	if err := p.Validate(); err != nil {
		t.Error(err)
	}
}

func TestProvenanceDeterminism(t *testing.T) {
	want := provenance(t, released())
	random := rand.New(rand.NewPCG(1, 2))
	for range 20 {
		in := released()
		shuffle(random, in.Images)
		shuffle(random, in.Config.Platforms)
		for _, i := range in.Images {
			shuffle(random, i.Modules)
			shuffle(random, i.Components)
			for _, c := range i.Components {
				shuffle(random, c.Files)
			}
		}
		if got := provenance(t, in); !bytes.Equal(got, want) {
			t.Fatalf("another order gives\n%s\nand not\n%s", got, want)
		}
	}
	if again, err := canonical(want); err != nil || !bytes.Equal(again, want) {
		t.Errorf("it is not canonical: %v", err)
	}
}

// TestProvenanceSecrets plants secrets wherever a value of the user's could have one.
func TestProvenanceSecrets(t *testing.T) {
	const secret = "hunter2"
	for _, source := range []string{
		"https://" + secret + "@github.com/acme/api", "https://me:" + secret + "@github.com/acme/api.git",
		"https://github.com/acme/api?token=" + secret, "https://github.com/acme/api#" + secret,
		"ssh://git:" + secret + "@github.com/acme/api", "me:" + secret + "@github.com:acme/api", "/home/" + secret + "/api",
	} {
		in := released()
		in.Plan.Source, in.Config.Source = source, source
		in.Config.Dist = secret
		in.Config.Before = [][]string{{"/home/" + secret + "/bin/fetch", "-token", secret}}
		in.Config.Test = plan.TestConfig{Args: []string{"-token=" + secret}, CoverProfile: secret, JUnit: secret}
		for i := range in.Images {
			in.Images[i].Components = append(in.Images[i].Components, tree.Component{
				Name: "base", Version: "1", DownloadLocation: "https://me:" + secret + "@mirror.example.com/base?key=" + secret,
			})
			in.Images[i].Modules[2].Replace.Path = "/home/" + secret
		}
		in.Builder = DetectBuilder(func(name string) string {
			return map[string]string{
				"GITLAB_CI": "true", "CI_PROJECT_URL": "https://job:" + secret + "@gitlab.example.com/acme/api", "CI_RUNNER_ID": "7",
				"CI_JOB_URL": "https://gitlab.example.com/acme/api/-/jobs/9?private_token=" + secret,
			}[name]
		})
		b := provenance(t, in)
		result, err := TestResult(TestInput{Plan: in.Plan, Config: in.Config.Test, Passed: []string{"a"}})
		if err != nil {
			t.Fatal(err)
		}
		for _, doc := range [][]byte{b, result} {
			if i := bytes.Index(doc, []byte(secret)); i >= 0 {
				t.Errorf("source %s: the secret is in …%s…", source, doc[max(0, i-60):min(len(doc), i+60)])
			}
		}
		if !bytes.Contains(b, []byte("https://gitlab.example.com/acme/api/-/runners/7")) || !bytes.Contains(b, []byte("https://mirror.example.com/base")) {
			t.Error("the URLs have gone with the secrets")
		}
	}
}

func TestProvenanceRefused(t *testing.T) {
	for want, change := range map[string]func(*ProvenanceInput){
		"needs a plan":           func(in *ProvenanceInput) { in.Plan = nil },
		"needs a plan and an im": func(in *ProvenanceInput) { in.Images = nil },
		"builder.id required":    func(in *ProvenanceInput) { in.Builder.ID = "" },
		"not an h1 hash":         func(in *ProvenanceInput) { in.Images[1].Modules[0].Sum = "h1:short=" },
		"full hash of a commit":  func(in *ProvenanceInput) { in.Plan.Revision = "0123456" },
		"before its start":       func(in *ProvenanceInput) { in.Finished = in.Started.Add(-time.Second) },
		"are different images":   func(in *ProvenanceInput) { in.Images[1].Image.Name = "other" },
		"has no SHA-256":         func(in *ProvenanceInput) { in.Images[0].Components[0].Files[0].SHA256 = "" },
	} {
		in := released()
		change(&in)
		if _, err := Provenance(in); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got the error %v, want %q", err, want)
		}
	}
}
