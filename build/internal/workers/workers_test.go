package workers

import "testing"

func TestBound(t *testing.T) {
	for _, test := range []struct {
		limit               int64
		cores               int
		commands, processes int
	}{
		{0, 2, 3, 0},         // no limit
		{256 << 20, 8, 1, 1}, // less than one compiler
		{1 << 30, 1, 1, 0},
		{1 << 30, 8, 1, 1},
		{2 << 30, 2, 1, 1},
		{4 << 30, 2, 1, 0}, // enough for the cores
		{4 << 30, 8, 1, 3},
		{8 << 30, 8, 3, 3},
		{8 << 30, 64, 3, 3},
		{64 << 30, 8, 3, 0},
	} {
		commands, processes := Bound(test.limit, test.cores)
		if commands != test.commands || processes != test.processes {
			t.Errorf("%d MiB, %d cores: %d × %d, want %d × %d", test.limit>>20, test.cores, commands, processes, test.commands, test.processes)
		}
		at := processes
		if at == 0 {
			at = test.cores
		}
		if need := int64((commands+1)*at)*processMemory + restMemory; test.limit > 1<<30 && need > test.limit+processMemory {
			t.Errorf("%d MiB, %d cores: may need %d MiB", test.limit>>20, test.cores, need>>20)
		}
	}
}
