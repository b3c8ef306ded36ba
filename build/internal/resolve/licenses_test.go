package resolve

import (
	"strings"
	"testing"
)

func TestCheckLicenses(t *testing.T) {
	for _, good := range []string{
		"", "NOASSERTION", "MIT", "GPL-2.0+", "Apache-2.0 WITH LLVM-exception", "LicenseRef-Acme-1.0",
		"DocumentRef-x:LicenseRef-Acme", "MIT AND (BSD-3-Clause OR GPL-2.0-only WITH Classpath-exception-2.0) AND ISC", "((MIT))",
	} {
		if err := checkLicenses(good); err != nil {
			t.Error(err)
		}
	}
	for _, bad := range []string{
		"Apache 2.0", "MIT/Apache-2.0", "MIT, ISC", "MIT OR", "AND MIT", "(MIT", "MIT)", "()", "MIT and ISC", "MIT WITH", "WITH MIT", " ",
		"MIT WITH (ISC)", "Proprietary, all rights reserved",
	} {
		if err := checkLicenses(bad); err == nil || !strings.Contains(err.Error(), `licenses "`+bad+`" is not an SPDX expression`) {
			t.Errorf("%q gives %v", bad, err)
		}
	}
}
