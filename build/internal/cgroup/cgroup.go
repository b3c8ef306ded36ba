// Package cgroup finds out how much memory this process may use: in a container, the limit of its
// control group and not the machine's memory. It reads files of Linux and changes nothing. (The
// Go runtime does the same for processors, since Go 1.25.)
package cgroup

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"path"
	"strconv"
	"strings"
)

// MemoryLimit returns the lowest limit, in bytes, of the process's control groups and their
// parents, of version 2 and version 1. root is the root of the file system, such as
// os.DirFS("/"). It is 0 if there is no limit, or no control group.
func MemoryLimit(root fs.FS) (int64, error) {
	groups, err := fs.ReadFile(root, "proc/self/cgroup")
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("read the memory limit: %w", err)
	}
	mounts, err := fs.ReadFile(root, "proc/self/mountinfo")
	if err != nil {
		return 0, fmt.Errorf("read the memory limit: %w", err)
	}
	limit := int64(math.MaxInt64)
	for line := range strings.Lines(string(groups)) {
		// hierarchy:controllers:path (cgroups(7)); version 2 has no controllers here.
		fields := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if len(fields) != 3 {
			continue
		}
		file := "memory.max"
		if fields[1] != "" {
			if !contains(fields[1], "memory") {
				continue
			}
			file = "memory.limit_in_bytes"
		}
		mount, below, ok := mounted(mounts, fields[1], fields[2])
		if !ok {
			continue
		}
		for dir := below; ; dir = path.Dir(dir) {
			n, err := read(root, path.Join(mount, dir, file))
			if err != nil {
				return 0, err
			}
			limit = min(limit, n)
			if dir == "/" {
				break
			}
		}
	}
	// The value for "no limit" in version 1 is the largest number of whole pages.
	if limit >= math.MaxInt64-1<<20 {
		return 0, nil
	}
	return limit, nil
}

// mounted finds the mount point of a hierarchy, and the group's folder below it.
func mounted(mountinfo []byte, controllers, group string) (mount, below string, ok bool) {
	scanner := bufio.NewScanner(bytes.NewReader(mountinfo))
	for scanner.Scan() {
		// id parent major:minor root mountpoint options… - type source superoptions (proc(5))
		before, after, found := strings.Cut(scanner.Text(), " - ")
		head, tail := strings.Fields(before), strings.Fields(after)
		if !found || len(head) < 5 || len(tail) < 3 {
			continue
		}
		if controllers == "" && tail[0] != "cgroup2" || controllers != "" &&
			(tail[0] != "cgroup" || !contains(tail[2], "memory")) {
			continue
		}
		// In a container the group's path may be that of the host, where only the part below root
		// is mounted.
		below = "/"
		if rest, inside := strings.CutPrefix(group, strings.TrimSuffix(head[3], "/")); inside &&
			(rest == "" || rest[0] == '/') {
			below = path.Join("/", rest)
		}
		return strings.TrimPrefix(head[4], "/"), below, true
	}
	return "", "", false
}

// read reads a limit; the largest number if there is none.
func read(root fs.FS, name string) (int64, error) {
	b, err := fs.ReadFile(root, name)
	text := strings.TrimSpace(string(b))
	if errors.Is(err, fs.ErrNotExist) || err == nil && text == "max" { // the root group has no file
		return math.MaxInt64, nil
	}
	if err != nil {
		return 0, fmt.Errorf("read the memory limit: %w", err)
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return 0, fmt.Errorf("read the memory limit: /%s: %w", name, err)
	}
	return n, nil
}

func contains(list, name string) bool {
	for item := range strings.SplitSeq(list, ",") {
		if item == name {
			return true
		}
	}
	return false
}
