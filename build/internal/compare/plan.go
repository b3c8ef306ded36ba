package compare

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/thimble-build/thimble/build/report"
)

// reason is the meaning of a field of the plan, by the beginning of its path.
type reason struct {
	prefix string
	kind   CauseKind
	what   string
}

// documentsOnly is the kind of a field that is in the documents about an image, and not in the
// image.
const documentsOnly CauseKind = "documents"

// generatedSums is the text for the hashes of generated files in a plan.
const generatedSums = "what Config.Before made, by its SHA-256,"

// reasons are checked in this order. A field of kind "" changes no digest.
var reasons = []reason{
	{"/kit/", report.CauseKit, "thimble"},
	{"/toolchain/mod", report.CauseFlag, "-mod"},
	{"/toolchain/gowork", report.CauseFlag, "the workspace"},
	{"/toolchain/version", report.CauseToolchain, "the Go toolchain"},
	{"/toolchain/c", report.CauseToolchain, "the C compiler"},
	{"/toolchain/", report.CauseToolchain, "the toolchain's"},
	{"/build/tags", report.CauseFlag, "the build tags"},
	{"/build/ldflags", report.CauseFlag, "the linker flags"},
	{"/build/stamp", report.CauseVCS,
		"the commit's stamp in the binary (no Unstamped, no GOFLAGS=-buildvcs=false, no linked worktree)"},
	{"/build/", report.CauseVCS, "the stamp's"},
	{"/revision", report.CauseVCS, "the commit"},
	{"/version", report.CauseVCS, "the version"},
	{"/moduleVersion", report.CauseVCS, "the module's version"},
	{"/dirtyFile", report.CauseVCS, "the first file that differs from the commit"},
	{"/dirty", report.CauseVCS, "whether the tree differs from the commit"},
	{"/generated", report.CauseSource, generatedSums},
	{"/shallow", "", ""},
	{"/sourceDateEpoch", report.CauseEpoch, "SOURCE_DATE_EPOCH, or the commit's time,"},
	{"/source", report.CauseVCS, "the repository's URL"},
	{"/platforms", report.CausePlatforms, "the list of platforms"},
	{"/archivePlatforms", "", ""},
	{"/compression", report.CauseCompressor, "the compression"},
	{"/lock", report.CauseBase, ""}, // see locks
	{"/module/", report.CauseConfig, "the module's"},
}

// ofImages are the same for the fields of an image, below its name.
var ofImages = []reason{
	{"repository", documentsOnly, "the repository"},
	{"tags", documentsOnly, "the tags"},
	{"base", report.CauseBase, "the base"},
	{"packages", report.CauseBase, "the packages of the base"},
	{"cgo", report.CauseFlag, "cgo"},
	{"include", report.CauseBase, "what the root file system must contain"},
	{"exclude", report.CauseBase, "what the root file system must not contain"},
	{"caCertificates", report.CauseBase, "the certificates"},
	{"assets", report.CauseConfig, "the assets"},
	{"inputs/revision", report.CauseVCS, "the last commit that touched its inputs"},
	{"inputs/version", documentsOnly, "the version of its inputs"},
	{"inputs/dirtyFile", report.CauseVCS, "the first input that differs from the commit"},
	{"inputs/sourceDateEpoch", report.CauseEpoch, "SOURCE_DATE_EPOCH, or the time of its inputs' commit,"},
	{"capabilities", report.CauseMode, "the capabilities of the binary"},
}

// plans records every field in which the plans differ, and its cause. A difference that is only
// in the plans does not change Same.
func (c *comparison) plans() error {
	if c.a.Plan == nil || c.b.Plan == nil {
		if c.a.Plan != nil || c.b.Plan != nil {
			c.note("only one of the builds contains its plan")
		}
		return nil
	}
	fields, err := jsonDifferences(c.a.Plan, c.b.Plan, 64)
	if err != nil {
		return fmt.Errorf("read the plans: %w", err)
	}
	stable, err := haveInputs(c.a.Plan, c.b.Plan)
	if err != nil {
		return fmt.Errorf("read the plans: %w", err)
	}
	for _, f := range fields {
		kind, what := because(f)
		if kind == "" {
			continue
		}
		c.report.Differences = append(c.report.Differences,
			Difference{Depth: report.DepthPlan, Where: orNone(f.path), A: f.a, B: f.b})
		if followsFrom(f.path, fields) || what == "" || stable && slices.Contains(ofCommit, f.path) {
			continue
		}
		if kind == documentsOnly {
			c.ofDocuments = append(c.ofDocuments,
				Cause{Kind: report.CauseConfig, Detail: fmt.Sprintf("%s is %s / %s", what, f.a, f.b)})
			continue
		}
		detail := fmt.Sprintf("%s is %s / %s", what, f.a, f.b)
		if strings.HasSuffix(what, " mode") {
			detail = fmt.Sprintf("%s is %s / %s", what, octal(f.a), octal(f.b))
		}
		if when, ok := times(f.a, f.b); ok && kind == report.CauseFlag {
			detail += fmt.Sprintf("; it contains a time, which differs in every build: %s", when)
		}
		c.cause(kind, "%s", detail)
	}
	return c.locks(fields)
}

// consequences are fields that differ because another field differs.
var consequences = map[string][]string{
	"/version":           {"/revision", "/dirtyFile"},
	"/moduleVersion":     {"/revision", "/dirtyFile", "/version", "/build/stamp"},
	"/dirty":             {"/dirtyFile"},
	"/build/vcsModified": {"/dirtyFile", "/build/stamp"},
	"/build/vcsTime":     {"/revision", "/build/stamp"},
	"/sourceDateEpoch":   {"/revision"},
}

// ofCommit are the fields that identify the commit: if images have separate inputs, nothing in an
// image depends on them.
var ofCommit = []string{"/revision", "/version", "/dirty", "/dirtyFile", "/sourceDateEpoch"}

// haveInputs says whether the images of all plans have separate inputs.
func haveInputs(plans ...[]byte) (bool, error) {
	for _, p := range plans {
		var of struct {
			InputPlatforms []json.RawMessage `json:"inputPlatforms"`
		}
		if err := json.Unmarshal(p, &of); err != nil {
			return false, err
		}
		if len(of.InputPlatforms) == 0 {
			return false, nil
		}
	}
	return true, nil
}

func followsFrom(path string, all []field) bool {
	for _, name := range []string{"version", "sourceDateEpoch"} {
		if inputs, ok := strings.CutSuffix(path, "/inputs/"+name); ok {
			return slices.ContainsFunc(all, func(f field) bool {
				return f.path == inputs+"/inputs/revision" ||
					f.path == inputs+"/inputs/dirtyFile"
			})
		}
	}
	if strings.HasPrefix(path, "/images/") && strings.HasSuffix(path, "/tags") {
		path = "/version" // the first tag is the version
		if slices.ContainsFunc(all, func(f field) bool { return f.path == path }) {
			return true
		}
	}
	return slices.ContainsFunc(consequences[path], func(cause string) bool {
		return slices.ContainsFunc(all, func(f field) bool { return f.path == cause })
	})
}

// octal returns a file mode as in chmod; an empty mode is returned unchanged.
func octal(mode string) string {
	if n, err := strconv.ParseUint(mode, 10, 32); err == nil {
		return fmt.Sprintf("%#o", n)
	}
	return mode
}

func because(f field) (CauseKind, string) {
	if rest, ok := strings.CutPrefix(f.path, "/images/"); ok {
		name, setting, _ := strings.Cut(rest, "/")
		if strings.HasPrefix(setting, "assets/") && (strings.HasSuffix(setting, "/mode") ||
			strings.HasSuffix(setting, "/uid") || strings.HasSuffix(setting, "/gid")) {
			return report.CauseMode, "the asset's " + setting[strings.LastIndex(setting, "/")+1:]
		}
		for _, r := range ofImages {
			if setting == r.prefix || strings.HasPrefix(setting, r.prefix+"/") {
				return r.kind, r.what
			}
		}
		if setting == "" {
			return report.CausePlatforms, "the image " + name
		}
		return report.CauseConfig, setting + " of " + name
	}
	for _, r := range reasons {
		if !strings.HasPrefix(f.path, r.prefix) {
			continue
		}
		what := r.what
		if strings.HasSuffix(r.prefix, "/") {
			what += " " + strings.TrimPrefix(f.path, r.prefix)
		}
		return r.kind, what
	}
	return report.CauseConfig, f.path
}
