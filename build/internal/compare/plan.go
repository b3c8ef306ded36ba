package compare

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
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
	{"/kit/", CauseKit, "thimble"},
	{"/toolchain/mod", CauseFlag, "-mod"},
	{"/toolchain/gowork", CauseFlag, "the workspace"},
	{"/toolchain/version", CauseToolchain, "the Go toolchain"},
	{"/toolchain/c", CauseToolchain, "the C compiler"},
	{"/toolchain/", CauseToolchain, "the toolchain's"},
	{"/build/tags", CauseFlag, "the build tags"},
	{"/build/ldflags", CauseFlag, "the linker flags"},
	{"/build/stamp", CauseVCS, "the commit's stamp in the binary (no Unstamped, no GOFLAGS=-buildvcs=false, no linked worktree)"},
	{"/build/", CauseVCS, "the stamp's"},
	{"/revision", CauseVCS, "the commit"},
	{"/version", CauseVCS, "the version"},
	{"/moduleVersion", CauseVCS, "the module's version"},
	{"/dirtyFile", CauseVCS, "the first file that differs from the commit"},
	{"/dirty", CauseVCS, "whether the tree differs from the commit"},
	{"/generated", CauseSource, generatedSums},
	{"/shallow", "", ""},
	{"/sourceDateEpoch", CauseEpoch, "SOURCE_DATE_EPOCH, or the commit's time,"},
	{"/source", CauseVCS, "the repository's URL"},
	{"/platforms", CausePlatforms, "the list of platforms"},
	{"/archivePlatforms", "", ""},
	{"/compression", CauseCompressor, "the compression"},
	{"/lock", CauseBase, ""}, // see locks
	{"/module/", CauseConfig, "the module's"},
}

// ofImages are the same for the fields of an image, below its name.
var ofImages = []reason{
	{"repository", documentsOnly, "the repository"},
	{"tags", documentsOnly, "the tags"},
	{"base", CauseBase, "the base"},
	{"packages", CauseBase, "the packages of the base"},
	{"cgo", CauseFlag, "cgo"},
	{"include", CauseBase, "what the root file system must hold"},
	{"exclude", CauseBase, "what the root file system must not hold"},
	{"caCertificates", CauseBase, "the certificates"},
	{"assets", CauseConfig, "the assets"},
	{"inputs/revision", CauseVCS, "the last commit that touched its inputs"},
	{"inputs/version", documentsOnly, "the version of its inputs"},
	{"inputs/dirtyFile", CauseVCS, "the first input that differs from the commit"},
	{"inputs/sourceDateEpoch", CauseEpoch, "SOURCE_DATE_EPOCH, or the time of its inputs' commit,"},
	{"capabilities", CauseMode, "the capabilities of the binary"},
}

// plans records every field in which the plans differ, and its cause. A difference that is only
// in the plans does not change Same.
func (c *comparison) plans() error {
	if c.a.Plan == nil || c.b.Plan == nil {
		if c.a.Plan != nil || c.b.Plan != nil {
			c.note("only one of the builds says what it was planned to be")
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
		c.report.Differences = append(c.report.Differences, Difference{Depth: DepthPlan, Where: orNone(f.path), A: f.a, B: f.b})
		if followsFrom(f.path, fields) || what == "" || stable && slices.Contains(ofCommit, f.path) {
			continue
		}
		if kind == documentsOnly {
			c.ofDocuments = append(c.ofDocuments, Cause{CauseConfig, fmt.Sprintf("%s is %s / %s", what, f.a, f.b)})
			continue
		}
		detail := fmt.Sprintf("%s is %s / %s", what, f.a, f.b)
		if strings.HasSuffix(what, " mode") {
			detail = fmt.Sprintf("%s is %s / %s", what, octal(f.a), octal(f.b))
		}
		if when, ok := times(f.a, f.b); ok && kind == CauseFlag {
			detail += fmt.Sprintf("; it holds a time, which no two builds share: %s", when)
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
			return slices.ContainsFunc(all, func(f field) bool { return f.path == inputs+"/inputs/revision" || f.path == inputs+"/inputs/dirtyFile" })
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
		if strings.HasPrefix(setting, "assets/") && (strings.HasSuffix(setting, "/mode") || strings.HasSuffix(setting, "/uid") || strings.HasSuffix(setting, "/gid")) {
			return CauseMode, "the asset's " + setting[strings.LastIndex(setting, "/")+1:]
		}
		for _, r := range ofImages {
			if setting == r.prefix || strings.HasPrefix(setting, r.prefix+"/") {
				return r.kind, r.what
			}
		}
		if setting == "" {
			return CausePlatforms, "the image " + name
		}
		return CauseConfig, setting + " of " + name
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
	return CauseConfig, f.path
}
