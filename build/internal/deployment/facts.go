package deployment

import (
	"cmp"
	"regexp"
	"strconv"
	"strings"
)

// port is a port of a container.
type port struct {
	number   int
	protocol string // "tcp", "udp" or "sctp"
}

func parsePort(text string) port {
	number, protocol, ok := strings.Cut(text, "/")
	if !ok {
		protocol = "tcp"
	}
	n, _ := strconv.Atoi(number) // the build has checked it
	return port{n, protocol}
}

func (p port) name() string { return p.protocol + "-" + strconv.Itoa(p.number) }

func comparePorts(a, b string) int {
	x, y := parsePort(a), parsePort(b)
	return cmp.Or(cmp.Compare(x.number, y.number), cmp.Compare(x.protocol, y.protocol))
}

// ids returns the numbers of the user and the group. ok is false for names, and gid is nil if the
// image has no group.
func (s Service) ids() (uid int64, gid *int64, ok bool) {
	user, group, grouped := strings.Cut(s.User, ":")
	if s.User == "" {
		user = "0"
	}
	uid, err := strconv.ParseInt(user, 10, 64)
	if err != nil {
		return 0, nil, false
	}
	if grouped {
		n, err := strconv.ParseInt(group, 10, 64)
		if err != nil {
			return 0, nil, false
		}
		gid = &n
	}
	return uid, gid, true
}

// added returns the capabilities as engines name them.
func (s Service) added() []string {
	var all []string
	for _, c := range s.Capabilities {
		all = append(all, strings.TrimPrefix(strings.ToUpper(c), "CAP_"))
	}
	return all
}

// healthCommand returns the command of the health check; nil if there is none.
func (s Service) healthCommand() []string {
	if s.Health == nil || len(s.Health.Test) < 2 {
		return nil
	}
	switch s.Health.Test[0] {
	case "CMD":
		return s.Health.Test[1:]
	case "CMD-SHELL":
		return []string{"/bin/sh", "-c", s.Health.Test[1]}
	}
	return nil
}

var (
	notInLabel = regexp.MustCompile(`[^a-z0-9]+`)
	// maxLabel is the length of a DNS label (RFC 1035), which names of Services are.
	maxLabel = 63
)

// label returns a text as a DNS label that begins with a letter, so that everything in Kubernetes
// can have it as its name.
func label(text string) string {
	name := strings.Trim(notInLabel.ReplaceAllString(strings.ToLower(text), "-"), "-")
	if name == "" || name[0] >= '0' && name[0] <= '9' {
		name = strings.TrimSuffix("app-"+name, "-")
	}
	if len(name) > maxLabel {
		name = strings.TrimRight(name[:maxLabel], "-")
	}
	return name
}
