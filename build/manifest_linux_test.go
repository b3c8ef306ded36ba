package build_test

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/thimble-build/thimble/build"
	"github.com/thimble-build/thimble/build/internal/testtool"
)

// confinedService says what it may do, and is healthy once it has written to /tmp.
const confinedService = `package main

import (
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"
)

func main() {
	if len(os.Args) > 1 && os.Args[1] == "healthcheck" {
		if _, err := os.Stat(os.TempDir() + "/ready"); err != nil {
			os.Exit(1)
		}
		return
	}
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGTERM)
	status, _ := os.ReadFile("/proc/self/status")
	for line := range strings.Lines(string(status)) {
		if name, _, _ := strings.Cut(line, ":"); name == "CapEff" || name == "CapBnd" || name == "NoNewPrivs" || name == "Uid" || name == "Gid" {
			fmt.Print(strings.Join(strings.Fields(line), " "), "\n")
		}
	}
	fmt.Println("root:", os.WriteFile("/file", nil, 0o600) != nil)
	fmt.Println("tmp:", os.WriteFile(os.TempDir()+"/ready", nil, 0o600))
	<-signals
}
`

// A container with the settings of the Deployment, and no others, runs the service, and its probe
// succeeds.
func TestManifestRuns(t *testing.T) {
	requireDocker(t)
	repo := filepath.Join(t.TempDir(), "repo")
	save(t, filepath.Join(repo, "go.mod"), "module example.com/confined\n\ngo 1.26\n")
	save(t, filepath.Join(repo, "main.go"), confinedService)
	git(t, repo, "init", "-q", "-b", "main")
	git(t, repo, "add", "-A")
	git(t, repo, "commit", "-q", "-m", "a commit")
	config := build.Config{Defaults: build.ImageConfig{Runtime: build.Runtime{
		User: "1234:5678", Healthcheck: &build.Healthcheck{Command: []string{"healthcheck"}},
	}}}
	ref := loadImage(t, repo, config)
	text, err := build.Manifest(t.Context(), build.ManifestOptions{Options: build.Options{Config: config, Workdir: repo, Env: environment()}})
	ok(t, err)
	var d struct {
		Spec struct {
			Template struct {
				Spec struct {
					SecurityContext struct {
						RunAsNonRoot bool  `yaml:"runAsNonRoot"`
						RunAsUser    int64 `yaml:"runAsUser"`
						RunAsGroup   int64 `yaml:"runAsGroup"`
					} `yaml:"securityContext"`
					Containers []struct {
						Image           string
						LivenessProbe   struct{ Exec struct{ Command []string } } `yaml:"livenessProbe"`
						SecurityContext struct {
							AllowPrivilegeEscalation bool `yaml:"allowPrivilegeEscalation"`
							ReadOnlyRootFilesystem   bool `yaml:"readOnlyRootFilesystem"`
							Capabilities             struct{ Drop, Add []string }
						} `yaml:"securityContext"`
						VolumeMounts []struct {
							MountPath string `yaml:"mountPath"`
						} `yaml:"volumeMounts"`
					}
				}
			}
		}
	}
	ok(t, yaml.Unmarshal(text, &d))
	pod := d.Spec.Template.Spec
	c := pod.Containers[0]
	if c.Image != ref || !pod.SecurityContext.RunAsNonRoot || c.SecurityContext.AllowPrivilegeEscalation || len(c.VolumeMounts) != 1 {
		t.Fatalf("the manifest is\n%s", text)
	}
	args := []string{fmt.Sprintf("--user=%d:%d", pod.SecurityContext.RunAsUser, pod.SecurityContext.RunAsGroup), "--security-opt=no-new-privileges",
		"--network=none", fmt.Sprintf("--read-only=%v", c.SecurityContext.ReadOnlyRootFilesystem)}
	for _, name := range c.SecurityContext.Capabilities.Drop {
		args = append(args, "--cap-drop="+name)
	}
	for _, m := range c.VolumeMounts { // an emptyDir is a folder that everybody may write to
		args = append(args, "--tmpfs="+m.MountPath+":mode=0777")
	}
	id := startContainer(t, append(args, c.Image)...)
	want := "Uid: 1234 1234 1234 1234\nGid: 5678 5678 5678 5678\nCapEff: 0000000000000000\nCapBnd: 0000000000000000\nNoNewPrivs: 1\nroot: true\ntmp: <nil>\n"
	said := ""
	for began := time.Now(); said != want && time.Since(began) < time.Minute; time.Sleep(100 * time.Millisecond) {
		said = docker(t, "logs", id)
	}
	if said != want {
		t.Errorf("it says\n%swant\n%s", said, want)
	}
	if out, err := testtool.Command(t, "docker", append([]string{"exec", id}, c.LivenessProbe.Exec.Command...)...).CombinedOutput(); err != nil {
		t.Errorf("the probe %q: %v\n%s", strings.Join(c.LivenessProbe.Exec.Command, " "), err, out)
	}
}
