package license

import (
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/licensecheck"

	"github.com/thimble-build/thimble/build/internal/testtool"
)

// schemas is where the official schemas are, beside the project.
const schemas = "../../../../shared/schemas/"

// TestIDs compares every identifier that can come out with the SPDX licence list,
// as CycloneDX publishes it.
func TestIDs(t *testing.T) {
	testtool.OnRequest(t, "the official schemas in ../shared/schemas")
	b, err := os.ReadFile(schemas + "spdx.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	var list struct{ Enum []string }
	if err := json.Unmarshal(b, &list); err != nil {
		t.Fatal(err)
	}
	for _, l := range licensecheck.BuiltinLicenses() {
		ids, ok := spdxIDs([]string{l.ID}, "")
		if !ok && slices.Contains(list.Enum, l.ID) && l.ID != "Net-SNMP" {
			t.Errorf("%s is on the list and is refused", l.ID)
		}
		for _, id := range ids {
			if !slices.Contains(list.Enum, id) {
				t.Errorf("%s gives %s, which is not on the list", l.ID, id)
			}
			if slices.Contains(bare, id) {
				t.Errorf("%s gives %s, which SPDX has deprecated", l.ID, id)
			}
		}
	}
}

func TestGNUVersions(t *testing.T) {
	tests := []struct {
		found []string
		rest  string
		want  string
	}{
		{[]string{"GPL-2.0"}, "", "GPL-2.0-only"},
		{[]string{"GPL-2.0", "GPL-2.0-or-later"}, "", "GPL-2.0-or-later"},
		{[]string{"LGPL-3.0"}, "spdx-license-identifier: lgpl-3.0-or-later", "LGPL-3.0-or-later"},
		{[]string{"GPL-3.0"}, "version 3 or later of the license", "unknown"},
		{[]string{"GPL-3.0"}, "either version 3 (at your option) any later version", "unknown"},
		{[]string{"GPL-3.0", "LGPL-3.0"}, "", "GPL-3.0-only LGPL-3.0-only"},
		{[]string{"BSD-3-Clause", "GooglePatentsFile"}, "", "BSD-3-Clause"},
		{[]string{"Apache-2.0", "CommonsClause"}, "", "unknown"},
	}
	for _, tt := range tests {
		ids, ok := spdxIDs(tt.found, tt.rest)
		got := strings.Join(ids, " ")
		if !ok {
			got = "unknown"
		}
		if got != tt.want {
			t.Errorf("%v, %q: %s, want %s", tt.found, tt.rest, got, tt.want)
		}
	}
}
