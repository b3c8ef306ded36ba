package capability

import (
	"encoding/hex"
	"slices"
	"strings"
	"testing"
)

func TestNames(t *testing.T) {
	got, err := Names([]string{"NET_RAW", "cap_net_bind_service", "CAP_NET_RAW"})
	if want := []string{"cap_net_bind_service", "cap_net_raw"}; err != nil || !slices.Equal(got, want) {
		t.Errorf("Names = %q, %v; want %q", got, err, want)
	}
	if _, err := Names([]string{"cap_net_bind"}); err == nil || !strings.Contains(err.Error(), `no capability "cap_net_bind"`) {
		t.Errorf("an unknown name: %v", err)
	}
}

// TestEncode compares with what setcap of libcap writes (getfattr -e hex).
func TestEncode(t *testing.T) {
	for _, test := range []struct {
		names []string
		want  string
	}{
		{nil, ""},
		{[]string{"cap_net_bind_service"}, "0100000200040000000000000000000000000000"},
		{[]string{"cap_net_bind_service", "cap_perfmon"}, "0100000200040000000000004000000000000000"},
	} {
		got, err := Encode(test.names)
		if err != nil || hex.EncodeToString(got) != test.want {
			t.Errorf("Encode(%q) = %x, %v; want %s", test.names, got, err, test.want)
		}
	}
	if _, err := Encode([]string{"all"}); err == nil {
		t.Error("an unknown name was encoded")
	}
}
