package resolve

import (
	"errors"
	"fmt"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/thimble-build/thimble/build/plan"
)

var (
	envPattern = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*=`)
	// signalPattern matches the names of Linux signals that engines accept, and numbers.
	signalPattern = regexp.MustCompile(
		`^(SIG(ABRT|ALRM|BUS|CHLD|CLD|CONT|FPE|HUP|ILL|INT|IO|IOT|KILL|PIPE|POLL|PROF|PWR|QUIT|SEGV|` +
			`STKFLT|STOP|SYS|TERM|TRAP|TSTP|TTIN|TTOU|URG|USR1|USR2|VTALRM|WINCH|XCPU|XFSZ|` +
			`RTMIN(\+([1-9]|1[0-5]))?|RTMAX(-([1-9]|1[0-4]))?)|[1-9]|[1-5][0-9]|6[0-4])$`)
)

// checkRuntime refuses settings that an engine would refuse only when the image is run.
func checkRuntime(run *plan.Runtime) error {
	for _, e := range run.Env {
		if !envPattern.MatchString(e) || strings.ContainsRune(e, 0) {
			return fmt.Errorf("environment %q is not NAME=value", e)
		}
	}
	if _, ok := run.Labels[""]; ok {
		return errors.New("a label has no name")
	}
	for _, port := range run.Ports {
		number, proto, ok := strings.Cut(port, "/")
		n, err := strconv.ParseUint(number, 10, 16)
		if err != nil || n == 0 || ok && proto != "tcp" && proto != "udp" && proto != "sctp" {
			return fmt.Errorf("port %q is not a number from 1 to 65535, optionally with /tcp or /udp", port)
		}
	}
	if run.WorkingDir != "" && !cleanPath(run.WorkingDir) {
		return fmt.Errorf("working folder %q is not a clean absolute path", run.WorkingDir)
	}
	if len(run.Entrypoint) > 0 && !cleanPath(run.Entrypoint[0]) {
		return fmt.Errorf(
			"the entrypoint %q does not begin with a clean absolute path, such as /app/start.sh",
			run.Entrypoint)
	}
	for i, volume := range run.Volumes {
		if !cleanPath(volume) || volume == "/" {
			return fmt.Errorf("volume %q is not a clean absolute path of a folder, such as /data", volume)
		}
		if slices.Contains(run.Volumes[:i], volume) {
			return fmt.Errorf("volume %q appears twice", volume)
		}
	}
	if run.StopSignal != "" && !signalPattern.MatchString(run.StopSignal) {
		return fmt.Errorf("stop signal %q is not a signal's name, such as SIGTERM, or number", run.StopSignal)
	}
	if h := run.Healthcheck; h != nil {
		if len(h.Command) == 0 {
			return fmt.Errorf("the healthcheck has no command")
		}
		if h.Interval < 0 || h.Timeout < 0 || h.Start < 0 || h.Retries < 0 {
			return fmt.Errorf("the healthcheck has a negative time or number of retries")
		}
		for _, d := range []time.Duration{h.Interval, h.Timeout, h.Start} {
			if d > 0 && d < time.Millisecond { // engines refuse this
				return fmt.Errorf("the healthcheck has a time of %s; write one such as 5*time.Second", d)
			}
		}
	}
	return nil
}

// cleanPath reports whether a path in the image is absolute and has no part such as "..".
func cleanPath(p string) bool { return path.IsAbs(p) && path.Clean(p) == p }

// checkSymlinks returns the symlinks sorted by path.
func checkSymlinks(links []plan.Symlink) ([]plan.Symlink, error) {
	sorted := slices.SortedFunc(slices.Values(links),
		func(a, b plan.Symlink) int { return strings.Compare(a.Path, b.Path) })
	for i, l := range sorted {
		switch {
		case !cleanPath(l.Path) || l.Path == "/":
			return nil, fmt.Errorf(
				"the path %q of a symlink is not a clean absolute path, such as /usr/bin/api", l.Path)
		case !cleanPath(l.Target):
			return nil, fmt.Errorf("symlink %s: the target %q is not a clean absolute path, such as /app/api",
				l.Path, l.Target)
		case i > 0 && sorted[i-1].Path == l.Path:
			return nil, fmt.Errorf("symlink %s appears twice", l.Path)
		}
	}
	return sorted, nil
}
