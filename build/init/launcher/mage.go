//go:build ignore

// Mage runs the targets of this folder and needs nothing but Go:
//
//	go run ./magefiles/mage.go image
//
// It compiles them with the mage that go.mod names, whatever go.work, GOFLAGS or
// vendor folder the service has, and hands over to the program that comes out: with
// the environment as it was, in the folder above this one, and, where the system can
// do that, as the same process, so that signals and exit codes are the program's own.
//
// "go run" makes every failure exit code 1 and passes no signal on; the targets end
// when it does. Where that is not enough, build this file once and call the result:
//
//	go build -o mage ./magefiles/mage.go
//
// thimble's init writes this file; it is meant to stay as it is.
package main

import (
	"crypto/sha256"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"
)

// asGo is set for mage, which is told to take this program for its go command: so
// what it starts ends with it.
const asGo = "THIMBLE_LAUNCHER_AS_GO"

func main() {
	if os.Getenv(asGo) != "" {
		cmd := exec.Command("go", os.Args[1:]...)
		cmd.Stdout = os.Stdout
		os.Exit(status(run(cmd, true)))
	}
	check(os.Args[1:])
	if err := launch(); err != nil {
		var ended *exec.ExitError
		if !errors.As(err, &ended) { // else whoever ended has said why
			fmt.Fprintln(os.Stderr, "Error: mage.go:", err)
		}
		os.Exit(status(err))
	}
}

// check refuses flags that the compiled program does not know: it would complain and
// exit with 0.
func check(args []string) {
	flags := flag.NewFlagSet("mage", flag.ExitOnError)
	for _, name := range []string{"h", "l", "v"} {
		flags.Bool(name, false, "")
	}
	flags.Duration("t", 0, "")
	flags.Usage = func() {
		fmt.Fprintln(os.Stderr, "usage: go run ./magefiles/mage.go [-v] [-t 30m] TARGET [FLAGS] | -l | -h TARGET")
	}
	flags.Parse(args)
}

// launch becomes the compiled program, or returns why it cannot.
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
	if err := compile(dir, program); err != nil {
		return err
	}
	if err := os.Chdir(filepath.Dir(dir)); err != nil {
		return err
	}
	env := environ()
	if runtime.GOOS != "windows" {
		err := syscall.Exec(program, append([]string{"mage"}, os.Args[1:]...), env)
		return fmt.Errorf("start %s: %w", program, err)
	}
	cmd := exec.Command(program, os.Args[1:]...)
	cmd.Env, cmd.Stdout = env, os.Stdout
	return run(cmd, false)
}

// folder is the folder of the targets, with symlinks resolved. "go run" was told it by the
// name of this file; a program that was built serves every repository, and looks for a
// folder magefiles above the working folder before it takes the one it was built in.
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

// environ is the environment without what a go command that changed to another
// toolchain says to itself: the module of the targets may need a third one.
func environ() []string {
	var env []string
	for _, e := range os.Environ() {
		if !strings.HasPrefix(e, "GOTOOLCHAIN_INTERNAL_") {
			env = append(env, e)
		}
	}
	return env
}

// compile makes the program, if it is not up to date. What is set for the service,
// go.work, GO111MODULE and GOFLAGS, does not count for its targets.
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
	// A compiled package is good for every folder, and nobody debugs the program.
	flags := "-trimpath -ldflags=-w"
	if strings.Contains(os.Getenv("GOFLAGS"), "-modcacherw") {
		flags += " -modcacherw"
	}
	cmd := exec.Command("go", "-C", dir, "tool", "mage", "-d", dir, "-w", dir, "-gocmd", self, "-compile", program)
	cmd.Env = append(environ(), "GOWORK=off", "GO111MODULE=on", "GOFLAGS="+flags, asGo+"=1")
	cmd.Stdout = os.Stderr
	if err := run(cmd, startedByGo(self)); err != nil {
		// mage has removed this, unless it was stopped
		return errors.Join(err, os.RemoveAll(filepath.Join(dir, "mage_output_file.go")))
	}
	return nil
}

// lock waits until no other launcher compiles these targets: mage writes a file into
// their folder and removes it again. A lock that nobody renews is dead.
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

// startedByGo says whether "go run" has started this program: it keeps such programs
// in its cache or in a temporary folder.
func startedByGo(self string) bool {
	cache := os.Getenv("GOCACHE")
	return strings.Contains(self, "go-build") || cache != "" && strings.HasPrefix(self, cache)
}

// stopped is the cause of an early end.
type stopped struct{ signal syscall.Signal }

func (s stopped) Error() string { return "stopped: " + s.signal.String() }

// run waits for a command. When a signal asks this program to stop, or its parent has
// gone and that is watched, the command is interrupted and still waited for.
func run(cmd *exec.Cmd, watch bool) error {
	cmd.Stdin, cmd.Stderr = os.Stdin, os.Stderr
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
		if runtime.GOOS != "windows" { // there the console has told the command too
			cmd.Process.Signal(os.Interrupt)
		}
	}
}

// status is the exit code for an error.
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
