// Package capability parses the names of Linux capabilities and encodes the extended attribute by
// which a file grants them to the process that runs it (capabilities(7), "File capabilities").
package capability

import (
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
)

// XAttr is the name of the extended attribute.
const XAttr = "security.capability"

// names are those of linux/capability.h; a capability's number is its index.
var names = []string{
	"cap_chown", "cap_dac_override", "cap_dac_read_search", "cap_fowner", "cap_fsetid",
	"cap_kill", "cap_setgid", "cap_setuid", "cap_setpcap", "cap_linux_immutable",
	"cap_net_bind_service", "cap_net_broadcast", "cap_net_admin", "cap_net_raw", "cap_ipc_lock",
	"cap_ipc_owner", "cap_sys_module", "cap_sys_rawio", "cap_sys_chroot", "cap_sys_ptrace",
	"cap_sys_pacct", "cap_sys_admin", "cap_sys_boot", "cap_sys_nice", "cap_sys_resource",
	"cap_sys_time", "cap_sys_tty_config", "cap_mknod", "cap_lease", "cap_audit_write",
	"cap_audit_control", "cap_setfcap", "cap_mac_override", "cap_mac_admin", "cap_syslog",
	"cap_wake_alarm", "cap_block_suspend", "cap_audit_read", "cap_perfmon", "cap_bpf",
	"cap_checkpoint_restore",
}

// Names returns capabilities as libcap writes them, in the kernel's order and without
// repetitions. "NET_BIND_SERVICE", as container engines write it, is cap_net_bind_service. The
// error names an unknown one.
func Names(list []string) ([]string, error) {
	set, err := parse(list)
	if err != nil {
		return nil, err
	}
	var all []string
	for i, name := range names {
		if set&(1<<i) != 0 {
			all = append(all, name)
		}
	}
	return all, nil
}

// Encode returns the value of XAttr that makes the capabilities permitted and effective (setcap
// NAME=ep): struct vfs_cap_data of revision 2, the one without a user namespace. The value is
// empty for no capabilities.
func Encode(list []string) ([]byte, error) {
	const revision2, effective = 0x02000000, 0x000001
	set, err := parse(list)
	if err != nil || set == 0 {
		return nil, err
	}
	var b []byte
	for _, word := range []uint32{revision2 | effective, uint32(set), 0, uint32(set >> 32), 0} {
		b = binary.LittleEndian.AppendUint32(b, word) // permitted and inheritable, in halves
	}
	return b, nil
}

func parse(list []string) (set uint64, err error) {
	for _, name := range list {
		full := strings.ToLower(strings.TrimSpace(name))
		if !strings.HasPrefix(full, "cap_") {
			full = "cap_" + full
		}
		i := slices.Index(names, full)
		if i < 0 {
			return 0, fmt.Errorf(
				"there is no capability %q; they have names such as cap_net_bind_service (capabilities(7))",
				name)
		}
		set |= 1 << i
	}
	return set, nil
}
