package plan

// The parts of an operating system that a binary can need, by the names that
// Config, the manifest and the output use.
const (
	NeedCACertificates = "ca-certificates" // the roots that TLS clients trust
	NeedZoneinfo       = "zoneinfo"        // the time zone database
	NeedTmp            = "tmp"             // a writable /tmp
	NeedUsers          = "users"           // /etc/passwd and /etc/group
	NeedHome           = "home"            // the user's home folder
	NeedMIMETypes      = "mime-types"      // /etc/mime.types
	NeedServices       = "services"        // /etc/services and /etc/protocols
	// NeedExec is a warning: the binary can start programs, and a scratch image
	// has none. Nothing is included for it; Config may exclude it to silence it.
	NeedExec = "exec"
)

// Needs lists the names that Config may include or exclude.
var Needs = []string{
	NeedCACertificates, NeedHome, NeedMIMETypes, NeedServices, NeedTmp, NeedUsers, NeedZoneinfo,
}
