package plan

// The parts of an operating system that a binary can need. Config, the manifest and the output
// use these names.
const (
	NeedCACertificates = "ca-certificates" // the roots that TLS clients trust
	NeedZoneinfo       = "zoneinfo"        // the time zone database
	NeedTmp            = "tmp"             // a writable /tmp
	NeedUsers          = "users"           // /etc/passwd and /etc/group
	NeedHome           = "home"            // the user's home folder
	NeedMIMETypes      = "mime-types"      // /etc/mime.types
	NeedServices       = "services"        // /etc/services and /etc/protocols
	// NeedExec is a warning: the binary can start programs, and a scratch image contains none.
	// It adds nothing to the image. Exclude it in Config to silence the warning.
	NeedExec = "exec"
)

// Needs lists the names that Config may include or exclude.
var Needs = []string{
	NeedCACertificates, NeedHome, NeedMIMETypes, NeedServices, NeedTmp, NeedUsers, NeedZoneinfo,
}

// Need is one part of an operating system that the binary can use.
type Need struct {
	Name string `json:"name"` // one of the Need constants
	// Evidence is at most three functions in the binary, the most specific first; or that Config
	// included the need; or why every need is given.
	Evidence []string `json:"evidence"`
	// Embedded says that the binary contains the files: none are added.
	Embedded bool `json:"embedded,omitempty"`
}
