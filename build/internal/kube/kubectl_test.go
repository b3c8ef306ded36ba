package kube

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/thimble-build/thimble/build/internal/registrytest"
	"github.com/thimble-build/thimble/build/internal/testtool"
	"github.com/thimble-build/thimble/build/internal/yamlscalar"
)

// kubectl apply takes what resolve writes: of a folder, of kubectl kustomize and of Helm. The server
// only records what it gets.
func TestKubectlApplies(t *testing.T) {
	module := filepath.Join("..", "..", "..", "testdata", "kubernetes")
	kubectl := testtool.Nested(t, module, "./kubectl", "the modules of Kubernetes and Helm")
	helm := testtool.Nested(t, module, "./helm", "the modules of Kubernetes and Helm")
	home := t.TempDir()
	run := func(stdin []byte, program string, args ...string) []byte {
		t.Helper()
		cmd := testtool.Command(t, program, args...)
		cmd.Env = append(os.Environ(), "HOME="+home, "KUBECONFIG="+filepath.Join(home, "none"))
		var stderr bytes.Buffer
		cmd.Stdin, cmd.Stderr = bytes.NewReader(stdin), &stderr
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("%v\n%s%s", err, out, &stderr)
		}
		return out
	}
	pod := func(name, image string) string {
		return fmt.Sprintf("apiVersion: v1\r\nkind: Pod\r\nmetadata: {name: %s} # a comment\r\nspec:\r\n  containers:\r\n  - name: a\r\n    image: %s\r\n", name, image)
	}
	folder := t.TempDir()
	write(t, folder, map[string]string{
		"k8s/1.yaml": "\ufeff" + pod("one", "ko://example.com/acme/cmd/api") + "---\r\n" + pod("two", "|-\r\n     registry.example.com/acme/worker:v1"),
		"k8s/2.json": `{"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "three"}, "spec": {"containers": [{"name": "a", "image": "ko://example.com/acme/cmd/worker"}]}}`,
		"k8s/3.yml":  "# only a comment\n",
		"k8s/4.yaml": pod("four", "other.example.com/x:v1"),

		"kustomize/base/kustomization.yaml": "resources: [pod.yaml]\n",
		"kustomize/base/pod.yaml":           pod("base", "ko://example.com/acme/cmd/api"),
		"kustomize/kustomization.yaml":      "resources: [base]\nnamePrefix: my-\nlabels: [{pairs: {a: b}}]\n",

		"chart/Chart.yaml":         "apiVersion: v2\nname: shop\nversion: 1.0.0\n",
		"chart/values.yaml":        "image: ko://example.com/acme/cmd/worker\n",
		"chart/templates/one.yaml": "{{- range tuple \"a\" \"b\" }}\n---\napiVersion: v1\nkind: Pod\nmetadata: {name: {{ $.Release.Name }}-{{ . }}}\nspec: {containers: [{name: a, image: {{ $.Values.image | quote }}}]}\n{{- end }}\n",
	})
	files := func(name string) []file {
		var all []file
		found, err := manifests(filepath.Join(folder, name), name, false)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range found {
			b, err := os.ReadFile(filepath.Join(folder, f))
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, file{f, b})
		}
		return all
	}
	api, worker := "registry.example.com/acme/api@"+released.images[0].Digest, "registry.example.com/acme/worker@"+released.images[1].Digest
	for what, test := range map[string]struct {
		from []file
		want []string
	}{
		"a folder":  {files("k8s"), []string{"four other.example.com/x:v1", "one " + api, "three " + worker, "two " + worker}},
		"kustomize": {[]file{{"-", run(nil, kubectl, "kustomize", filepath.Join(folder, "kustomize"))}}, []string{"my-base " + api}},
		"helm":      {[]file{{"-", run(nil, helm, filepath.Join(folder, "chart"))}}, []string{"shop-a " + worker, "shop-b " + worker}},
	} {
		var streams [][]byte
		for _, f := range test.from {
			changed, _, err := yamlscalar.Replace(f.data, choose(released, false))
			if err != nil {
				t.Fatalf("%s: %v", what, err)
			}
			streams = append(streams, changed)
		}
		joined, err := yamlscalar.Join(streams)
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		cluster := &recorder{}
		host := registrytest.Serve(t, cluster)
		out := run(joined, kubectl, "--server=http://"+host, "--validate=false", "apply", "-f", "-")
		if got := cluster.pods(); !slices.Equal(got, test.want) {
			t.Errorf("%s: the server got %q, want %q\n%s", what, got, test.want, out)
		}
	}
}

func write(t *testing.T, folder string, files map[string]string) {
	t.Helper()
	for name, content := range files {
		name = filepath.Join(folder, filepath.FromSlash(name))
		err := os.MkdirAll(filepath.Dir(name), 0o755)
		if err == nil {
			err = os.WriteFile(name, []byte(content), 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// recorder answers as an API server that has only pods, and none yet.
type recorder struct {
	mu  sync.Mutex
	got []string
}

// pods returns the names and images of the pods that were created, sorted.
func (r *recorder) pods() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Sorted(slices.Values(r.got))
}

func (r *recorder) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	answer := map[string]string{
		"/api":  `{"kind": "APIVersions", "versions": ["v1"]}`,
		"/apis": `{"kind": "APIGroupList", "apiVersion": "v1", "groups": []}`,
		"/api/v1": `{"kind": "APIResourceList", "groupVersion": "v1", "resources": [
			{"name": "pods", "singularName": "pod", "namespaced": true, "kind": "Pod", "verbs": ["create", "get", "patch"]}]}`,
	}[req.URL.Path]
	w.Header().Set("Content-Type", "application/json")
	switch {
	case answer != "":
		fmt.Fprint(w, answer)
	case req.Method == http.MethodPost && strings.HasSuffix(req.URL.Path, "/namespaces/default/pods"):
		body, err := io.ReadAll(req.Body)
		var pod struct {
			Metadata struct{ Name string }
			Spec     struct{ Containers []struct{ Image string } }
		}
		if err == nil {
			err = json.Unmarshal(body, &pod)
		}
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		r.mu.Lock()
		defer r.mu.Unlock()
		r.got = append(r.got, pod.Metadata.Name+" "+pod.Spec.Containers[0].Image)
		w.WriteHeader(http.StatusCreated)
		_, _ = w.Write(body)
	default:
		w.WriteHeader(http.StatusNotFound)
		fmt.Fprint(w, `{"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": "NotFound", "code": 404}`)
	}
}
