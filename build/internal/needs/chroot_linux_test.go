package needs

import (
	"archive/zip"
	"encoding/pem"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/crypto/x509roots/fallback/bundle"

	"github.com/thimble-build/thimble/build/internal/testtool"
	"github.com/thimble-build/thimble/build/plan"
)

// What each program prints on a root that holds its needs and nothing else, and
// the need without which it prints something different.
var answers = []struct {
	program, want, changes string
}{
	{"bare", "hello\n", ""},
	{"hello", "hello\n", ""},
	{"ca-certificates", "true\n", plan.NeedCACertificates},
	{"ca-certificates-embedded", "true\n", ""},
	{"exec", "hello\n<nil>\nhello\n<nil>\n", plan.NeedExec},
	{"exec-syscall", "<nil>\nhello\n", plan.NeedExec},
	{"groups", "&{0 root} <nil>\n&{0 root} <nil>\ntrue <nil>\n", plan.NeedUsers},
	{"home", "true\ntrue\ntrue\n", plan.NeedHome},
	{"mime-types", "application/epub+zip\n[.epub] <nil> <nil>\n", plan.NeedMIMETypes},
	{"protocols", "true\n", plan.NeedServices},
	{"server", "127.0.0.1:5432 <nil>\n", plan.NeedServices},
	{"services", "5432 <nil>\n", plan.NeedServices},
	{"tmp", "true\ntrue\ntrue\n", plan.NeedTmp},
	{"users", "nonroot\nroot\nroot\n", plan.NeedUsers},
	{"zoneinfo", "1970-01-01T01:00:00+01:00\n", plan.NeedZoneinfo},
	{"zoneinfo-embedded", "1970-01-01T01:00:00+01:00\n", ""},
}

// Each program gives its answer on a root that holds exactly what its report
// says, and another one where everything is there but its need.
func TestAnswersChangeWithoutTheNeed(t *testing.T) {
	testtool.Require(t, os.Getuid() == 0, "root, for chroot")
	changed := make(map[string]bool)
	for _, a := range answers {
		changed[a.changes] = true
		t.Run(a.program, func(t *testing.T) {
			binary := filepath.Join(built(t), a.program)
			var given []string
			for _, n := range scanFile(t, binary).Needs {
				if !n.Embedded {
					given = append(given, n.Name)
				}
			}
			if got := runInRoot(t, binary, given); got != a.want {
				t.Errorf("with %v it prints %q, want %q", given, got, a.want)
			}
			if a.changes == "" {
				return
			}
			all := everyNeed()
			if got := runInRoot(t, binary, all); got != a.want {
				t.Errorf("with everything it prints %q, want %q", got, a.want)
			}
			rest := slices.DeleteFunc(all, func(name string) bool { return name == a.changes })
			if got := runInRoot(t, binary, rest); got == a.want {
				t.Errorf("without %s it prints %q as well", a.changes, got)
			}
		})
	}
	for _, name := range everyNeed() {
		if !changed[name] {
			t.Errorf("no program's answer changes without %s: it is no need", name)
		}
	}
}

func everyNeed() []string { return append(slices.Clone(plan.Needs), plan.NeedExec) }

// runInRoot returns what the program prints, as user 65532 in a root of its own
// that has the files of the given needs and no others.
func runInRoot(t *testing.T, binary string, needs []string) string {
	t.Helper()
	root := t.TempDir()
	if err := os.Chmod(root, 0o755); err != nil {
		t.Fatal(err)
	}
	copyFile(t, binary, filepath.Join(root, "app"))
	for _, name := range needs {
		furnish[name](t, root)
	}
	cmd := testtool.Command(t, "/app")
	cmd.Dir = "/"
	cmd.Env = []string{"HOME=/home/nonroot"} // as container runtimes set it, from /etc/passwd
	cmd.SysProcAttr = &syscall.SysProcAttr{Chroot: root, Credential: &syscall.Credential{Uid: 65532, Gid: 65532}}
	out, err := cmd.CombinedOutput()
	if _, exited := errors.AsType[*exec.ExitError](err); err != nil && !exited {
		t.Fatal(err)
	}
	return string(out)
}

// furnish puts the files of a need into a root, by hand and as few as will do.
var furnish = map[string]func(t *testing.T, root string){
	plan.NeedCACertificates: func(t *testing.T, root string) {
		for c := range bundle.Roots() {
			block := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Certificate})
			writeFile(t, root, "etc/ssl/certs/ca-certificates.crt", string(block))
			return
		}
	},
	plan.NeedExec: func(t *testing.T, root string) {
		writeFile(t, root, "bin/echo", "")
		copyFile(t, filepath.Join(built(t), "hello"), filepath.Join(root, "bin/echo"))
	},
	plan.NeedHome: func(t *testing.T, root string) {
		makeDir(t, root, "home/nonroot")
		if err := os.Chown(filepath.Join(root, "home/nonroot"), 65532, 65532); err != nil {
			t.Fatal(err)
		}
	},
	plan.NeedMIMETypes: func(t *testing.T, root string) {
		writeFile(t, root, "etc/mime.types", "application/epub+zip\tepub\n")
	},
	plan.NeedServices: func(t *testing.T, root string) {
		writeFile(t, root, "etc/services", "postgresql\t5432/tcp\tpostgres\n")
		writeFile(t, root, "etc/protocols", "sctp\t132\tSCTP\n")
	},
	plan.NeedTmp: func(t *testing.T, root string) {
		makeDir(t, root, "tmp")
		if err := os.Chmod(filepath.Join(root, "tmp"), 0o777|os.ModeSticky); err != nil {
			t.Fatal(err)
		}
	},
	plan.NeedUsers: func(t *testing.T, root string) {
		writeFile(t, root, "etc/passwd", "root:x:0:0:root:/root:/sbin/nologin\nnonroot:x:65532:65532:nonroot:/home/nonroot:/sbin/nologin\n")
		writeFile(t, root, "etc/group", "root:x:0:\nnonroot:x:65532:\n")
	},
	plan.NeedZoneinfo: func(t *testing.T, root string) {
		writeFile(t, root, "usr/share/zoneinfo/Europe/Berlin", zone(t, "Europe/Berlin"))
	},
}

// zone is a zone file out of the toolchain's own database.
func zone(t *testing.T, name string) string {
	t.Helper()
	goroot, err := testtool.Command(t, "go", "env", "GOROOT").Output()
	if err != nil {
		t.Fatal(err)
	}
	zones, err := zip.OpenReader(filepath.Join(strings.TrimSpace(string(goroot)), "lib", "time", "zoneinfo.zip"))
	if err != nil {
		t.Fatal(err)
	}
	defer zones.Close()
	f, err := zones.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	content, err := io.ReadAll(f)
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

func makeDir(t *testing.T, root, path string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Join(root, path), 0o755); err != nil {
		t.Fatal(err)
	}
}

func writeFile(t *testing.T, root, path, content string) {
	t.Helper()
	makeDir(t, root, filepath.Dir(path))
	if err := os.WriteFile(filepath.Join(root, path), []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}

// copyFile copies a program.
func copyFile(t *testing.T, from, to string) {
	t.Helper()
	content, err := os.ReadFile(from)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(to, content, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(to, 0o755); err != nil {
		t.Fatal(err)
	}
}
