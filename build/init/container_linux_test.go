package main

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	"github.com/thimble-build/thimble/build/internal/testtool"
)

// TestContainers goes from init to a running container for each small repository in
// testdata/container, and compares the image with the one that docker builds from the repository's
// Dockerfile: user, environment, ports, arguments, folder, labels, health check, signal, volumes,
// files with their modes and owners, and what the program says when both run.
//
// The images in FROM lines are stand-ins, made of Debian's packages busybox-static and passwd with
// what they need. In them, these commands are stubs: go copies the program that the test has
// compiled; apk, apt-get and git do nothing; npm writes dist/app.js; adduser and addgroup number
// users as Alpine's do.
//
// These differences are accepted:
//   - what the stand-in has: its own environment, command and labels, and its files;
//   - the path of the program, which is /app/<name>;
//   - a user by name, who is compared by uid and gid; a missing group;
//   - labels without a value, which come from --build-arg;
//   - PATH, SSL_CERT_FILE and HOME, and the labels that thimble sets;
//   - files that thimble adds: those of the needs, /app, /licenses, and homes of users;
//   - an entrypoint script that init has translated, whose variables are in the image's
//     environment, and the working folder, which engines make.
func TestContainers(t *testing.T) {
	testtool.Docker(t)
	apt, dpkg := testtool.Program(t, "apt-get"), testtool.Program(t, "dpkg")
	bases := standIns(t, apt, dpkg)
	cases, err := filepath.Glob(filepath.Join("testdata", "container", "*.txtar"))
	if err != nil || len(cases) == 0 {
		t.Fatal(cases, err)
	}
	for _, name := range cases {
		t.Run(strings.TrimSuffix(filepath.Base(name), ".txtar"), func(t *testing.T) {
			archive, err := txtar.ParseFile(name)
			if err != nil {
				t.Fatal(err)
			}
			compare(t, archive, bases)
		})
	}
}

// standIns imports the stand-in images. It returns the folder with the stubs' files.
func standIns(t *testing.T, apt, dpkg string) string {
	dir := t.TempDir()
	root := filepath.Join(dir, "root")
	packages := []string{
		"busybox-static", "passwd", "libc6", "libaudit1", "libselinux1", "libsemanage2", "libsepol2", "libacl1", "libattr1", "libcap-ng0", "libpcre2-8-0",
		"libpam0g", "libcrypt1", "libbsd0", "libmd0", "libbz2-1.0", "libgcc-s1",
	}
	download := testtool.Command(t, apt, append([]string{"download", "-q"}, packages...)...)
	download.Dir = dir
	if out, err := download.CombinedOutput(); err != nil {
		t.Fatalf("apt-get download: %v\n%s", err, out)
	}
	debs, err := filepath.Glob(filepath.Join(dir, "*.deb"))
	if err != nil || len(debs) != len(packages) {
		t.Fatal(debs, err)
	}
	for _, d := range []string{"bin", "lib", "lib64", "usr/lib", "etc", "tmp", "home", "root", "var", "usr/local/bin", "stub"} {
		must(t, os.MkdirAll(filepath.Join(root, d), 0o755))
	}
	for _, deb := range debs {
		if out, err := testtool.Command(t, dpkg, "-x", deb, root).CombinedOutput(); err != nil {
			t.Fatalf("dpkg -x %s: %v\n%s", deb, err, out)
		}
	}
	for _, applet := range strings.Fields("sh mkdir chown chmod cp mv rm ln cat echo ls touch basename dirname grep sed cut tail true false test id sleep sync printf env") {
		if err := os.Symlink("busybox", filepath.Join(root, "bin", applet)); err != nil && !errors.Is(err, os.ErrExist) {
			t.Fatal(err)
		}
	}
	write := func(name, text string, mode os.FileMode) {
		file := filepath.Join(root, name)
		must(t, os.MkdirAll(filepath.Dir(file), 0o755))
		must(t, os.WriteFile(file, []byte(text), mode))
		must(t, os.Chmod(file, mode))
	}
	write("etc/passwd", "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/nonexistent:/sbin/nologin\n", 0o644)
	write("etc/group", "root:x:0:\nusers:x:100:\nnogroup:x:65533:\nnobody:x:65534:\n", 0o644)
	write("etc/login.defs", "UID_MIN 1000\nUID_MAX 60000\nGID_MIN 1000\nGID_MAX 60000\nSYS_UID_MIN 100\nSYS_UID_MAX 999\nSYS_GID_MIN 100\nSYS_GID_MAX 999\nUSERGROUPS_ENAB yes\n", 0o644)
	for _, name := range []string{"apk", "apt-get", "git", "update-ca-certificates"} {
		write("usr/local/bin/"+name, "#!/bin/sh\nexit 0\n", 0o755)
	}
	write("usr/local/bin/npm", npmStub, 0o755)
	write("usr/local/bin/go", goStub, 0o755)
	write("usr/local/bin/adduser", adduserStub, 0o755)
	write("usr/local/bin/addgroup", addgroupStub, 0o755)
	tarball := filepath.Join(dir, "root.tar")
	if out, err := testtool.Command(t, testtool.Program(t, "tar"), "-C", root, "--numeric-owner", "--owner=0", "--group=0", "-cf", tarball, ".").CombinedOutput(); err != nil {
		t.Fatalf("tar: %v\n%s", err, out)
	}
	for _, image := range []string{"golang:1.26", "golang:1.26-alpine", "alpine:3.22", "debian:trixie-slim", "node:22", "quay.io/prometheus/busybox-linux-amd64:latest"} {
		docker(t, nil, "import", tarball, image)
		t.Cleanup(func() { docker(t, nil, "rmi", "-f", image) })
	}
	return root
}

const npmStub = `#!/bin/sh
[ "$1" = run ] || exit 0
mkdir -p dist && echo app >dist/app.js
`

const goStub = `#!/bin/sh
# go build -o OUT ...: copies programs that the test has compiled
[ "$1" = build ] || [ "$1" = install ] || exit 0
out=
while [ $# -gt 0 ]; do
  case "$1" in
  -o) out=$2; shift ;;
  esac
  last=$1
  shift
done
name=$(basename "$last")
[ -f "/stub/$name" ] || name=$(ls /stub)
case "$out" in
"") cp /stub/$name . ;;
*/) mkdir -p "$out"; cp /stub/* "$out" ;;
*) mkdir -p "$(dirname "$out")"; cp /stub/$name "$out" ;;
esac
`

// The stubs understand the options that the repositories in testdata use.
const adduserStub = `#!/bin/sh
set -e
system= uid= group= home= make=1
while [ $# -gt 0 ]; do
  case "$1" in
  -S) system=1 ;;
  -u) uid=$2; shift ;;
  -G) group=$2; shift ;;
  -h) home=$2; shift ;;
  -H) make= ;;
  -D) ;;
  -g|-s) shift ;;
  *) name=$1 ;;
  esac
  shift
done
free() { n=$1; while cut -d: -f3 $2 | grep -qx $n; do n=$((n+1)); done; echo $n; }
if [ -z "$uid" ]; then
  if [ -n "$system" ]; then uid=$(free 100 /etc/passwd); else uid=$(free 1000 /etc/passwd); fi
fi
if [ -n "$group" ]; then gid=$(grep "^$group:" /etc/group | cut -d: -f3)
elif [ -n "$system" ]; then gid=65533
else gid=$uid; echo "$name:x:$gid:" >>/etc/group
fi
[ -n "$home" ] || home=/home/$name
echo "$name:x:$uid:$gid:$name:$home:/bin/sh" >>/etc/passwd
if [ -n "$make" ]; then mkdir -p $home; chown $uid:$gid $home; fi
`

const addgroupStub = `#!/bin/sh
set -e
system= gid=
while [ $# -gt 0 ]; do
  case "$1" in
  -S) system=1 ;;
  -g) gid=$2; shift ;;
  *) name=$1 ;;
  esac
  shift
done
if [ -z "$gid" ]; then
  gid=1000; [ -z "$system" ] || gid=101
  while cut -d: -f3 /etc/group | grep -qx $gid; do gid=$((gid+1)); done
fi
echo "$name:x:$gid:" >>/etc/group
`

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// docker runs docker with the classic builder, which needs no further program.
func docker(t *testing.T, stdin io.Reader, args ...string) string {
	t.Helper()
	cmd := testtool.Command(t, "docker", args...)
	cmd.Env = append(os.Environ(), "DOCKER_BUILDKIT=0")
	cmd.Stdin = stdin
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("docker %s: %v\n%s%s", strings.Join(args, " "), err, out, stderr.Bytes())
	}
	return strings.TrimSpace(string(out))
}

// compare makes both images of a repository.
func compare(t *testing.T, archive *txtar.Archive, stubs string) {
	repo := t.TempDir()
	dockerfile := "Dockerfile"
	for _, f := range archive.Files {
		file := filepath.Join(repo, filepath.FromSlash(f.Name))
		must(t, os.MkdirAll(filepath.Dir(file), 0o755))
		mode := os.FileMode(0o644)
		if path.Ext(f.Name) == ".sh" {
			mode = 0o755
		}
		must(t, os.WriteFile(file, f.Data, mode))
		if path.Base(f.Name) == "Dockerfile" {
			dockerfile = f.Name
		}
	}
	env := append(os.Environ(), "GIT_CONFIG_GLOBAL="+os.DevNull, "GIT_AUTHOR_NAME=A", "GIT_AUTHOR_EMAIL=a@example.com", "GIT_COMMITTER_NAME=C", "GIT_COMMITTER_EMAIL=c@example.com",
		"GOFLAGS=", "GOWORK=", "PATH="+hostStubs(t)+string(filepath.ListSeparator)+os.Getenv("PATH"))
	run := func(args ...string) string {
		t.Helper()
		cmd := testtool.Command(t, args[0], args[1:]...)
		cmd.Dir, cmd.Env = repo, env
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%q: %v\n%s", args, err, out)
		}
		return string(out)
	}
	run("git", "init", "-q", "-b", "main")
	run("git", "add", "-A")
	run("git", "commit", "-q", "-m", "a service")
	said := run(published.checkout)
	run("git", "add", "-A")
	run("git", "commit", "-q", "-m", "thimble")
	run("git", "tag", "v1.2.3")
	out := run("go", "run", "./magefiles/mage.go", "image", "-load", "-test=false")
	var m struct {
		Images []struct{ Name, Reference string }
	}
	text, err := os.ReadFile(filepath.Join(repo, "dist", "manifest.json"))
	must(t, err)
	must(t, json.Unmarshal(text, &m))
	if len(m.Images) != 1 {
		t.Fatalf("it made %d images:\n%s%s", len(m.Images), said, out)
	}
	ours := m.Images[0]
	t.Cleanup(func() { docker(t, nil, "rmi", "-f", ours.Reference) })

	// The programs, as thimble has compiled them, for the stub of go and for COPY.
	programs := readFiles(t, ours.Reference)
	stage := t.TempDir()
	for name, f := range programs {
		if dir, base := path.Split(name); dir == "app/" && base != "" && f.header.Typeflag == tar.TypeReg && f.header.Mode&0o111 != 0 {
			must(t, os.WriteFile(filepath.Join(stage, base), f.content, 0o755))
			for _, copied := range strings.Fields(string(archive.Comment)) {
				if copied, ok := strings.CutPrefix(copied, "binary:"); ok && path.Base(copied) == base {
					at := filepath.Join(repo, filepath.FromSlash(copied))
					must(t, os.MkdirAll(filepath.Dir(at), 0o755))
					must(t, os.WriteFile(at, f.content, 0o755))
				}
			}
		}
	}
	must(t, os.WriteFile(filepath.Join(stage, "Dockerfile"), []byte("FROM debian:trixie-slim\nCOPY . /stub/\nRUN rm /stub/Dockerfile\n"), 0o644))
	for _, image := range []string{"golang:1.26", "golang:1.26-alpine"} {
		docker(t, nil, "build", "-q", "-t", image, stage)
	}
	must(t, os.RemoveAll(filepath.Join(repo, "dist")))
	must(t, os.RemoveAll(filepath.Join(repo, "ui", "dist")))
	id := docker(t, nil, "build", "-q", "-f", filepath.Join(repo, filepath.FromSlash(dockerfile)), repo)
	t.Cleanup(func() { docker(t, nil, "rmi", "-f", id) })
	same(t, ours.Name, ours.Reference, id, said)
}

// hostStubs returns a folder with the stub of npm for commands of Before.
func hostStubs(t *testing.T) string {
	dir := t.TempDir()
	must(t, os.WriteFile(filepath.Join(dir, "npm"), []byte(npmStub), 0o755))
	return dir
}

// imageConfig is what docker inspect says.
type imageConfig struct {
	User         string
	Env          []string
	Entrypoint   []string
	Cmd          []string
	WorkingDir   string
	StopSignal   string
	Labels       map[string]string
	ExposedPorts map[string]struct{}
	Volumes      map[string]struct{}
	Healthcheck  *struct {
		Test                           []string
		Interval, Timeout, StartPeriod int64
		Retries                        int
	}
}

func inspect(t *testing.T, image string) imageConfig {
	var c imageConfig
	must(t, json.Unmarshal([]byte(docker(t, nil, "inspect", "--format", "{{json .Config}}", image)), &c))
	return c
}

type content struct {
	header  *tar.Header
	content []byte
}

// readFiles returns the files of an image, by their names without a slash at the begin.
func readFiles(t *testing.T, image string) map[string]content {
	container := docker(t, nil, "create", "--entrypoint", "/x", image)
	defer docker(t, nil, "rm", container)
	cmd := testtool.Command(t, "docker", "export", container)
	out, err := cmd.Output()
	must(t, err)
	all := map[string]content{}
	r := tar.NewReader(bytes.NewReader(out))
	for {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return all
		}
		must(t, err)
		b, err := io.ReadAll(r)
		must(t, err)
		all[strings.Trim(h.Name, "/")] = content{h, b}
	}
}

// same compares our image with docker's.
func same(t *testing.T, name, ours, theirs, said string) {
	a, b := inspect(t, ours), inspect(t, theirs)
	ourFiles, theirFiles, baseFiles := readFiles(t, ours), readFiles(t, theirs), readFiles(t, "debian:trixie-slim")
	check := func(what string, got, want any) {
		t.Helper()
		g, _ := json.Marshal(got)
		w, _ := json.Marshal(want)
		if !bytes.Equal(g, w) {
			t.Errorf("%s: the image has %s, docker's has %s", what, g, w)
		}
	}
	check("user", ids(a.User, ourFiles), ids(b.User, theirFiles))
	translated := strings.Contains(said, "Runtime.Env and Runtime.Args do what the script does")
	if env := environment(b.Env); !translated {
		check("environment", environment(a.Env), env)
	} else { // the script exports the others: what the program says is compared
		check("environment", slices.DeleteFunc(environment(a.Env), func(e string) bool { return !slices.Contains(env, e) }), env)
	}
	check("ports", slices.Sorted(maps.Keys(a.ExposedPorts)), slices.Sorted(maps.Keys(b.ExposedPorts)))
	check("volumes", slices.Sorted(maps.Keys(a.Volumes)), slices.Sorted(maps.Keys(b.Volumes)))
	check("working folder", a.WorkingDir, path.Join("/", b.WorkingDir))
	check("stop signal", a.StopSignal, b.StopSignal)
	check("labels", labels(a.Labels, b.Labels), labels(b.Labels, b.Labels))
	if (a.Healthcheck == nil) != (b.Healthcheck == nil) {
		check("health check", a.Healthcheck, b.Healthcheck)
	} else if a.Healthcheck != nil {
		check("times of the health check", []int64{a.Healthcheck.Interval, a.Healthcheck.Timeout, a.Healthcheck.StartPeriod, int64(a.Healthcheck.Retries)},
			[]int64{b.Healthcheck.Interval, b.Healthcheck.Timeout, b.Healthcheck.StartPeriod, int64(b.Healthcheck.Retries)})
	}
	program := sha256.Sum256(ourFiles["app/"+name].content)
	for file, f := range theirFiles {
		if base, ok := baseFiles[file]; ok && (f.header.Typeflag == tar.TypeDir || bytes.Equal(base.content, f.content)) || file == "etc/passwd" || file == "etc/group" || transient(file) {
			continue
		}
		if strings.HasPrefix(file, "etc/") && strings.HasSuffix(file, "-") || file == "etc/.pwd.lock" || file == "etc/subuid" || file == "etc/subgid" || file == "etc/shadow" || file == "etc/gshadow" { // of useradd
			continue
		}
		if sha256.Sum256(f.content) == program || strings.HasPrefix(file, "stub/") || isProgram(f, ourFiles) {
			continue
		}
		if path.Join("/", file) == path.Join("/", b.WorkingDir) && f.header.Uid == 0 || strings.HasPrefix(file, "go/") || isParent(file, theirFiles) {
			continue
		}
		if strings.HasSuffix(file, "entrypoint.sh") && translated {
			continue
		}
		own, ok := ourFiles[file]
		if !ok {
			t.Errorf("docker's image has /%s (%s), and ours does not", file, describeFile(f))
		} else if describeFile(own) != describeFile(f) && !isHome(file, theirFiles) {
			t.Errorf("/%s: ours is %s, docker's is %s", file, describeFile(own), describeFile(f))
		}
	}
	check("what it says", start(t, ours), start(t, theirs))
}

// isParent reports whether a folder is only there because something is below it: thimble makes
// such folders for the files that it has.
func isParent(file string, all map[string]content) bool {
	f := all[file]
	if f.header.Typeflag != tar.TypeDir || f.header.Uid != 0 || f.header.Mode&0o7777 != 0o755 {
		return false
	}
	for other := range all {
		if strings.HasPrefix(other, file+"/") {
			return true
		}
	}
	return false
}

func isHome(file string, all map[string]content) bool {
	for line := range strings.Lines(string(all["etc/passwd"].content)) {
		if f := strings.Split(line, ":"); len(f) > 5 && strings.Trim(f[5], "/") == file {
			return true
		}
	}
	return false
}

func isProgram(f content, ours map[string]content) bool {
	for name, own := range ours {
		if strings.HasPrefix(name, "app/") && own.header.Typeflag == tar.TypeReg && bytes.Equal(own.content, f.content) {
			return true
		}
	}
	return false
}

// transient reports whether an engine makes a file when it creates a container.
func transient(file string) bool {
	for _, prefix := range []string{"dev", "proc", "sys", ".dockerenv", "etc/hosts", "etc/hostname", "etc/resolv.conf", "etc/mtab"} {
		if file == prefix || strings.HasPrefix(file, prefix+"/") {
			return true
		}
	}
	return file == ""
}

func describeFile(f content) string {
	return fmt.Sprintf("type %c mode %04o owner %d:%d link %q content %x", f.header.Typeflag, f.header.Mode&0o7777, f.header.Uid, f.header.Gid, f.header.Linkname, sha256.Sum256(f.content))
}

// ids returns a user by numbers; the group is that of /etc/passwd if none is named.
func ids(user string, files map[string]content) string {
	name, group, both := strings.Cut(user, ":")
	if name == "" {
		name = "0"
	}
	for line := range strings.Lines(string(files["etc/passwd"].content)) {
		if f := strings.Split(line, ":"); len(f) > 3 && (f[0] == name || f[2] == name) {
			name = f[2]
			if !both {
				group = f[3]
			}
		}
	}
	for line := range strings.Lines(string(files["etc/group"].content)) {
		if f := strings.Split(line, ":"); len(f) > 2 && f[0] == group {
			group = f[2]
		}
	}
	if group == "" {
		group = "0"
	}
	return name + ":" + group
}

func environment(env []string) []string {
	all := []string{}
	for _, e := range env {
		if name, _, _ := strings.Cut(e, "="); name != "PATH" && name != "SSL_CERT_FILE" && name != "HOME" {
			all = append(all, e)
		}
	}
	slices.Sort(all)
	return all
}

// labels returns the labels with a value, without those that only thimble has set.
func labels(own, theirs map[string]string) map[string]string {
	all := map[string]string{}
	for name, value := range own {
		if set := theirs[name] != ""; value != "" && (set || !strings.HasPrefix(name, "org.opencontainers.image.") && !strings.HasPrefix(name, "build.thimble.")) {
			all[name] = value
		}
	}
	return all
}

// start runs an image. The programs in testdata say how they were started and what they read.
func start(t *testing.T, image string) string {
	t.Helper()
	return docker(t, nil, "run", "--rm", image)
}
