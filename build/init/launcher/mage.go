//go:build ignore

// Mage runs the targets of this folder and needs only Go:
//
//	go run ./magefiles/mage.go image
//
// It compiles the targets with the mage version in go.mod, regardless of the service's go.work,
// GOFLAGS or vendor folder. Then it runs the compiled program with the same environment in the
// parent folder. Where the system supports it, the program replaces this process, so that it
// gets the signals and its exit code is returned.
//
// Only that program gets the secrets of the environment, such as COSIGN_PASSWORD. It gets them
// through a pipe, and no compiler sees them. If the download of the targets' module needs a
// secret, name it in THIMBLE_MODULE_ENV (GITHUB_TOKEN,ARTIFACTS_*).
//
// "go run" turns every failure into exit code 1 and passes no signal on; the targets end when
// "go run" ends. If you need more, build this file once and call the result:
//
//	go build -o mage ./magefiles/mage.go
//
// thimble's init writes this file; do not edit it.
package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"reflect"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// asGo is set for mage, which uses this program as its go command. So the processes that mage
// starts end with it.
const asGo = "THIMBLE_LAUNCHER_AS_GO"

func main() {
	if told := os.Getenv(asGo); told != "" {
		cmd := exec.Command("go", os.Args[1:]...)
		cmd.Stdout = os.Stdout
		if len(os.Args) > 3 && os.Args[1] == "build" && os.Args[2] == "-o" {
			os.Exit(status(compiled("the targets", told == "told", true, nil, os.Args[2:4], os.Args[4:])))
		}
		os.Exit(status(run(cmd, true)))
	}
	check(os.Args[1:])
	err := hide()
	if err == nil {
		err = launch()
	}
	if err != nil {
		var ended *exec.ExitError
		if !errors.As(err, &ended) { // otherwise the process has printed the reason
			fmt.Fprintln(os.Stderr, "Error: mage.go:", visible(err.Error()))
		}
		os.Exit(status(err))
	}
}

// visible returns a text as one line, without characters that a terminal or a CI server would
// interpret: names of refused files come from an unknown source.
func visible(text string) string {
	var b strings.Builder
	for _, r := range text {
		if strconv.IsPrint(r) {
			b.WriteRune(r)
		} else {
			quoted := strconv.QuoteRune(r)
			b.WriteString(quoted[1 : len(quoted)-1])
		}
	}
	return strings.NewReplacer("::", `:\:`, "##", `#\#`).Replace(b.String())
}

// check refuses flags that the compiled program does not know. That program would print an
// error but exit with 0.
func check(args []string) {
	flags := flag.NewFlagSet("mage", flag.ExitOnError)
	for _, name := range []string{"h", "l", "v"} {
		flags.Bool(name, false, "")
	}
	flags.Duration("t", 0, "")
	flags.Usage = func() {
		fmt.Fprintln(os.Stderr,
			"usage: go run ./magefiles/mage.go [-v] [-t 30m] TARGET [FLAGS] | -l | -h TARGET")
	}
	flags.Parse(args)
}

// launch replaces this process with the compiled program, or returns an error.
func launch() error {
	dir, err := folder()
	if err != nil {
		return err
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return fmt.Errorf("find the cache folder: %w", err)
	}
	key := sha256.Sum256([]byte(dir))
	program := filepath.Join(cache, "thimble-magefiles", fmt.Sprintf("%x", key[:8]), "mage")
	if runtime.GOOS == "windows" {
		program += ".exe"
	}
	if err := trust(dir); err != nil {
		return err
	}
	if err := compile(dir, program); err != nil {
		return err
	}
	if err := os.Chdir(filepath.Dir(dir)); err != nil {
		return err
	}
	open, secrets := environ()
	if runtime.GOOS != "windows" {
		if secrets != nil {
			if open, err = throughPipe(open, secrets); err != nil {
				return err
			}
		}
		err := syscall.Exec(program, append([]string{"mage"}, os.Args[1:]...), open)
		return fmt.Errorf("start %s: %w", program, err)
	}
	cmd := exec.Command(program, os.Args[1:]...)
	cmd.Env, cmd.Stdout = append(open, secrets...), os.Stdout
	return run(cmd, false)
}

// folder returns the folder of the targets, with symlinks resolved. With "go run" it is the
// folder of this file. A built program serves every repository: it looks for a folder magefiles
// in the working folder and above, and then uses the folder it was built in.
func folder() (string, error) {
	wd, err := os.Getwd()
	if err != nil {
		return "", err
	}
	self, err := os.Executable()
	if err != nil {
		return "", fmt.Errorf("find this program: %w", err)
	}
	var dirs, own []string
	if _, file, _, ok := runtime.Caller(0); ok && filepath.IsAbs(file) { // not with -trimpath
		own = []string{filepath.Dir(file)}
	}
	if startedByGo(self) {
		dirs = own
	}
	for dir := wd; ; dir = filepath.Dir(dir) {
		dirs = append(dirs, filepath.Join(dir, "magefiles"))
		if dir == filepath.Dir(dir) {
			break
		}
	}
	for _, dir := range append(dirs, own...) {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil && filepath.Base(dir) == "magefiles" {
			return filepath.EvalSymlinks(dir)
		}
	}
	return "", fmt.Errorf("find the targets: no magefiles folder with a go.mod in %s or above", wd)
}

// trust refuses targets that another user could have placed there. The folder and all its files
// must belong to this user or, for root under sudo, to the user who called sudo. As with git,
// another user's folder is allowed if safe.directory names it in the git configuration of the
// system or user; the repository's configuration is ignored. On Windows owners are not checked.
func trust(dir string) error {
	users := []string{strconv.Itoa(os.Geteuid())}
	if sudo := os.Getenv("SUDO_UID"); sudo != "" && os.Geteuid() == 0 {
		users = append(users, sudo)
	}
	var foreign error
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		for _, stat := range []func(string) (os.FileInfo, error){os.Lstat, os.Stat} {
			info, err := stat(path)
			if err != nil && d.Type()&os.ModeSymlink != 0 {
				continue // a broken symlink
			}
			if err != nil {
				return err
			}
			uid := reflect.Indirect(reflect.ValueOf(info.Sys())).FieldByName("Uid")
			if uid.IsValid() && !slices.Contains(users, strconv.FormatUint(uid.Uint(), 10)) {
				foreign = fmt.Errorf("%s is owned by user %d, and this is user %s", path,
					uid.Uint(), users[0])
				return filepath.SkipAll
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("look who owns the targets: %w", err)
	}
	if foreign == nil {
		return nil
	}
	top := filepath.Dir(dir)
	for at := top; at != filepath.Dir(at); at = filepath.Dir(at) {
		if _, err := os.Lstat(filepath.Join(at, ".git")); err == nil {
			top = at
			break
		}
	}
	safe, err := safeFolders()
	if err != nil {
		return fmt.Errorf("run the targets of %s: %w; %w", dir, foreign, err)
	}
	for _, folder := range []string{dir, top} {
		for _, s := range safe {
			below, all := strings.CutSuffix(s, "/*")
			if resolved, err := filepath.EvalSymlinks(s); err == nil {
				s = resolved
			}
			if s == "*" || s == folder || all && strings.HasPrefix(folder, below+"/") {
				return nil
			}
		}
	}
	return fmt.Errorf(
		"run the targets of %s: %w; if you trust them: git config --global --add safe.directory %s", dir,
		foreign, top)
}

// safeFolders returns the values of safe.directory, outside of any repository. An empty value
// removes the values before it.
func safeFolders() ([]string, error) {
	cmd := exec.Command("git", "config", "--show-scope", "-z", "--type=path", "--get-all", "safe.directory")
	open, _ := environ()
	cmd.Dir, cmd.Env = string(filepath.Separator), append(open, "GIT_DIR="+os.DevNull) // in no repository
	out, err := cmd.Output()
	var none *exec.ExitError
	if err != nil && (!errors.As(err, &none) || none.ExitCode() != 1) { // 1: it is not set
		return nil, fmt.Errorf("ask git for safe.directory: %w", err)
	}
	var all []string
	fields := strings.Split(string(out), "\x00")
	for i := 0; i+1 < len(fields); i += 2 {
		switch {
		case fields[i+1] == "":
			all = nil
		case fields[i] != "local" && fields[i] != "worktree":
			all = append(all, fields[i+1])
		}
	}
	return all, nil
}

// The patterns for names and values of variables that contain a secret.
var (
	secretName = regexp.MustCompile(`(?i)TOKEN(S|_.*)?$|PASSW(OR)?D|PASSPHRASE|SECRET|CREDENTIAL|(^|_)(PASS|PAT|JWT|AUTH)$|JWT_|(^|_)(SSH|GPG|AGE|DEPLOY|ENCRYPTION|MASTER)_KEY$|(PRIVATE|ACCESS|ACCOUNT|SIGNING|API)_?KEY|_(PWD|CREDS|DSN)$|^SSHPASS$|^(AWS|AZURE|GOOGLE)_.*(KEY|ID$|STRING|CERTIFICATE|SAS|USER|ASSERTION)|^(THIMBLE_KEY|COSIGN_KEY|DOCKER_AUTH_CONFIG|CI_REPOSITORY_URL)$`)
	secretKey  = regexp.MustCompile(`-----BEGIN [A-Z ]*PRIVATE KEY-----|LS0tLS1CRUdJTi[\w+/]*(UFJJVkFURSBLRV|BSSVZBVEUgS0VZ|QUklWQVRFIEtFW)`)
	secretURL  = regexp.MustCompile(`(?i)https?://[^/?#\s@]+@|://[^/?#\s@]*:[^/?#\s@]+@`)
	// Settings for network access, which may contain a password.
	wireName = regexp.MustCompile(`(?i)^(GOPROXY|GOSUMDB|(HTTPS?|ALL|FTP)_PROXY)$`)
)

// piped is the variable that names the descriptor of a pipe with the secrets. The launched
// program reads it.
const piped = "THIMBLE_SECRETS"

// received are the secrets that came through a pipe.
var received []string

// hide removes the secrets from the environment that the system shows to other processes: the
// launcher executes itself again without them, and reads them from a pipe.
func hide() error {
	if fd, ok := os.LookupEnv(piped); ok {
		n, err := strconv.Atoi(fd)
		if err == nil {
			f := os.NewFile(uintptr(n), piped)
			var text []byte
			text, err = io.ReadAll(f)
			f.Close()
			received = strings.Split(strings.TrimSuffix(string(text), "\x00"), "\x00")
		}
		if err != nil {
			return fmt.Errorf("read the secrets from a pipe: %w; unset %s", err, piped)
		}
		keepMemory()
		return os.Unsetenv(piped)
	}
	open, secrets := environ()
	if secrets == nil || runtime.GOOS == "windows" {
		return nil
	}
	self, err := os.Executable()
	if err != nil {
		return fmt.Errorf("find this program: %w", err)
	}
	if open, err = throughPipe(open, secrets); err != nil {
		return err
	}
	return fmt.Errorf("execute %s again: %w", self, syscall.Exec(self, os.Args, open))
}

// keepMemory prevents other processes of the same user from reading this one's memory, where
// the system supports it: prctl(2) with PR_SET_DUMPABLE, on Linux.
func keepMemory() {
	number := map[string]uintptr{"amd64": 157, "arm64": 167, "riscv64": 167, "loong64": 167, "386": 172,
		"arm": 172, "s390x": 172, "ppc64le": 171}[runtime.GOARCH]
	call, ok := any(syscall.Syscall).(func(number, a, b, c uintptr) (uintptr, uintptr, syscall.Errno))
	if ok && number != 0 && runtime.GOOS == "linux" {
		call(number, 4, 0, 0)
	}
}

// throughPipe writes secrets into a pipe that the next program inherits, and adds the pipe to
// that program's environment.
func throughPipe(env, secrets []string) ([]string, error) {
	var ends [2]int
	pipe, ok := any(syscall.Pipe).(func([]int) error) // not on Windows
	if !ok {
		return nil, errors.New("there are no pipes to hide secrets in")
	}
	if err := pipe(ends[:]); err != nil {
		return nil, fmt.Errorf("make a pipe: %w", err)
	}
	written := make(chan error, 1)
	go func() {
		w := os.NewFile(uintptr(ends[1]), piped)
		_, err := w.WriteString(strings.Join(secrets, "\x00") + "\x00")
		written <- errors.Join(err, w.Close())
	}()
	select {
	case err := <-written:
		return append(env, fmt.Sprint(piped, "=", ends[0])), err
	case <-time.After(5 * time.Second): // nobody reads it yet
		return nil, errors.New(
			"the secrets of the environment are larger than a pipe; keep large ones in files")
	}
}

// environ returns the environment and the secrets that were in it. It removes the variables
// that a go command sets after it has switched to another toolchain, because the module of the
// targets may need a third one.
func environ() (open, secrets []string) {
	secrets = received
	var named []string
	for _, e := range os.Environ() {
		if _, name, ok := strings.Cut(e, "=env://"); ok {
			named = append(named, name)
		}
	}
	for _, e := range os.Environ() {
		name, value, _ := strings.Cut(e, "=")
		switch {
		case strings.HasPrefix(name, "GOTOOLCHAIN_INTERNAL_"):
		case slices.Contains(named, name) || secretName.MatchString(name) || secretKey.MatchString(value) ||
			secretURL.MatchString(value),
			wireName.MatchString(name) && strings.Contains(value, "@"):
			secrets = append(secrets, e)
		default:
			open = append(open, e)
		}
	}
	return open, secrets
}

// forModules returns the secrets that go commands may see: proxies with their passwords, and
// those named in THIMBLE_MODULE_ENV.
func forModules(secrets []string) (env []string) {
	for _, e := range secrets {
		if name, _, _ := strings.Cut(e, "="); wireName.MatchString(name) {
			env = append(env, e)
		}
	}
	for want := range strings.SplitSeq(os.Getenv("THIMBLE_MODULE_ENV"), ",") {
		prefix, open := strings.CutSuffix(want, "*")
		for _, e := range secrets {
			if strings.HasPrefix(e, want+"=") || open && strings.HasPrefix(e, prefix) {
				env = append(env, e)
			}
		}
	}
	return env
}

// compile makes the program, if it is not up to date. It ignores go.work, GO111MODULE and
// GOFLAGS, which are settings for the service.
func compile(dir, program string) error {
	self, err := os.Executable()
	if err != nil {
		return fmt.Errorf("find this program: %w", err)
	}
	if err := os.MkdirAll(filepath.Dir(program), 0o755); err != nil {
		return err
	}
	unlock, err := lock(program + ".lock")
	if err != nil {
		return err
	}
	defer unlock()
	// Compiled packages can then be reused in every folder, and nobody debugs the program.
	flags := "-trimpath -ldflags=-w"
	if strings.Contains(os.Getenv("GOFLAGS"), "-modcacherw") {
		flags += " -modcacherw"
	}
	open, secrets := environ()
	env := append(append(open, forModules(secrets)...), "GOWORK=off", "GO111MODULE=on", "GOFLAGS="+flags)
	told := "no"
	if _, err := os.Stat(program); err != nil {
		fmt.Fprintln(os.Stderr, "compile the targets ("+reason+")")
		// "go tool" compiles mage too, but shows nothing. It repeats an error.
		_ = compiled("mage", true, startedByGo(self), append(env, "PWD="+dir), []string{"-o", os.DevNull},
			[]string{"github.com/magefile/mage"})
		told = "told"
	}
	cmd := exec.Command("go", "-C", dir, "tool", "mage", "-d", dir, "-w", dir, "-gocmd", self,
		"-compile", program)
	cmd.Env = append(env, asGo+"="+told)
	cmd.Stdout = os.Stderr
	if err := run(cmd, startedByGo(self)); err != nil {
		// mage removes this file, unless it was stopped
		return errors.Join(err, os.RemoveAll(filepath.Join(dir, "mage_output_file.go")))
	}
	return nil
}

// reason is why there is something to compile, and how often.
const reason = "once; about 12 s when the magefile changes"

// compiled runs "go build", and shows how many packages it has compiled of all that it has to. told
// says that the user knows the reason. env is that of the go command, whose PWD is its folder; nil
// is this process's.
func compiled(what string, told, watch bool, env, output, args []string) error {
	p := &packages{what: what, told: told, live: isTerminal(), began: time.Now()}
	dir := ""
	for _, e := range env {
		if value, ok := strings.CutPrefix(e, "PWD="); ok {
			dir = value
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	var others sync.WaitGroup
	others.Go(func() {
		list := exec.CommandContext(ctx, "go",
			append([]string{"list", "-e", "-deps", "-f={{if .Stale}}{{.ImportPath}}{{end}}"}, args...)...)
		list.Dir, list.Env = dir, env
		if out, err := list.Output(); err == nil { // it only shows progress
			p.change(func() { p.all = strings.Count(string(out), "\n") })
		}
	})
	others.Go(func() {
		tick := time.NewTicker(time.Second)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
				p.change(func() {})
			}
		}
	})
	build := exec.Command("go", append(append([]string{"build", "-v"}, output...), args...)...)
	build.Dir, build.Env, build.Stdout, build.Stderr = dir, env, os.Stdout, p
	err := run(build, watch)
	cancel()
	others.Wait()
	p.end()
	return err
}

// packages counts the packages that the go command compiles. It is the writer of the command's
// messages, and passes on all that are not the name of a package.
type packages struct {
	what       string
	told, live bool
	began      time.Time

	mu        sync.Mutex
	done, all int
	rest      []byte
}

// packageLine is what "go build -v" prints when it compiles a package.
var packageLine = regexp.MustCompile(`^[\w.~/+-]+$`)

func (p *packages) Write(b []byte) (int, error) {
	p.change(func() {
		p.rest = append(p.rest, b...)
		for i := bytes.IndexByte(p.rest, '\n'); i >= 0; i = bytes.IndexByte(p.rest, '\n') {
			line := p.rest[:i]
			p.rest = p.rest[i+1:]
			if packageLine.Match(line) {
				p.done++
			} else {
				p.say(string(line))
			}
		}
	})
	return len(b), nil
}

// change changes the counts and shows them, on a terminal as one live line.
func (p *packages) change(change func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	change()
	if p.all > 20 && !p.told { // more than the magefile's own
		p.told = true
		p.say("compile the targets (" + reason + ")")
	}
	if p.live && p.done > 0 {
		fmt.Fprintf(os.Stderr, "\r\x1b[2Kcompile %s: %d of %d packages, %s", p.what, p.done,
			max(p.done, p.all), p.elapsed())
	}
}

func (p *packages) elapsed() time.Duration { return time.Since(p.began).Round(time.Second) }

// say prints a line that stays.
func (p *packages) say(line string) {
	if p.live {
		fmt.Fprint(os.Stderr, "\r\x1b[2K")
	}
	fmt.Fprintln(os.Stderr, line)
}

func (p *packages) end() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.done > 20 {
		p.say(fmt.Sprintf("compiled %s: %d packages, %s", p.what, p.done, p.elapsed()))
	} else if p.live {
		fmt.Fprint(os.Stderr, "\r\x1b[2K")
	}
	os.Stderr.Write(p.rest)
}

// isTerminal reports whether messages go to a terminal that can move its cursor.
func isTerminal() bool {
	info, err := os.Stderr.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0 && os.Getenv("TERM") != "dumb" &&
		os.Getenv("CI") == ""
}

// lock waits until no other launcher compiles these targets, because mage writes a file into
// their folder and removes it again. A lock that is no longer renewed is ignored.
func lock(file string) (unlock func(), err error) {
	for {
		f, err := os.OpenFile(file, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
		if err == nil {
			f.Close()
			break
		}
		if !errors.Is(err, os.ErrExist) {
			return nil, err
		}
		if fi, err := os.Stat(file); err == nil && time.Since(fi.ModTime()) > 10*time.Second {
			os.Remove(file)
		}
		time.Sleep(50 * time.Millisecond)
	}
	tick, done, renewed := time.NewTicker(time.Second), make(chan bool), make(chan bool)
	go func() {
		defer close(renewed)
		for {
			select {
			case <-done:
				return
			case now := <-tick.C:
				os.Chtimes(file, now, now)
			}
		}
	}()
	return func() {
		tick.Stop()
		close(done)
		<-renewed
		os.Remove(file)
	}, nil
}

// startedByGo reports whether "go run" started this program: such programs are in the go
// command's cache or in a temporary folder.
func startedByGo(self string) bool {
	cache := os.Getenv("GOCACHE")
	return strings.Contains(self, "go-build") || cache != "" && strings.HasPrefix(self, cache)
}

// stopped is the cause of an early end.
type stopped struct{ signal syscall.Signal }

func (s stopped) Error() string { return "stopped: " + s.signal.String() }

// run waits for a command. When a signal asks this program to stop, or with watch when its
// parent has ended, run interrupts the command and still waits for it.
func run(cmd *exec.Cmd, watch bool) error {
	cmd.Stdin = os.Stdin
	if cmd.Stderr == nil {
		cmd.Stderr = os.Stderr
	}
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	defer signal.Stop(signals)
	if err := cmd.Start(); err != nil {
		return err
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	parent, stop := os.Getppid(), error(nil)
	for {
		select {
		case err := <-ended:
			return errors.Join(stop, err)
		case sig := <-signals:
			stop = stopped{sig.(syscall.Signal)}
		case <-tick.C:
			if !watch || stop != nil || os.Getppid() == parent {
				continue
			}
			stop = stopped{syscall.SIGTERM}
		}
		if runtime.GOOS != "windows" { // on Windows the console has also interrupted the command
			cmd.Process.Signal(os.Interrupt)
		}
	}
}

// status returns the exit code for an error.
func status(err error) int {
	var stop stopped
	var exit *exec.ExitError
	switch {
	case err == nil:
		return 0
	case errors.As(err, &stop):
		return 128 + int(stop.signal)
	case errors.As(err, &exit) && exit.ExitCode() > 0:
		return exit.ExitCode()
	}
	return 1
}
