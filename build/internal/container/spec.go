package container

import (
	"encoding/csv"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"syscall"
)

// Spec says what to run, and what the container gets in addition to the image. Everything else
// is the strictest that all engines support.
type Spec struct {
	// Image is a reference that the engine has; nothing is pulled.
	Image string
	// Args replace the image's arguments, if not nil.
	Args []string
	// Env are NAME=value pairs. Secrets are the same, but other users of the machine cannot see
	// them in the list of processes.
	Env, Secrets []string
	// Ports are published on loopback.
	Ports []Port
	// Tmp mounts an empty file system in memory on /tmp.
	Tmp bool
	// Capabilities are added; names such as "cap_net_bind_service". If there are any, new
	// privileges are allowed, because a file cannot give capabilities without them.
	Capabilities []string
	// Programs replace files of the image.
	Programs []Program
}

// Program is a file of this machine, and the absolute path where the container has it, read-only.
type Program struct{ File, Target string }

// Port is a port of a container and the port of this machine that reaches it.
type Port struct {
	Host, Container uint16
	// Protocol is "tcp", "udp" or "sctp".
	Protocol string
}

// loopback is the only address that ports are published on.
const loopback = "127.0.0.1"

// ParsePort reads "8080", "53/udp", or "18080:8080" with the machine's port first.
func ParsePort(text string) (Port, error) {
	fail := fmt.Errorf("port %q is not PORT or HOSTPORT:PORT, optionally with /tcp or /udp", text)
	numbers, protocol, named := strings.Cut(text, "/")
	if !named {
		protocol = "tcp"
	}
	if protocol != "tcp" && protocol != "udp" && protocol != "sctp" {
		return Port{}, fail
	}
	host, inside, two := strings.Cut(numbers, ":")
	if !two {
		inside = host
	}
	p := Port{Protocol: protocol}
	for _, n := range []struct {
		text string
		to   *uint16
	}{{host, &p.Host}, {inside, &p.Container}} {
		number, err := strconv.ParseUint(n.text, 10, 16)
		if err != nil || number == 0 {
			return Port{}, fail
		}
		*n.to = uint16(number)
	}
	return p, nil
}

// String returns a URL for TCP, which is HTTP for most services, else the address and protocol.
func (p Port) String() string {
	if p.Protocol == "tcp" {
		return "http://" + p.address()
	}
	return p.address() + "/" + p.Protocol
}

// checkFree returns an error if another program uses the port of this machine.
func (p Port) checkFree() error {
	var err error
	switch p.Protocol {
	case "tcp":
		var l net.Listener
		if l, err = net.Listen("tcp", p.address()); err == nil {
			err = l.Close()
		}
	case "udp":
		var l net.PacketConn
		if l, err = net.ListenPacket("udp", p.address()); err == nil {
			err = l.Close()
		}
	}
	if !errors.Is(err, syscall.EADDRINUSE) {
		return nil // the engine may have rights that this process lacks, such as for port 80
	}
	return p.explain(err)
}

// explain adds to the error of a port what to do.
func (p Port) explain(err error) error {
	if !errors.Is(err, syscall.EADDRINUSE) {
		return fmt.Errorf("listen: %w; choose another port: -port=%d:%d", err, otherPort(p.Host), p.Container)
	}
	return fmt.Errorf(
		"port %d of %s is in use; stop the program that uses it, or choose another port: -port=%d:%d",
		p.Host, loopback, otherPort(p.Host), p.Container)
}

// otherPort returns a port to suggest in place of another.
func otherPort(taken uint16) uint16 {
	if taken < 10000 {
		return taken + 10000
	}
	return taken - 9999
}

// createArgs returns the arguments of the client that create the container.
func (s Spec) createArgs(engine, name string) []string {
	args := []string{"create", "--rm", "--pull=never", "--name=" + name, "--read-only", "--cap-drop=ALL"}
	if engine == "podman" { // it would mount file systems in memory on several folders
		args = append(args, "--read-only-tmpfs=false")
	}
	for _, c := range s.Capabilities {
		args = append(args, "--cap-add="+strings.TrimPrefix(strings.ToUpper(c), "CAP_"))
	}
	if len(s.Capabilities) == 0 {
		args = append(args, "--security-opt=no-new-privileges")
	}
	if s.Tmp {
		args = append(args, "--tmpfs=/tmp:rw,noexec,nosuid,nodev,mode=1777")
	}
	for _, p := range s.Ports {
		args = append(args, fmt.Sprintf("--publish=%s:%d:%d/%s", loopback, p.Host, p.Container, p.Protocol))
	}
	for _, e := range s.Env {
		args = append(args, "--env="+e)
	}
	for _, e := range s.Secrets {
		name, _, _ := strings.Cut(e, "=")
		args = append(args, "--env="+name) // the value is in the client's environment
	}
	for _, p := range s.Programs {
		source, target := "source="+p.File, "target="+p.Target
		args = append(args, "--mount="+mount("type=bind", source, target, "readonly"))
	}
	return append(append(args, s.Image), s.Args...)
}

// mount joins the fields of a --mount, which the engines read as a line of CSV.
func mount(fields ...string) string {
	var b strings.Builder
	w := csv.NewWriter(&b)
	_ = w.Write(fields) // into memory
	w.Flush()
	return strings.TrimSuffix(b.String(), "\n")
}
