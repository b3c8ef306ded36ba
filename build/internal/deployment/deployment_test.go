package deployment

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

var update = flag.Bool("update", false, "write the wanted files")

// services are the shapes that images have.
var services = map[string][]Service{
	"web": {{
		Name: "api", Reference: "ghcr.io/acme/api@sha256:" + strings.Repeat("a", 64), Released: true, User: "65532:65532",
		Ports: []string{"53/udp", "8080/tcp"}, Tmp: true,
		Health: &v1.HealthConfig{
			Test: []string{"CMD", "/app/api", "healthcheck", "--url=http://127.0.0.1:8080/healthz: ok"}, Interval: 10 * time.Second,
			Timeout: 1500 * time.Millisecond, StartPeriod: time.Minute, Retries: 3,
		},
	}},
	"worker": {{Name: "worker", Reference: "worker:v1.2.3", User: "65532:65532"}},
	"binds": {{
		Name: "edge", Reference: "ghcr.io/acme/edge@sha256:" + strings.Repeat("b", 64), Released: true, User: "1234",
		Ports: []string{"80/tcp"}, Capabilities: []string{"cap_net_bind_service"},
		Health: &v1.HealthConfig{Test: []string{"CMD-SHELL", "test -e /tmp/ready"}},
	}},
	"volumes": {{
		Name: "store", Reference: "ghcr.io/acme/store@sha256:" + strings.Repeat("c", 64), Released: true, User: "65532:65532",
		Ports: []string{"9000/tcp"}, Volumes: []string{"/data", "/tmp", "/var/lib/store", "/var/lib_store"}, Tmp: true,
	}},
	"root":       {{Name: "0_odd.name", Reference: "0_odd.name:dev", User: "0:0", Health: &v1.HealthConfig{Test: []string{"NONE"}}}},
	"named-user": {{Name: "app", Reference: "app:dev", User: "postgres", Ports: []string{"5432/tcp"}}},
	"several": {
		{Name: "api", Reference: "ghcr.io/acme/api:v1", User: "65532:65532", Ports: []string{"8080/tcp"}},
		{Name: "worker", Reference: "ghcr.io/acme/worker:v1", User: "65532:65532", Tmp: true},
	},
}

// The text for every shape is the wanted one, each time.
func TestGolden(t *testing.T) {
	for name, of := range services {
		for file, write := range map[string]func([]Service) ([]byte, error){
			name + ".yaml": Kubernetes, name + ".compose.yaml": Compose,
		} {
			got, err := write(of)
			if err != nil {
				t.Fatal(err)
			}
			file = filepath.Join("testdata", file)
			if *update {
				if err := os.WriteFile(file, got, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(got, want) {
				t.Errorf("%s: it is\n%s", file, got)
			}
		}
	}
}

func TestLabel(t *testing.T) {
	for text, want := range map[string]string{
		"api": "api", "My_App.v2": "my-app-v2", "0day": "app-0day", "---": "app", "/var/lib/x": "var-lib-x",
		strings.Repeat("a", 62) + "--b": strings.Repeat("a", 62), "é": "app",
	} {
		if got := label(text); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}
