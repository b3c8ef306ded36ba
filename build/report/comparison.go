package report

// Depth is the part of a build in which a difference was found.
type Depth string

// The depths, from the outside to the inside.
const (
	DepthPlan      Depth = "plan"
	DepthSource    Depth = "source"
	DepthIndex     Depth = "index"
	DepthManifest  Depth = "manifest"
	DepthConfig    Depth = "config"
	DepthLayer     Depth = "layer"
	DepthFile      Depth = "file"
	DepthSection   Depth = "section"
	DepthBuildInfo Depth = "build info"
	DepthDocument  Depth = "document"
)

// Difference is one difference between the two builds.
type Difference struct {
	Depth    Depth  `json:"depth"`
	Image    string `json:"image,omitempty"`
	Platform string `json:"platform,omitempty"`
	// Where is a JSON pointer (RFC 6901, but with names for elements of lists), or the name of a
	// layer, a file, a section or a setting; What is its part that differs.
	Where string `json:"where"`
	What  string `json:"what,omitempty"`
	// A and B are the two values, shortened for a reader; "-" if there is none.
	A string `json:"a"`
	B string `json:"b"`
}

// Comparison is the result of comparing two builds.
type Comparison struct {
	// A and B are the builds' names.
	A string `json:"a"`
	B string `json:"b"`
	// Same says that all common digests and documents are equal, and that neither build has an
	// additional image; Compared are the digests that both have.
	Same     bool     `json:"same"`
	Compared []Digest `json:"compared"`
	// Differences are the first at each depth of each image and platform. Of plans, all are
	// listed; those that change no digest do not affect Same.
	Differences []Difference `json:"differences,omitempty"`
	// Causes are the causes of the differences, the most likely first.
	Causes []Cause `json:"causes,omitempty"`
	// Notes say what could not be compared.
	Notes []string `json:"notes,omitempty"`
}

// Digest is that of an index, or of the image for one platform, in both builds.
type Digest struct {
	Image    string `json:"image"`
	Platform string `json:"platform,omitempty"`
	A        string `json:"a"`
	B        string `json:"b"`
}

// CauseKind is the kind of a cause.
type CauseKind string

// The causes, in an order in which later ones may follow from earlier ones.
const (
	CauseKit        CauseKind = "kit"        // another thimble
	CauseToolchain  CauseKind = "toolchain"  // another Go version, or a Go setting
	CauseFlag       CauseKind = "flag"       // of the compiler or the linker, or a build tag
	CauseVCS        CauseKind = "VCS state"  // commit, tag, or a file that is in no commit
	CauseModule     CauseKind = "module"     // a dependency
	CauseTime       CauseKind = "time"       // a program wrote the current time
	CauseSource     CauseKind = "source"     // another source, such as generated code
	CauseBase       CauseKind = "base"       // the base of the image
	CauseMode       CauseKind = "mode"       // modes and owners of files
	CauseConfig     CauseKind = "config"     // the image's settings in Config
	CausePlatforms  CauseKind = "platforms"  // made for other platforms
	CauseEpoch      CauseKind = "epoch"      // SOURCE_DATE_EPOCH
	CauseCompressor CauseKind = "compressor" // compression of layers
)

// Cause is a cause of differences, with its evidence.
type Cause struct {
	Kind   CauseKind `json:"kind"`
	Detail string    `json:"detail"`
}
