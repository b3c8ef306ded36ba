package capability

import (
	"testing"

	"golang.org/x/sys/unix"
)

// TestNumbers holds some of the table against the kernel's header, the last among them.
func TestNumbers(t *testing.T) {
	for name, number := range map[string]int{
		"cap_chown": unix.CAP_CHOWN, "cap_net_bind_service": unix.CAP_NET_BIND_SERVICE, "cap_sys_ptrace": unix.CAP_SYS_PTRACE,
		"cap_audit_control": unix.CAP_AUDIT_CONTROL, "cap_syslog": unix.CAP_SYSLOG, "cap_checkpoint_restore": unix.CAP_LAST_CAP,
	} {
		if names[number] != name {
			t.Errorf("number %d is %s, not %s", number, names[number], name)
		}
	}
	if len(names) != unix.CAP_LAST_CAP+1 {
		t.Errorf("%d names for %d capabilities", len(names), unix.CAP_LAST_CAP+1)
	}
}
