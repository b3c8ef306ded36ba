package describe

import (
	"strings"
	"testing"

	testresult "github.com/in-toto/attestation/go/predicates/test_result/v0"
	"google.golang.org/protobuf/encoding/protojson"

	"github.com/thimble-build/thimble/build/plan"
)

func TestTestResult(t *testing.T) {
	p := service().Plan
	p.Build.Tags = []string{"netgo"}
	source := `{"digest":{"gitCommit":"` + p.Revision + `"},"name":"source","uri":"git+https://github.com/acme/api@` + p.Revision + `"}`
	dirty := *p
	dirty.Dirty = true
	unknown := *p
	unknown.Source, unknown.Revision = "", ""
	for name, tt := range map[string]struct {
		in   TestInput
		want string
	}{
		"passed": {
			TestInput{Plan: p, Passed: []string{"b", "a", "b"}, Config: plan.TestConfig{Race: true, Tags: []string{"e2e"}, Packages: []string{"./..."}}},
			`{"configuration":[` + source + `,{"annotations":{"buildTags":["netgo"],"packages":["./..."],"race":true,"skipped":false,"tags":["e2e"],"toolchain":"go1.26.8"},"name":"go test"}],` +
				`"passedTests":["a","b"],"result":"PASSED"}`,
		},
		"warned": {
			TestInput{Plan: p, Passed: []string{"a"}, Warned: []string{"c"}},
			`{"configuration":[` + source + `,{"annotations":{"buildTags":["netgo"],"skipped":false,"toolchain":"go1.26.8"},"name":"go test"}],"passedTests":["a"],"result":"WARNED","warnedTests":["c"]}`,
		},
		"failed": {
			TestInput{Plan: &dirty, Passed: []string{"a"}, Warned: []string{"c"}, Failed: []string{"z", "d"}},
			`{"configuration":[{"annotations":{"dirty":true},` + source[1:] + `,{"annotations":{"buildTags":["netgo"],"skipped":false,"toolchain":"go1.26.8"},"name":"go test"}],` +
				`"failedTests":["d","z"],"passedTests":["a"],"result":"FAILED","warnedTests":["c"]}`,
		},
		"skipped": {
			TestInput{Plan: p, Skipped: true},
			`{"configuration":[` + source + `,{"annotations":{"buildTags":["netgo"],"skipped":true,"toolchain":"go1.26.8"},"name":"go test"}],"result":"WARNED"}`,
		},
		"no tests and no git": {
			TestInput{Plan: &unknown},
			`{"configuration":[{"annotations":{"buildTags":["netgo"],"skipped":false,"toolchain":"go1.26.8"},"name":"go test"}],"result":"WARNED"}`,
		},
	} {
		got, err := TestResult(tt.in)
		if err != nil || string(got) != tt.want {
			t.Errorf("%s:\n got %s\nwant %s\n%v", name, got, tt.want, err)
		}
		if err := protojson.Unmarshal(got, &testresult.TestResult{}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}

	short := *p
	short.Revision = "abc"
	for want, in := range map[string]TestInput{
		"needs a plan":     {},
		"skipped have out": {Plan: p, Skipped: true, Passed: []string{"a"}},
		"full hash":        {Plan: &short},
	} {
		if _, err := TestResult(in); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got the error %v, want %q", err, want)
		}
	}
}
