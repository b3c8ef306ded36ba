package targets_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"

	"github.com/rogpeppe/go-internal/testscript"
)

// newMemoryGroup makes a control group of this machine whose processes get so much
// memory, in either version of control groups. It is empty, and removed as a folder is.
func newMemoryGroup(limit int64) (string, error) {
	var errs []error
	for _, of := range []struct{ top, file string }{{"/sys/fs/cgroup/memory", "memory.limit_in_bytes"}, {"/sys/fs/cgroup", "memory.max"}} {
		dir := filepath.Join(of.top, fmt.Sprintf("thimble-test-%d", os.Getpid()))
		err := os.Mkdir(dir, 0o755)
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, of.file), []byte(strconv.FormatInt(limit, 10)), 0)
			if err == nil {
				return dir, nil
			}
			err = errors.Join(err, os.Remove(dir))
		}
		errs = append(errs, err)
	}
	return "", errors.Join(errs...)
}

// memoryGroup is a command of scripts: "memory-group NAME MIB" makes a group, and sets
// $NAME to the file into which a process writes its number to become a part of it.
func memoryGroup(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: memory-group NAME MIB")
	}
	mib, err := strconv.ParseInt(args[1], 10, 64)
	ts.Check(err)
	dir, err := newMemoryGroup(mib << 20)
	ts.Check(err)
	ts.Defer(func() {
		if err := os.Remove(dir); err != nil {
			ts.Logf("%v", err)
		}
	})
	ts.Setenv(args[0], filepath.Join(dir, "cgroup.procs"))
}
