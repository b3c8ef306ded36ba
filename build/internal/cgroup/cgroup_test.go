package cgroup_test

import (
	"os"
	"testing"
	"testing/fstest"

	"github.com/thimble-build/thimble/build/internal/cgroup"
)

func TestMemoryLimit(t *testing.T) {
	const (
		v2      = "30 23 0:26 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw,nsdelegate\n"
		v1      = "31 23 0:27 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu\n32 23 0:28 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n"
		docker1 = "32 23 0:28 /docker/abc /sys/fs/cgroup/memory ro - cgroup cgroup rw,memory\n"
	)
	for name, test := range map[string]struct {
		files map[string]string
		want  int64
		fails bool
	}{
		"no control groups": {nil, 0, false},
		"v2, in a container": {map[string]string{
			"proc/self/cgroup": "0::/\n", "proc/self/mountinfo": v2, "sys/fs/cgroup/memory.max": "2147483648\n",
		}, 2147483648, false},
		"v2, no limit": {map[string]string{
			"proc/self/cgroup": "0::/user.slice\n", "proc/self/mountinfo": v2, "sys/fs/cgroup/user.slice/memory.max": "max\n",
		}, 0, false},
		"v2, the limit of a group around it": {map[string]string{
			"proc/self/cgroup": "0::/ci.slice/job.scope\n", "proc/self/mountinfo": v2,
			"sys/fs/cgroup/ci.slice/job.scope/memory.max": "4000000000\n", "sys/fs/cgroup/ci.slice/memory.max": "1000000000\n",
		}, 1000000000, false},
		"v1": {map[string]string{
			"proc/self/cgroup": "12:cpu,cpuacct:/a\n11:memory:/b\n", "proc/self/mountinfo": v1,
			"sys/fs/cgroup/memory/b/memory.limit_in_bytes": "536870912\n", "sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n",
		}, 536870912, false},
		"v1, no limit": {map[string]string{
			"proc/self/cgroup": "11:memory:/b\n0::/b\n", "proc/self/mountinfo": v1,
			"sys/fs/cgroup/memory/b/memory.limit_in_bytes": "9223372036854771712\n",
		}, 0, false},
		"v1, in a container with the host's paths": {map[string]string{
			"proc/self/cgroup": "11:memory:/docker/abc\n", "proc/self/mountinfo": docker1,
			"sys/fs/cgroup/memory/memory.limit_in_bytes": "268435456\n",
		}, 268435456, false},
		"v2, moved out of what is mounted": {map[string]string{
			"proc/self/cgroup": "0::/../other\n", "proc/self/mountinfo": v2, "sys/fs/cgroup/memory.max": "5000\n",
		}, 5000, false},
		"nonsense": {map[string]string{
			"proc/self/cgroup": "0::/\n", "proc/self/mountinfo": v2, "sys/fs/cgroup/memory.max": "lots\n",
		}, 0, true},
	} {
		root := fstest.MapFS{}
		for file, text := range test.files {
			root[file] = &fstest.MapFile{Data: []byte(text)}
		}
		got, err := cgroup.MemoryLimit(root)
		if got != test.want || (err != nil) != test.fails {
			t.Errorf("%s: %d, %v; want %d", name, got, err, test.want)
		}
	}
}

// TestHere reads this very machine.
func TestHere(t *testing.T) {
	limit, err := cgroup.MemoryLimit(os.DirFS("/"))
	if err != nil || limit < 0 || limit > 0 && limit < 16<<20 {
		t.Errorf("%d, %v", limit, err)
	}
}
