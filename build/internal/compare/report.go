package compare

// Depth is how deep a difference was found.
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

// Difference is something that the two builds do not share.
type Difference struct {
	Depth    Depth  `json:"depth"`
	Image    string `json:"image,omitempty"`
	Platform string `json:"platform,omitempty"`
	// Where is a JSON pointer (RFC 6901, but that elements of lists go by their names),
	// or the name of a layer, a file, a section or a setting; What is what of it differs.
	Where string `json:"where"`
	What  string `json:"what,omitempty"`
	// A and B are the two values, shortened for a reader; "-" where there is none.
	A string `json:"a"`
	B string `json:"b"`
}

// Report is what a comparison came to.
type Report struct {
	// A and B are the builds' names.
	A string `json:"a"`
	B string `json:"b"`
	// Same says that every digest and every document that both have is equal, and that
	// neither has an image more; Compared are the digests that both have.
	Same     bool     `json:"same"`
	Compared []Digest `json:"compared"`
	// Differences are the first at each depth of each image and platform. A plan's
	// are all there; those that change no digest do not count for Same.
	Differences []Difference `json:"differences,omitempty"`
	// Causes are what the differences come from, the most likely first.
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

// CauseKind is what a difference comes from.
type CauseKind string

// The causes, those first that others follow from.
const (
	CauseKit        CauseKind = "kit"        // another thimble
	CauseToolchain  CauseKind = "toolchain"  // another Go, or a setting of it
	CauseFlag       CauseKind = "flag"       // of the compiler or the linker, or a build tag
	CauseVCS        CauseKind = "VCS state"  // commit, tag, a file that no commit has
	CauseModule     CauseKind = "module"     // a dependency
	CauseTime       CauseKind = "time"       // something wrote the time of day
	CauseSource     CauseKind = "source"     // another source, such as generated code
	CauseBase       CauseKind = "base"       // what the image stands on
	CauseMode       CauseKind = "mode"       // modes and owners of files
	CauseConfig     CauseKind = "config"     // what Config asks of the image
	CausePlatforms  CauseKind = "platforms"  // made for other platforms
	CauseEpoch      CauseKind = "epoch"      // SOURCE_DATE_EPOCH
	CauseCompressor CauseKind = "compressor" // how layers are compressed
)

var kinds = []CauseKind{
	CauseKit, CauseToolchain, CauseFlag, CauseVCS, CauseModule, CauseTime, CauseSource, CauseBase,
	CauseMode, CauseConfig, CausePlatforms, CauseEpoch, CauseCompressor,
}

// Cause is a cause of differences, and what shows it.
type Cause struct {
	Kind   CauseKind `json:"kind"`
	Detail string    `json:"detail"`
}
